/** A git source: a bare mirror on disk, read by object id and never checked out. */
import type { Log } from '../../schemas/io/log.ts';
import { type Problem, ProblemError, problem } from '../../schemas/problem.ts';
import type { Git, TreeEntry } from '../ports.ts';
import { createGitRunner, type GitResult, type RunGit } from './command.ts';
import { createMirror, type Mirror, type Reading } from './mirror.ts';
import { isHostilePath, parseRefs } from './objects.ts';
import { checkRef, isCommitId, parseRemote, type Remote, treePath } from './remote.ts';
import { watchRefs } from './watch.ts';

export interface GitSourceOptions {
  readonly name: string;
  readonly url: string;
  /** A branch, a tag, or a full commit id. */
  readonly branch: string;
  /** Of this source alone, below state/; may be removed at any time. */
  readonly folder: string;
  readonly log?: Log;
}

/** More files than this below the source's path are refused. */
export const maxFiles = 10_000;
/** A larger file is not read: no descriptor is that long. Its entry and size stay in the tree. */
export const maxBlobBytes = 256 * 1024;
/** All files of one call together. */
export const maxTotalBytes = 32 * 1024 * 1024;

interface Context {
  readonly name: string;
  readonly remote: Remote;
  readonly ref: string;
  readonly run: RunGit;
  readonly mirror: Mirror;
  readonly log: Log;
}

/** Throws SETTINGS_INVALID for a URL or ref that git must not get. Nothing is done before the first call. */
export function createGitSource({ name, url, branch, folder, log = () => undefined }: GitSourceOptions): Git {
  const remote = parseRemote(name, url);
  const ref = checkRef(name, branch);
  const run = createGitRunner(folder);
  const mirror = createMirror(folder, remote.url, run);
  const context: Context = { name, remote, ref, run, mirror, log };
  /** The commit that was read last: the one to ask for when its blobs turn out to be damaged. */
  let current: string | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  /** Whatever touches the mirror comes one after the other: a new mirror must not pull it away from under a reader. */
  const inOrder = <T>(work: () => Promise<T>): Promise<T> => {
    const next = turn.then(work, work).catch((error: unknown) => {
      throw diskProblem(context, error);
    });
    turn = next.catch(() => undefined);
    return next;
  };

  return {
    head: (signal) =>
      askHead(context, signal).catch((error: unknown) => {
        throw diskProblem(context, error);
      }),
    fetch: (commit, signal) =>
      inOrder(async () => {
        if (!(await mirror.exists()) || !(await mirror.has(commit, signal))) await obtain(context, commit, signal);
      }),
    tree: (commit, path, signal) =>
      inOrder(async () => {
        const below = treePath(path);
        if (below === undefined)
          throw fail(name, 'SOURCE_REF_MISSING', `the path ${JSON.stringify(path)} is not allowed`);
        const entries = await readOrHeal(context, commit, signal, () => mirror.tree(commit, below, signal));
        current = commit;
        return checkTree(name, commit, below, entries);
      }),
    blobs: (ids, signal) =>
      inOrder(async () => {
        const read = (wanted: readonly string[], what: 'sizes' | 'contents') =>
          readOrHeal(context, current, signal, () => mirror.blobs(wanted, what, signal));
        const wanted = [...new Set(ids)];
        const sizes = wanted.length > 0 ? await read(wanted, 'sizes') : [];
        const small = sizes.filter(({ size = 0 }) => size <= maxBlobBytes);
        const total = small.reduce((sum, { size = 0 }) => sum + size, 0);
        if (total > maxTotalBytes) {
          throw fail(name, 'SOURCE_HOSTILE', `the files have ${total} bytes, at most ${maxTotalBytes} are read`);
        }
        const texts =
          small.length > 0
            ? await read(
                small.map(({ id }) => id),
                'contents',
              )
            : [];
        return new Map(texts.map(({ id, content = '' }) => [id, content]));
      }),
    isAncestor: (commit, of, signal) =>
      inOrder(async () => {
        if (commit === of) return true;
        const { code, stdout } = await mirror.run(['merge-base', commit, of], signal);
        if (code === 0) return stdout.toString('latin1').trim() === commit;
        // 1: both are there and share nothing. Anything else: one of them is not there.
        return code === 1 ? false : undefined;
      }),
    describe: (commit, signal) =>
      inOrder(async () => {
        const { stdout } = await mirror.run(['show', '--no-patch', '--format=%an%x00%s', commit], signal);
        const [author = '', subject = ''] = stdout.toString('utf8').split('\0');
        return { author: printable(author), subject: printable(subject) };
      }),
    watch: (changed) =>
      remote.localPath === undefined ? () => undefined : watchRefs(remote.localPath, ref, changed, log),
  };
}

/** One request. SOURCE_UNREACHABLE, SOURCE_REF_MISSING. */
async function askHead({ name, remote, ref, run }: Context, signal: AbortSignal): Promise<string> {
  if (isCommitId(ref)) return ref;
  const names = [`refs/heads/${ref}`, `refs/tags/${ref}`, `refs/tags/${ref}^{}`];
  const result = await run({ args: ['ls-remote', '--', remote.url, ...names] }, signal);
  if (result.code !== 0) throw unreachable(name, remote, result);
  const refs = parseRefs(result.stdout);
  for (const candidate of [names[0], names[2], names[1]]) {
    const commit = refs.get(candidate ?? '');
    if (commit !== undefined) return commit;
  }
  throw fail(name, 'SOURCE_REF_MISSING', `${remote.shown} has no branch or tag ${ref}`, {
    disposition: 'retry',
    hint: `push it: git push origin ${ref}`,
  });
}

