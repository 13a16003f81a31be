/** Who is to read a secret, beside who can: nodes of the cluster by name, others by their recipients. Pure. */
import type { Readers } from '../../schemas/secret-readers.ts';
import type { NodeView } from '../../schemas/views.ts';
import { hasLabel, isMember } from './choose-nodes.ts';

export type ReaderNode = Pick<NodeView, 'name' | 'state' | 'labels' | 'recipient'>;

/** What has to change, and what is so then. Recipients, where nothing else is said. */
export interface Access {
  /** All who are to read it. */
  readonly wanted: readonly string[];
  readonly added: readonly string[];
  /** Can read it, and should not: nodes that are gone, or that it is not for any more. */
  readonly removed: readonly string[];
  /** Can read it, or will, and are no nodes. */
  readonly others: readonly string[];
  /** Names of nodes that are to read it and have told no recipient. */
  readonly mute: readonly string[];
}

/** Is it for this node? */
export function isReader(node: ReaderNode, { nodes, labels }: Readers): boolean {
  if (!isMember(node)) return false;
  if (nodes.length === 0 && labels.length === 0) return true;
  return nodes.includes(node.name) || (labels.length > 0 && labels.every((label) => hasLabel(node, label)));
}

/**
 * `present`: who can read it now. Where the file does not say who is no node (sops wrote it), or other clusters read it, whoever is not
 * known here stays. `own` always reads it.
 */
export function accessOf(
  nodes: readonly ReaderNode[],
  readers: Readers,
  { present, own, isShared }: { readonly present: readonly string[]; readonly own: string; readonly isShared: boolean },
): Access {
  const meant = nodes.filter((node) => isReader(node, readers));
  const ofNodes = meant.flatMap(({ recipient }) => recipient ?? []);
  const kept = readers.others === undefined || isShared ? strangersIn(present, nodes) : [];
  const others = unique([own, ...(readers.others ?? []), ...kept]);
  const stay = isShared ? present : [];
  const wanted = unique([...ofNodes, ...others, ...stay]);
  return {
    wanted,
    added: wanted.filter((recipient) => !present.includes(recipient)),
    removed: present.filter((recipient) => !wanted.includes(recipient)),
    others,
    mute: meant.flatMap(({ name, recipient }) => (recipient === undefined ? [name] : [])).sort(),
  };
}

/** Those that are no nodes of this cluster. */
export function strangersIn(recipients: readonly string[], nodes: readonly ReaderNode[]): readonly string[] {
  const known = new Set(nodes.filter(isMember).flatMap(({ recipient }) => recipient ?? []));
  return recipients.filter((recipient) => !known.has(recipient));
}

/** Names of nodes, and of others their recipients. */
export function namesOf(recipients: readonly string[], nodes: readonly ReaderNode[]): readonly string[] {
  const names = new Map(
    nodes.flatMap(({ name, recipient }) => (recipient === undefined ? [] : [[recipient, name] as const])),
  );
  return recipients.map((recipient) => names.get(recipient) ?? recipient).sort();
}

/** Who these are: nodes by name, and recipients that are no nodes. */
export function readersAmong(
  recipients: readonly string[],
  nodes: readonly ReaderNode[],
): { readonly nodes: readonly string[]; readonly others: readonly string[] } {
  const others = strangersIn(recipients, nodes);
  const known = recipients.filter((one) => !others.includes(one));
  return { nodes: namesOf(known, nodes), others };
}

function unique(recipients: readonly string[]): readonly string[] {
  return [...new Set(recipients)].sort();
}
