/** A git source: a bare mirror on disk, read by object id and never checked out. */
import { isProblemError, type ProblemError } from '../../schemas/problem.ts';
import type { Git, TreeEntry } from '../ports.ts';
import type { GitResult } from './command.ts';
import { meaningOf } from './complaint.ts';
import { type Mirror, maxBlobBytes, type Reading, type Wanted } from './mirror.ts';
import { isHostilePath, parseRefs } from './objects.ts';
import { diskProblem, fail, unreachable, unwritable, withoutUser } from './refusals.ts';
import { checkRef, isCommitId, type Remote, treePath } from './remote.ts';
import type { GitRepository } from './repository.ts';
import { unsignedCommits } from './signatures.ts';
import { watchRefs } from './watch.ts';

export interface GitSourceOptions {
  readonly name: string;
  readonly repository: GitRepository;
  /** A branch, a tag, or a full commit id. */
  readonly branch: string;
}

/** More files than this below the source's path are refused. */
export const maxFiles = 10_000;
/** All files of one call together. */
export const maxTotalBytes = 32 * 1024 * 1024;
/** How far back is looked for an older commit, step by step: almost always the first is enough, and the last is far. */
const depths = [64, 1_024, 8_192] as const;

interface Context {
  readonly name: string;
  readonly ref: string;
  readonly repository: GitRepository;
  readonly remote: Remote;
  readonly mirror: Mirror;
}

/** Throws SETTINGS_INVALID for a ref that git must not get. Nothing is done before the first call. */
export function createGitSource({ name, repository, branch }: GitSourceOptions): Git {
  const { remote, mirror } = repository;
  const ref = checkRef(name, branch);
  const context: Context = { name, ref, repository, remote, mirror };
  /** The commit that was read last: the one to ask for when its blobs turn out to be damaged. */
  let current: string | undefined;
  /** Blobs of older commits that a new mirror did not bring back: it is not made again for them. */
  const gone = new Set<string>();

  const inOrder = <T>(work: () => Promise<T>): Promise<T> =>
    repository.inOrder(work).catch((error: unknown) => {
      throw diskProblem(context, error);
    });

  const textsOf = async (ids: readonly string[], signal: AbortSignal): Promise<Map<string, string>> => {
    const read = (wanted: readonly string[], what: 'sizes' | 'contents') =>
      readOrHeal(context, current, signal, () => mirror.blobs(wanted, what, signal));
    const wanted = [...new Set(ids)];
    const sizes = wanted.length > 0 ? await read(wanted, 'sizes') : [];
    const small = sizes.filter(({ size = 0 }) => size <= maxBlobBytes).map(({ id }) => id);
    const total = sizes.reduce((sum, { size = 0 }) => sum + (size <= maxBlobBytes ? size : 0), 0);
    if (total > maxTotalBytes) {
      throw fail(name, 'SOURCE_HOSTILE', `the files have ${total} bytes, at most ${maxTotalBytes} are read`);
    }
    const texts = small.length > 0 ? await read(small, 'contents') : [];
    return new Map(texts.map(({ id, content = '' }) => [id, content]));
  };

  return {
    head: (signal) =>
      askHead(context, signal).catch((error: unknown) => {
        throw diskProblem(context, error);
      }),
    fetch: (commit, signal) =>
      inOrder(async () => {
        if (!(await mirror.exists(commit)) || !(await mirror.has(commit, signal)))
          await obtain(context, commit, signal);
      }),
    tree: (commit, path, signal) =>
      inOrder(async () => {
        const below = treePath(path);
        if (below === undefined)
          throw fail(name, 'SOURCE_REF_MISSING', `the path ${JSON.stringify(path)} is not allowed`);
        const files = await readOrHeal(context, commit, signal, () => mirror.tree(commit, below, signal));
        current = commit;
        if (!files.whole) throw tooMany(name, `more than ${files.entries.length}`);
        return checkTree(name, commit, below, files.entries);
      }),
    blobs: (ids, signal) => inOrder(() => textsOf(ids, signal)),
    oldBlobs: (ids, signal) =>
      inOrder(async () => {
        const known = ids.filter((id) => gone.has(id));
        const back = known.length > 0 ? await mirror.present(known, signal) : [];
        const wanted = [...ids.filter((id) => !gone.has(id)), ...back];
        try {
          return await textsOf(wanted, signal);
        } catch (error) {
          if (!isProblemError(error) || error.problem.code !== 'SOURCE_DAMAGED') throw error;
          const present = new Set(await mirror.present(wanted, signal));
          const lost = wanted.filter((id) => !present.has(id));
          if (lost.length === 0) throw error;
          for (const id of lost) gone.add(id);
          repository.log('warn', 'older versions of files are gone', { source: name, files: lost.length });
          return textsOf([...present], signal);
        }
      }),
    isAncestor: (commit, of, signal) =>
      inOrder(async () => (commit === of ? true : descends(context, commit, of, signal))),
    describe: (commit, signal) =>
      inOrder(async () => {
        const read = await mirror.commit(commit, signal);
        if (read) return { author: printable(read.author), subject: printable(read.subject) };
        const { stdout } = await mirror.run(['show', '--no-patch', '--format=%an%x00%s', commit], signal);
        const [author = '', subject = ''] = stdout.toString('utf8').split('\0');
        return { author: printable(author), subject: printable(subject) };
      }),
    trailers: (key, since, commit, signal) =>
      inOrder(async () => {
        const format = `--format=%(trailers:key=${key},valueonly,unfold)`;
        const range = ['--max-count=1000', commit, `^${since}`, '--'];
        const { code, stdout } = await mirror.run(['log', '--no-show-signature', format, ...range], signal);
        const lines = code === 0 ? stdout.toString('utf8').split('\n') : [];
        return lines.map(printable).filter((line) => line !== '');
      }),
    unsigned: (signers, commit, since, signal) =>
      inOrder(() =>
        unsignedCommits(context, { signers, commit, since }, (look) => deepened(context, commit, signal, look), signal),
      ),
    watch: (changed) =>
      remote.localPath === undefined ? () => undefined : watchRefs(remote.localPath, ref, changed, repository.log),
  };
}