/**
 * Makes a commit available that the mirror does not give: by a fetch, or, when the remote answers and the fetch fails all the same,
 * in a new mirror. `anew` goes straight to the latter.
 */
async function obtain(context: Context, commit: string, signal: AbortSignal, anew = false): Promise<void> {
  const { name, remote, run, mirror, log } = context;
  const gone = (): ProblemError =>
    fail(name, 'SOURCE_REF_MISSING', `${remote.shown} does not have the commit ${commit}`, { disposition: 'retry' });
  const old = await mirror.exists();
  const fetched = old && !anew ? await mirror.fetch(commit, signal) : undefined;
  if (fetched?.code === 0 && (await mirror.has(commit, signal))) return;
  if (fetched && isUnknownCommit(fetched)) throw gone();
  // Nor does a full disk: a new mirror needs more room, not less.
  if (fetched && isDiskTrouble(fetched.complaint)) throw unwritable(context, fetched.complaint);
  // A remote that does not answer says nothing about the mirror.
  const answer = await run({ args: ['ls-remote', '--heads', '--', remote.url] }, signal);
  if (answer.code !== 0) throw unreachable(name, remote, answer);
  if (fetched) log('warn', 'the mirror is made anew', { source: name, reason: withoutUser(fetched.complaint, remote) });
  const made = await mirror.replace(commit, signal);
  if (made.code === 0) return;
  if (isUnknownCommit(made)) throw gone();
  if (isDiskTrouble(made.complaint)) throw unwritable(context, made.complaint);
  if (!old) throw unreachable(name, remote, made);
  const why = withoutUser(made.complaint, remote);
  throw fail(name, 'SOURCE_DAMAGED', `the mirror is damaged and cannot be made anew: ${why}`, { disposition: 'retry' });
}

/** Reads from the mirror; what it does not give is fetched, or read from a new mirror when it should have been there. */
async function readOrHeal<T>(
  context: Context,
  commit: string | undefined,
  signal: AbortSignal,
  read: () => Promise<Reading<T>>,
): Promise<T> {
  const first = await read();
  signal.throwIfAborted();
  if (first.ok) return first.value;
  const { name, mirror, log } = context;
  log('warn', 'the mirror does not give what was fetched', { source: name, reason: first.why });
  const wanted = commit ?? (await askHead(context, signal));
  await obtain(context, wanted, signal, await mirror.has(wanted, signal));
  const second = await read();
  if (second.ok) return second.value;
  throw fail(name, 'SOURCE_DAMAGED', `a new mirror does not help: ${second.why}`, { disposition: 'retry' });
}

function checkTree(name: string, commit: string, path: string, entries: readonly TreeEntry[]): readonly TreeEntry[] {
  if (path !== '' && entries.length === 0) {
    throw fail(name, 'SOURCE_REF_MISSING', `the path ${path} is not in commit ${commit.slice(0, 12)}`, {
      hint: 'was it renamed? cluster.yaml says which path of the repository to read',
    });
  }
  if (entries.length > maxFiles) {
    throw fail(name, 'SOURCE_HOSTILE', `there are ${entries.length} files, at most ${maxFiles} are read`, {
      hint: 'set a path of the source in cluster.yaml',
    });
  }
  const hostile = entries.find((entry) => isHostilePath(entry.path));
  if (hostile) throw fail(name, 'SOURCE_HOSTILE', `a file name is not allowed: ${JSON.stringify(hostile.path)}`);
  return entries;
}

function fail(name: string, code: Problem['code'], message: string, more: Partial<Problem> = {}): ProblemError {
  return new ProblemError(problem(code, message, { subject: `source/${name}`, ...more }));
}

function unreachable(name: string, remote: Remote, result: GitResult): ProblemError {
  const why = withoutUser(result.complaint, remote);
  return fail(name, 'SOURCE_UNREACHABLE', `${remote.shown} cannot be read: ${why}`, { disposition: 'retry' });
}

function isDiskTrouble(complaint: string): boolean {
  return /no space left on device|disk quota exceeded|read-only file system/i.test(complaint);
}

function unwritable({ name, remote }: Context, why: string): ProblemError {
  return fail(name, 'FILE_UNWRITABLE', `the mirror cannot be written: ${withoutUser(why, remote)}`, {
    disposition: 'retry',
    hint: 'free some space below state/: the last accepted commit stays in force until then',
  });
}

/** What the file system refuses is no bug; everything else passes. */
function diskProblem(context: Context, error: unknown): unknown {
  const code = error instanceof Error && 'syscall' in error && 'code' in error ? String(error.code) : undefined;
  return code === undefined ? error : unwritable(context, code);
}

/** The server does not give this commit: it was never there, or a force-push took it away. */
function isUnknownCommit(result: GitResult): boolean {
  return result.code !== 0 && /not our ref|unadvertised object|remote ref/i.test(result.complaint);
}

/** git repeats the URL in its complaints, and a URL may hold a password. */
function withoutUser(text: string, remote: Remote): string {
  return text.replaceAll(remote.url, remote.shown).replace(/\/\/[^/@\s]+@/g, '//');
}

function printable(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}]/gu, ' ')
    .trim()
    .slice(0, 255);
}
