/** Secrets on their way into a working copy, or by a commit to the cluster: who gets to read them is said before. */
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { SopsLeaf } from '../../schemas/sops.ts';
import { syncTo } from './commit.ts';
import {
  type Asker,
  type Change,
  type CommitNote,
  commitChanges,
  inRepository,
  putChanges,
  type Repository,
  requireClean,
} from './commit-edit.ts';
import type { OwnIdentity } from './own-identity.ts';
import { addRecipients, nextVersion, type OpenedSecret, sealSecret } from './sealed-secret.ts';
import { namesOf, type ReaderNode, readersAmong } from './secret-access.ts';
import { planSecret, type ReaderWish, type SecretPlan } from './secret-plan.ts';
import type { ShelvedSecret } from './secret-shelf.ts';

export type SecretApi = Pick<ApiClient, 'status' | 'nodes' | 'services' | 'sync'>;

/** Who does it, and how. */
export interface SecretTask {
  readonly asker: Asker;
  /** Else it stays a change of the working copy. */
  readonly commit: boolean;
  readonly own: OwnIdentity;
  readonly wish: ReaderWish;
  readonly say: (text: string) => void;
  /** Ends the whole thing if the answer is no. */
  readonly confirm: (question: string) => Promise<void>;
  readonly now: () => Date;
}