/** One request. SOURCE_UNREACHABLE, SOURCE_DENIED, SOURCE_LIMITED, SOURCE_REF_MISSING. */
async function askHead({ name, ref, repository, remote }: Context, signal: AbortSignal): Promise<string> {
  if (isCommitId(ref)) return ref;
  const result = await repository.refs(signal);
  if (result.code !== 0) throw unreachable(name, remote, result);
  const refs = parseRefs(result.stdout);
  for (const candidate of [`refs/heads/${ref}`, `refs/tags/${ref}^{}`, `refs/tags/${ref}`]) {
    const commit = refs.get(candidate);
    if (commit !== undefined) return commit;
  }
  throw fail(name, 'SOURCE_REF_MISSING', `${remote.shown} has no branch or tag ${ref}`, {
    disposition: 'retry',
    hint: `push it: git push origin ${ref}`,
  });
}

/** Each source keeps the commit that it reads. */
function wantedOf({ name }: Context, commit: string): Wanted {
  return { commit, ref: `refs/oakctl/${name}` };
}

/**
 * Makes a commit available that the mirror does not give: by a fetch, or, when the remote answers and the fetch fails all the same,
 * in a new mirror. `anew` goes straight to the latter.
 */
async function obtain(context: Context, commit: string, signal: AbortSignal, anew = false): Promise<void> {
  const { name, repository, remote, mirror } = context;
  const wanted = wantedOf(context, commit);
  const old = await mirror.exists(commit);
  const fetched = old && !anew ? await mirror.fetch(wanted, signal) : undefined;
  if (fetched?.code === 0 && (await mirror.has(commit, signal))) return;
  if (fetched) refuseHopeless(context, commit, fetched);
  // A remote that does not answer says nothing about the mirror.
  const answer = await repository.refs(signal);
  if (answer.code !== 0) throw unreachable(name, remote, answer);
  if (fetched) {
    const reason = withoutUser(fetched.complaint, remote);
    repository.log('warn', 'the mirror is made anew', { source: name, reason });
  }
  const made = await mirror.replace(wanted, signal);
  if (made.code === 0) return;
  refuseHopeless(context, commit, made);
  if (!old) throw unreachable(name, remote, made);
  const why = withoutUser(made.complaint, remote);
  throw fail(name, 'SOURCE_DAMAGED', `the mirror is damaged and cannot be made anew: ${why}`, { disposition: 'retry' });
}

