/**
 * Verbs by commit: one value of a file of the working copy is changed in place, committed with the user's identity, and pushed. What
 * the user has not committed in that file is never mixed with it.
 */
import { readFile, rm, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, posix, relative } from 'node:path';
import type { DocumentText } from '../../schemas/api.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { ClusterStatus, SourceView } from '../../schemas/views.ts';
import { readFolder } from './documents.ts';
import { withReferences } from './references.ts';
import { inTemporaryClone } from './temporary-clone.ts';
import {
  commitFiles,
  findWorkingCopy,
  pushHead,
  putFile,
  requireBranch,
  requireWorkingCopy,
  type WorkingCopy,
} from './working-copy.ts';

/** Where a cluster's repository is, and which part of it the cluster reads. */
export interface Repository {
  readonly copy: WorkingCopy;
  readonly cluster: string;
  /** Several clusters read this repository, each its own folder, and `common/`. */
  readonly isShared: boolean;
}

/** Who asked for a commit, and why. */
export interface Asker extends CopyChoice {
  readonly actor: string;
  readonly reason?: string | undefined;
}

/** Which copy of the repository is changed, and as whom. */
export interface CopyChoice {
  /** The working copy; default: the one around this folder, else a temporary clone. */
  readonly repository?: string | undefined;
  /** Name of the source, where there are several. */
  readonly source?: string | undefined;
  /** `Name <mail>`; default: as git is configured. */
  readonly author?: string | undefined;
}

/** What a verb wrote to the repository. */
export interface CommitNote {
  readonly source: string;
  readonly commit: string;
  /** From the root of the repository. */
  readonly file: string;
  readonly line: number;
  /** False: the file said so already. */
  readonly changed: boolean;
}

/** What is to become of the repository: a commit, changes that whoever asked commits, or nothing at all. */
type Purpose = 'commit' | 'change' | 'look';

/**
 * Does the work in the working copy of a source: the one that is named, or around one of the folders; without any, in a temporary
 * clone (where it may be done twice), unless changes are to stay. What is committed goes to the branch that the cluster follows.
 * REFUSED. `owner`: which source it must be, if one must.
 */
export async function inRepository<T>(
  { sources, cluster }: Pick<ClusterStatus, 'sources' | 'cluster'>,
  how: CopyChoice & {
    readonly owner?: string | undefined;
    readonly folders?: readonly string[];
    readonly purpose?: Purpose;
  },
  signal: AbortSignal,
  work: (repository: Repository) => Promise<T>,
): Promise<T> {
  const { repository, author, folders = [process.cwd()], source = how.owner, purpose = 'commit' } = how;
  const chosen = source === undefined ? sources : sources.filter(({ name }) => name === source);
  const use = async (copy: WorkingCopy): Promise<T> => {
    const clusters = await stat(join(copy.root, copy.source.path, 'clusters')).catch(() => undefined);
    return work({ copy, cluster, isShared: clusters?.isDirectory() ?? false });
  };
  const found = await (repository === undefined && purpose !== 'change'
    ? findWorkingCopy(folders, chosen, signal)
    : requireWorkingCopy(repository === undefined ? folders : [repository], chosen, signal));
  if (!found) return inTemporaryClone(oneOf(chosen, sources), author, signal, use);
  if (purpose === 'commit') await requireBranch(found);
  return use({ ...found, ...(author !== undefined && { author }) });
}

function oneOf(chosen: readonly SourceView[], all: readonly SourceView[]): SourceView {
  const [first, ...others] = chosen;
  if (first && others.length === 0) return first;
  const names = all.map(({ name }) => name).join(', ');
  if (all.length === 0) throw new ProblemError(problem('REFUSED', 'the cluster has no git source'));
  const message = first
    ? 'the cluster has several sources, and this could go to each'
    : 'the cluster has no such source';
  throw new ProblemError(
    problem('REFUSED', `${message}: ${names}`, { hint: '`--source` names one, or `--repo` a working copy' }),
  );
}

/** Files that the cluster reads, as it names them. `first`: is looked at before all others. */
export async function* filesOf(repository: Repository, first?: string): AsyncIterable<DocumentText> {
  const { copy } = repository;
  const { root } = copy;
  if (first !== undefined && (await isFile(join(root, first)))) yield readDocument(copy, first);
  for (const folder of rootsOf(repository)) {
    if (!(await stat(join(root, folder)).catch(() => undefined))) continue;
    for (const { file, text, files } of await readFolder(join(root, folder))) {
      // Of a patch it is told whole.
      const path = isAbsolute(file) ? relative(root, file) : posix.join(folder, file);
      if (path !== first) yield { file: path, text, ...(files && { files }) };
    }
  }
}