/** What became of one secret. Never a value. */
export interface SecretNote {
  readonly name: string;
  /** From the root of the repository. */
  readonly file: string;
  readonly version: string;
  /** False: it was so already. */
  readonly changed: boolean;
  /** Who can read it: nodes by name, others by recipient. */
  readonly nodes: readonly string[];
  readonly others: readonly string[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Nodes that are to read it, and have told no recipient. */
  readonly lack: readonly string[];
  readonly commit?: CommitNote;
}

/** A secret as it is to be. */
export interface WantedSecret {
  readonly name: string;
  readonly file: string;
  /** Absent: it is new. */
  readonly found?: ShelvedSecret | undefined;
  readonly opened?: OpenedSecret | undefined;
  readonly values: readonly SopsLeaf[];
}

interface Drawn extends WantedSecret {
  readonly plan: SecretPlan;
}

/** What the work needs to know of the cluster. */
interface Surroundings {
  readonly repository: Repository;
  readonly nodes: readonly ReaderNode[];
}

/** What `work` wants is written, as one commit if there is to be one, which the cluster then has taken over. */
export async function writeSecrets(
  api: SecretApi,
  subject: (notes: readonly SecretNote[]) => string,
  task: SecretTask,
  signal: AbortSignal,
  work: (around: Surroundings) => Promise<readonly WantedSecret[]>,
): Promise<readonly SecretNote[]> {
  const [status, nodes] = await Promise.all([api.status(signal), api.nodes([], signal)]);
  const how = { ...task.asker, purpose: task.commit ? ('commit' as const) : ('change' as const) };
  const notes = await inRepository(status, how, signal, async (repository) => {
    const wanted = await work({ repository, nodes });
    return carryOut(repository, nodes, wanted, subject, task);
  });
  const [first] = notes.flatMap(({ commit }) => commit ?? []);
  if (first) await syncTo(api, { ...first, files: notes.map(({ file }) => file), wanted: [] }, signal);
  return notes;
}

async function carryOut(
  repository: Repository,
  nodes: readonly ReaderNode[],
  wanted: readonly WantedSecret[],
  subject: (notes: readonly SecretNote[]) => string,
  task: SecretTask,
): Promise<readonly SecretNote[]> {
  const drawn: Drawn[] = [];
  for (const one of wanted) {
    if (task.commit) await requireClean(repository, one.file);
    drawn.push(draw(one, repository, nodes, task));
  }
  await announce(drawn, nodes, task);
  const changes: Change[] = [];
  const notes: SecretNote[] = [];
  for (const one of drawn) {
    const { text, version } = await textOf(one, task);
    changes.push({ file: one.file, line: 1, before: one.found?.text, text });
    notes.push(noteOf(one, version, nodes));
  }
  if (task.commit && notes.length > 0) {
    const commits = await commitChanges(repository, changes, subject(notes.filter(isChanged)), task.asker);
    return notes.map((note, index) => ({ ...note, ...(commits[index] && { commit: commits[index] }) }));
  }
  await putChanges(repository.copy, changes);
  return notes;
}

const isChanged = ({ changed }: SecretNote): boolean => changed;

/** REFUSED for values, or rules, of what other clusters read, too. */
function draw(one: WantedSecret, { cluster }: Repository, nodes: readonly ReaderNode[], task: SecretTask): Drawn {
  const { found, opened, values } = one;
  const isShared = found?.isShared ?? false;
  const plan = planSecret({ opened, values, nodes, own: task.own.recipient, isShared, wish: task.wish });
  const isWish = Object.values(task.wish).some((wish) => wish !== undefined && wish !== false);
  if (found && (plan.isOther || isWish)) requireMine(found, cluster);
  return { ...one, plan };
}

function requireMine({ name, file, isShared }: ShelvedSecret, cluster: string): void {
  if (!isShared) return;
  const message = `every cluster of the repository reads it: that would change more than ${cluster}`;
  const hint = `\`sops edit ${file}\` changes it for all; a file in clusters/${cluster}/secrets/ counts before it`;
  throw new ProblemError(problem('REFUSED', message, { file, subject: name, hint }));
}

/** REFUSED for what cannot be given other values: worth knowing before somebody writes them. */
export async function requireChangeable(repository: Repository, found: ShelvedSecret, task: SecretTask): Promise<void> {
  requireMine(found, repository.cluster);
  if (task.commit) await requireClean(repository, found.file);
}

/** Most that are named with their recipients, one per line. */
const mostLines = 20;

/** Who will read what, and who has no business with it any more: said, and asked, before anything is encrypted for anybody. */
async function announce(drawn: readonly Drawn[], nodes: readonly ReaderNode[], task: SecretTask): Promise<void> {
  const { say, own } = task;
  for (const { name, opened, plan } of drawn) {
    const { added, others } = plan.access;
    const names = namesOf(added, nodes);
    if (added.length > mostLines) say(`${name}: ${added.length} more can read it from now on: ${names.join(', ')}`);
    else for (const one of added) say(`${name}: ${nameOf(one, nodes, own.recipient)} can read it from now on`);
    // Whoever can push may have put one there.
    const strange = others.filter((one) => one !== own.recipient && !added.includes(one));
    if (plan.isOther && opened) for (const one of strange) say(`${name}: ${one}, which is no node, can read it, too`);
  }
  const losing = drawn.filter(({ plan }) => plan.access.removed.length > 0);
  for (const { name, plan } of losing)
    for (const one of plan.access.removed) say(`${name}: ${nameOf(one, nodes, own.recipient)} is to read it no more`);
  if (losing.length > 0) await task.confirm(`Encrypt ${losing.map(({ name }) => name).join(', ')} without them?`);
}

function nameOf(recipient: string, nodes: readonly ReaderNode[], own: string): string {
  if (recipient === own) return `you (${recipient})`;
  const [name = recipient] = namesOf([recipient], nodes);
  return name === recipient ? recipient : `${name} (${recipient})`;
}

async function textOf(
  { plan, found, opened, values, name, file }: Drawn,
  { now }: SecretTask,
): Promise<{ readonly text: string; readonly version: string }> {
  const before = opened?.sealed.version;
  if (plan.work === 'none' && found) return { text: found.text, version: before ?? '' };
  if (plan.work === 'add' && opened) {
    return { text: await addRecipients({ name, file }, opened, plan.access.added), version: before ?? '' };
  }
  const time = now();
  const version = before !== undefined && !plan.isOther ? before : nextVersion(before, time);
  const contents = { values, beside: opened?.beside ?? [], version, readers: plan.readers };
  return { text: await sealSecret({ name, file }, contents, plan.access.wanted, time), version };
}

function noteOf({ name, file, plan }: Drawn, version: string, nodes: readonly ReaderNode[]): SecretNote {
  const { wanted, added, removed, mute } = plan.access;
  return {
    name,
    file,
    version,
    changed: plan.work !== 'none',
    ...readersAmong(wanted, nodes),
    added: namesOf(added, nodes),
    removed: namesOf(removed, nodes),
    lack: mute,
  };
}