/** Throws what a new mirror would not make better: it needs more room, not less, and no other commits or credentials. */
function refuseHopeless(context: Context, commit: string, result: GitResult): void {
  const { name, remote } = context;
  if (result.code === 0) return;
  if (result.flooded) {
    throw fail(name, 'SOURCE_HOSTILE', `${remote.shown} sends more than is taken from a repository at once`, {
      disposition: 'retry',
      hint: 'large files belong elsewhere: a repository of descriptors is small',
    });
  }
  const meaning = meaningOf(result.complaint);
  if (meaning === 'disk') throw unwritable(context, result.complaint);
  if (meaning === 'denied' || meaning === 'limited') throw unreachable(name, remote, result);
  if (meaning === 'unknown_commit') {
    const message = `${remote.shown} does not have the commit ${commit}`;
    throw fail(name, 'SOURCE_REF_MISSING', message, { disposition: 'retry' });
  }
}

/** undefined: the history is not there, or longer than is looked at. */
async function descends(
  context: Context,
  commit: string,
  of: string,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const { mirror, repository } = context;
  const found = await deepened(context, of, signal, () =>
    repository.history.descent(commit, of, async (ids) => {
      // Most pushes are one commit on top of the accepted one.
      const head = ids[0] === of ? await mirror.commit(of, signal) : undefined;
      return head ? new Map([[of, head.parents]]) : mirror.parents(ids, signal);
    }),
  );
  return found === 'missing' ? undefined : found === 'descends';
}

/** Looks, and again with ever more of what is before `of`, until nothing is missing or there is no more. Problems of the remote pass. */
async function deepened<T>(
  context: Context,
  of: string,
  signal: AbortSignal,
  look: () => Promise<T | 'missing'>,
): Promise<T | 'missing'> {
  const { name, remote, mirror } = context;
  let found = await look();
  for (const depth of depths) {
    if (found !== 'missing') break;
    const fetched = await mirror.fetch(wantedOf(context, of), signal, depth);
    if (fetched.flooded || (fetched.code !== 0 && meaningOf(fetched.complaint) === 'unknown_commit')) break;
    if (fetched.code !== 0) throw unreachable(name, remote, fetched);
    found = await look();
  }
  return found;
}

/**
 * Reads from the mirror; what it does not give is fetched, or read from a new mirror when it should have been there, or looked for
 * in the history.
 */
async function readOrHeal<T>(
  context: Context,
  commit: string | undefined,
  signal: AbortSignal,
  read: () => Promise<Reading<T>>,
): Promise<T> {
  const first = await read();
  signal.throwIfAborted();
  if (first.ok) return first.value;
  const { name, mirror, repository } = context;
  repository.log('warn', 'the mirror does not give what was fetched', { source: name, reason: first.why });
  const wanted = commit ?? (await askHead(context, signal));
  await obtain(context, wanted, signal, await mirror.has(wanted, signal));
  const second = await read();
  if (second.ok) return second.value;
  for (const depth of depths) {
    const fetched = await mirror.fetch(wantedOf(context, wanted), signal, depth);
    if (fetched.flooded || (fetched.code !== 0 && meaningOf(fetched.complaint) === 'unknown_commit')) break;
    if (fetched.code !== 0) throw unreachable(name, context.remote, fetched);
    const older = await read();
    if (older.ok) return older.value;
  }
  throw fail(name, 'SOURCE_DAMAGED', `a new mirror does not help: ${second.why}`, { disposition: 'retry' });
}

function checkTree(name: string, commit: string, path: string, entries: readonly TreeEntry[]): readonly TreeEntry[] {
  if (path !== '' && entries.length === 0) {
    throw fail(name, 'SOURCE_REF_MISSING', `the path ${path} is not in commit ${commit.slice(0, 12)}`, {
      hint: 'was it renamed? cluster.yaml says which path of the repository to read',
    });
  }
  if (entries.length > maxFiles) throw tooMany(name, String(entries.length));
  const hostile = entries.find((entry) => isHostilePath(entry.path));
  if (hostile) throw fail(name, 'SOURCE_HOSTILE', `a file name is not allowed: ${JSON.stringify(hostile.path)}`);
  return entries;
}

function tooMany(name: string, files: string): ProblemError {
  return fail(name, 'SOURCE_HOSTILE', `there are ${files} files, at most ${maxFiles} are read`, {
    hint: 'set a path of the source in cluster.yaml',
  });
}

function printable(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}]/gu, ' ')
    .trim()
    .slice(0, 255)
    .toWellFormed();
}