/** The folders that the cluster reads, its own before what it shares with others. */
export function rootsOf({ copy: { source }, cluster, isShared }: Repository): readonly string[] {
  return (isShared ? [`clusters/${cluster}`, 'common'] : ['']).map((below) => posix.join(source.path, below));
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

/** One file of the repository, with what it takes in. */
async function readDocument({ root }: WorkingCopy, file: string): Promise<DocumentText> {
  const text = await readFile(join(root, file), 'utf8');
  return withReferences({ file, text }, dirname(join(root, file)));
}

/** Does no other cluster read this file? */
export function isOwn({ copy, cluster, isShared }: Repository, file: string): boolean {
  return !isShared || file.startsWith(posix.join(copy.source.path, 'clusters', cluster, '/'));
}

/** REFUSED when other clusters read the file, too: `line` of what would be changed for all of them. */
export function requireOwn(repository: Repository, file: string, line: number): void {
  if (isOwn(repository, file)) return;
  const { cluster } = repository;
  const message = `every cluster of the repository reads it: a commit would change more than ${cluster}`;
  const hint = `change it there for all, or move it to clusters/${cluster}/; without --commit it is for this cluster alone`;
  throw new ProblemError(problem('REFUSED', message, { file, line, hint }));
}

/** REFUSED while the file has changes that are not committed: they would go with ours. */
export async function requireClean({ copy: { git } }: Repository, file: string): Promise<void> {
  if ((await git.raw(['status', '--porcelain', '--', file])).trim() === '') return;
  const hint = 'commit them, or `git stash` them, then again';
  throw new ProblemError(problem('REFUSED', 'it has changes that are not committed', { file, hint }));
}

export interface Change {
  readonly file: string;
  readonly line: number;
  /** Absent: there was no such file. */
  readonly before?: string | undefined;
  readonly text: string;
}

/** As {@link commitChanges}, of one file. */
export async function commitChange(
  repository: Repository,
  { subject, ...change }: Change & { readonly subject: string },
  asker: Asker,
): Promise<CommitNote> {
  const [note] = await commitChanges(repository, [change], subject, asker);
  return note as CommitNote;
}

/**
 * Writes, makes one commit of it, pushes; pushes also what was committed before and did not get there. The files are as they were if
 * git refuses. `subject`: first line of the message.
 */
export async function commitChanges(
  { copy }: Repository,
  changes: readonly Change[],
  subject: string,
  asker: Asker,
): Promise<readonly CommitNote[]> {
  const others = changes.filter(({ before, text }) => text !== before);
  let changed = false;
  if (others.length > 0) {
    await requireAsRead(copy, others);
    const files = others.map(({ file }) => file);
    const undo = async (error: unknown): Promise<never> => {
      for (const change of others) await putBack(copy, change);
      throw error;
    };
    changed = await putAll(copy, others)
      .then(() => commitFiles(copy, files, messageOf(subject, asker)))
      .catch(undo);
  }
  const commit = await pushHead(copy);
  return changes.map((change) => {
    const { file, line } = change;
    return { source: copy.source.name, commit, file, line, changed: changed && others.includes(change) };
  });
}

/** Writes them into the working copy, all or none. REFUSED when one of them is not as it was read. */
export async function putChanges(copy: WorkingCopy, changes: readonly Change[]): Promise<void> {
  const others = changes.filter(({ before, text }) => text !== before);
  await requireAsRead(copy, others);
  await putAll(copy, others);
}

async function putAll({ root }: WorkingCopy, changes: readonly Change[]): Promise<void> {
  for (const { file, text } of changes) await putFile(root, file, text);
}

/** Questions take their time: what somebody else wrote meanwhile is not written over, nor put back as it was before. */
async function requireAsRead({ root }: WorkingCopy, changes: readonly Change[]): Promise<void> {
  for (const { file, before } of changes) {
    const now = await readFile(join(root, file), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (now === before) continue;
    const hint = 'the same command again starts from what is there now';
    throw new ProblemError(problem('REFUSED', 'somebody changed it meanwhile: nothing was written', { file, hint }));
  }
}

async function putBack({ root, git }: WorkingCopy, { file, before }: Change): Promise<void> {
  if (before === undefined) {
    await rm(join(root, file), { force: true });
    await git.raw(['rm', '--quiet', '--cached', '--ignore-unmatch', '--', file]);
  } else {
    await putFile(root, file, before);
    await git.raw(['add', '--', file]);
  }
}

/** Who and why stand in the message: git's author is whose working copy it is. */
function messageOf(subject: string, { actor, reason }: Asker): string {
  const why = reason === undefined ? [] : [reason.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim()];
  return [subject, ...why, `Asked-by: ${actor}`].join('\n\n');
}
