/** What is to become of one secret, before anything is written: for whom, and whether it has to be encrypted anew. Pure. */
import { leavesOfReaders, type Readers, readersOf } from '../../schemas/secret-readers.ts';
import type { SopsLeaf } from '../../schemas/sops.ts';
import type { OpenedSecret } from './sealed-secret.ts';
import { type Access, accessOf, type ReaderNode, strangersIn } from './secret-access.ts';

/** Who is to read it from now on. What is absent stays as the file has it. */
export interface ReaderWish {
  /** Names of nodes. */
  readonly nodes?: readonly string[] | undefined;
  /** `key=value`. */
  readonly labels?: readonly string[] | undefined;
  /** All nodes again. */
  readonly everyone?: boolean | undefined;
  /** Recipients that are no nodes. */
  readonly add?: readonly string[] | undefined;
  readonly remove?: readonly string[] | undefined;
}

export interface SecretPlan {
  readonly access: Access;
  readonly readers: Readers;
  /** Other values than before. */
  readonly isOther: boolean;
  /** `none`: it is so already. `add`: others can read it, too. `anew`: with another data key. */
  readonly work: 'none' | 'add' | 'anew';
}

interface PlanInput {
  readonly opened?: OpenedSecret | undefined;
  readonly values: readonly SopsLeaf[];
  readonly nodes: readonly ReaderNode[];
  /** The recipient of whoever does it. */
  readonly own: string;
  readonly isShared: boolean;
  readonly wish: ReaderWish;
}

export function planSecret({ opened, values, nodes, own, isShared, wish }: PlanInput): SecretPlan {
  const before: Readers = opened ? readersOf(opened.sealed.leaves) : { nodes: [], labels: [], others: [] };
  const present = opened ? Object.keys(opened.sealed.keys) : [];
  const wished = withWish(before, wish, () => strangersIn(present, nodes));
  const access = accessOf(nodes, wished, { present, own, isShared });
  const readers = { ...wished, others: access.others };
  const isOther = !opened || !isSame(opened.values, values);
  const isMoved = access.added.length > 0 || access.removed.length > 0;
  // What sops wrote says nothing of readers: it does once something changes, and not for that alone.
  const says = before.others !== undefined || isMoved ? readers : wished;
  const isSaid = isShared || isSame(leavesOfReaders(says), leavesOfReaders(before));
  const isAnew = isOther || !isSaid || access.removed.length > 0;
  return { access, readers, isOther, work: isAnew ? 'anew' : isMoved ? 'add' : 'none' };
}

function withWish(before: Readers, wish: ReaderWish, strangers: () => readonly string[]): Readers {
  const { nodes, labels, everyone = false, add = [], remove = [] } = wish;
  const isNarrowed = nodes !== undefined || labels !== undefined;
  const kept = isNarrowed || everyone ? { nodes: nodes ?? [], labels: labels ?? [] } : before;
  const base = { nodes: kept.nodes, labels: kept.labels, ...(before.others && { others: before.others }) };
  if (add.length === 0 && remove.length === 0) return base;
  const others = [...(before.others ?? strangers()), ...add].filter((recipient) => !remove.includes(recipient));
  return { ...base, others };
}

function isSame(a: readonly SopsLeaf[], b: readonly SopsLeaf[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
