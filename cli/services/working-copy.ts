/** The user's own working copy of the cluster's repository: found by its remotes, written to with the user's identity. */
import { realpath } from 'node:fs/promises';
import type { SimpleGit } from 'simple-git';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { SourceView } from '../../schemas/views.ts';

export interface WorkingCopy {
  readonly git: SimpleGit;
  readonly root: string;
  readonly source: SourceView;
  /** Name of the remote that is the source. Absent: the source is this repository itself. */
  readonly remote?: string;
}

/** The first of these folders that lies in a working copy of one of the sources. REFUSED when none does. */
export async function findWorkingCopy(
  folders: readonly string[],
  sources: readonly SourceView[],
  signal: AbortSignal,
): Promise<WorkingCopy> {
  for (const folder of folders) {
    const found = await openWorkingCopy(folder, sources, signal);
    if (found) return found;
  }
  const urls = sources.map(({ url }) => url).join(', ');
  throw new ProblemError(
    problem('REFUSED', `${folders.join(' and ')}: no working copy of the cluster's repository`, {
      hint: urls ? `run it inside a clone of ${urls}, or name one by \`--repo\`` : 'the cluster has no git source',
    }),
  );
}

/** The working copy around a folder if one of its remotes, or itself, is a source. Git is stopped by the signal. */
async function openWorkingCopy(
  folder: string,
  sources: readonly SourceView[],
  signal: AbortSignal,
): Promise<WorkingCopy | undefined> {
  const { simpleGit } = await import('simple-git');
  const git = simpleGit({ baseDir: folder, abort: signal, trimmed: true });
  const root = await git.revparse(['--show-toplevel']).catch(() => undefined);
  if (root === undefined) return undefined;
  const inRoot = simpleGit({ baseDir: root, abort: signal, trimmed: true });
  for (const { name, refs } of await inRoot.getRemotes(true)) {
    for (const source of sources) {
      if (await sameUrl(refs.push || refs.fetch, source.url)) return { git: inRoot, root, source, remote: name };
    }
  }
  for (const source of sources) if (await sameUrl(root, source.url)) return { git: inRoot, root, source };
  return undefined;
}

/** Same repository? Local ones by real path, others by their text without user, `.git` and slashes at the end. */
export async function sameUrl(a: string, b: string): Promise<boolean> {
  const [left, right] = await Promise.all([canonicalUrl(a), canonicalUrl(b)]);
  return left === right;
}

async function canonicalUrl(url: string): Promise<string> {
  const path = url.startsWith('file://') ? decodeURIComponent(new URL(url).pathname) : url;
  if (path.startsWith('/')) return realpath(path).catch(() => path);
  const scp = /^(?:[^@/]+@)?([^:/]+):(?!\/\/)(.+)$/.exec(url);
  const bare = scp ? `${scp[1]}/${scp[2]}` : url.replace(/^[a-z+]+:\/\//, '').replace(/^[^@/]+@/, '');
  return bare
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .toLowerCase();
}

/** REFUSED unless the branch is checked out that the cluster follows. */
export async function requireBranch({ git, source: { branch } }: WorkingCopy): Promise<void> {
  const current = await git.raw(['symbolic-ref', '--quiet', '--short', 'HEAD']).catch(() => 'no branch');
  if (current.trim() === branch) return;
  throw new ProblemError(
    problem('REFUSED', `the working copy is on ${current.trim()}, the cluster follows ${branch}`, {
      hint: `\`git switch ${branch}\` first`,
    }),
  );
}

/** Commits these paths, and nothing else of what the user has changed. False: they are as committed. REFUSED when git does not. */
export async function commitFiles({ git }: WorkingCopy, files: readonly string[], message: string): Promise<boolean> {
  await git.raw(['add', '--', ...files]);
  if ((await git.raw(['status', '--porcelain', '--', ...files])).trim() === '') return false;
  await git.raw(['commit', '--quiet', '-m', message, '--', ...files]).catch((error: Error) => {
    throw refused('git commit failed', error);
  });
  return true;
}

/** Pushes where there is something to push to, and answers the head. REFUSED when the remote refuses. */
export async function pushHead(copy: WorkingCopy): Promise<string> {
  await pushCommit(copy, 'HEAD');
  return (await copy.git.revparse(['HEAD'])).trim();
}

/** As {@link pushHead}, for one commit. */
export async function pushCommit({ git, remote, source }: WorkingCopy, commit: string): Promise<void> {
  if (remote === undefined) return;
  await git.raw(['push', '--quiet', remote, `${commit}:refs/heads/${source.branch}`]).catch((error: Error) => {
    throw refused(`git push to ${remote} failed`, error, '`git pull --rebase`, then again');
  });
}

function refused(what: string, error: Error, hint?: string): ProblemError {
  const said = error.message.trim().split('\n').slice(-3).join(' ');
  return new ProblemError(problem('REFUSED', `${what}: ${said}`, hint ? { hint } : {}), { cause: error });
}
