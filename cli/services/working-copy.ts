/** The user's own working copy of the cluster's repository: found by its remotes, written to with the user's identity. */
import { lstat, mkdir, realpath, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { SimpleGit } from 'simple-git';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { SourceView } from '../../schemas/views.ts';

export interface WorkingCopy {
  readonly git: SimpleGit;
  readonly root: string;
  readonly source: SourceView;
  /** Name of the remote that is the source. Absent: the source is this repository itself. */
  readonly remote?: string;
  /** `Name <mail>` of who commits; default: as git is configured. */
  readonly author?: string;
  /** Made for one commit, and gone after it. */
  readonly isTemporary?: true;
}

/** As {@link findWorkingCopy}. REFUSED when there is none. */
export async function requireWorkingCopy(
  folders: readonly string[],
  sources: readonly SourceView[],
  signal: AbortSignal,
): Promise<WorkingCopy> {
  const found = await findWorkingCopy(folders, sources, signal);
  if (found) return found;
  const urls = sources.map(({ url }) => url).join(', ');
  throw new ProblemError(
    problem('REFUSED', `${folders.join(' and ')}: no working copy of the cluster's repository`, {
      hint: urls ? `run it inside a clone of ${urls}, or name one by \`--repo\`` : 'the cluster has no git source',
    }),
  );
}

/** The first of these folders that lies in a working copy of one of the sources. */
export async function findWorkingCopy(
  folders: readonly string[],
  sources: readonly SourceView[],
  signal: AbortSignal,
): Promise<WorkingCopy | undefined> {
  for (const folder of folders) {
    const found = await openWorkingCopy(folder, sources, signal);
    if (found) return found;
  }
  return undefined;
}

/** The user's git in a folder. It has failed when it says so: a hook may refuse without a word. */
export async function gitIn(folder: string, signal: AbortSignal): Promise<SimpleGit> {
  const { simpleGit } = await import('simple-git');
  return simpleGit({
    baseDir: folder,
    abort: signal,
    trimmed: true,
    errors: (error, { exitCode, stdErr }) => {
      if (error || exitCode === 0) return error;
      return stdErr.length > 0 ? Buffer.concat(stdErr) : Buffer.from(`git ended with ${exitCode}`);
    },
  });
}

/** The working copy around a folder if one of its remotes, or itself, is a source. Git is stopped by the signal. */
async function openWorkingCopy(
  folder: string,
  sources: readonly SourceView[],
  signal: AbortSignal,
): Promise<WorkingCopy | undefined> {
  const git = await gitIn(folder, signal);
  const root = await git.revparse(['--show-toplevel']).catch(() => undefined);
  if (root === undefined) return undefined;
  const inRoot = await gitIn(root, signal);
  for (const { name, refs } of await inRoot.getRemotes(true)) {
    for (const source of sources) {
      const url = refs.push || refs.fetch;
      if (url && (await sameUrl(url, source.url))) return { git: inRoot, root, source, remote: name };
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

/** Writes a file of the repository, and never through a link that leads out of it. REFUSED. */
export async function putFile(root: string, file: string, text: string): Promise<void> {
  const path = join(root, file);
  const isLink = await lstat(path).then(
    (info) => info.isSymbolicLink(),
    () => false,
  );
  if (isLink || relative(await realpath(root), await nearest(dirname(path))).startsWith('..')) {
    throw new ProblemError(problem('REFUSED', 'the repository has a link there', { file }));
  }
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** Where a folder really is, or the next one above it that is there. */
async function nearest(folder: string): Promise<string> {
  return realpath(folder).catch(() => nearest(dirname(folder)));
}

/** Commits these paths, and nothing else of what the user has changed. False: they are as committed. REFUSED when git does not. */
export async function commitFiles(copy: WorkingCopy, files: readonly string[], message: string): Promise<boolean> {
  const { git } = copy;
  await git.raw(['add', '--', ...files]);
  if ((await git.raw(['status', '--porcelain', '--', ...files])).trim() === '') return false;
  await git.raw([...identityOf(copy), 'commit', '--quiet', '-m', message, '--', ...files]).catch((error: Error) => {
    const isNobody = /user\.(name|email)|ident/i.test(error.message);
    const hint = '`git config --global user.name` and `user.email` say who you are, or `--author "Name <mail>"`';
    throw refused('git commit failed', error, isNobody ? hint : undefined);
  });
  return true;
}

/** Settings for one command of git. USAGE for what is no `Name <mail>`. */
function identityOf({ author }: WorkingCopy): string[] {
  if (author === undefined) return [];
  const [, name, mail] = /^([^<>\p{Cc}]*[^<>\p{Cc}\s])\s*<([^<>\s\p{Cc}]+)>$/u.exec(author) ?? [];
  if (name === undefined || mail === undefined) {
    const hint = 'write --author "Ada Lovelace <ada@example.org>"';
    throw new ProblemError(problem('USAGE', `\`${author}\` is no name with an address`, { hint }));
  }
  return ['-c', `user.name=${name}`, '-c', `user.email=${mail}`];
}

/** Pushes where there is something to push to, and answers the head. REFUSED when the remote refuses. */
export async function pushHead(copy: WorkingCopy): Promise<string> {
  await pushCommit(copy, 'HEAD');
  return (await copy.git.revparse(['HEAD'])).trim();
}

/** As {@link pushHead}, for one commit. Nothing is ever forced. */
export async function pushCommit(copy: WorkingCopy, commit: string): Promise<void> {
  const { git, remote, source } = copy;
  if (remote === undefined) return;
  await git.raw(['push', '--quiet', remote, `${commit}:refs/heads/${source.branch}`]).catch((error: Error) => {
    throw refused(`git push to ${source.url} failed`, error, pushHint(copy, error.message));
  });
}

/** A remote that does not want this commit says so in many ways; whoever is only late can come again. */
function pushHint({ source: { branch }, isTemporary }: WorkingCopy, said: string): string {
  if (/remote rejected|protected|declined|denied|forbidden|not allowed|\b40[13]\b|read Username|unpacker/i.test(said))
    return `you may not push to ${branch} there: ask for the right, or have somebody merge the change`;
  return isTemporary ? 'somebody else pushed meanwhile, twice; again' : '`git pull --rebase`, then again';
}

/** What git says about everything, and tells nobody anything. */
const chatter = /^(To |hint:|error: failed to push|Cloning into|remote:\s*$)/;

/** REFUSED, with the last of what git said. */
export function refused(what: string, error: Error, hint?: string): ProblemError {
  const lines = error.message.split('\n').map((line) => line.trim());
  const said = lines.filter((line) => line !== '' && !chatter.test(line)).slice(-4);
  return new ProblemError(problem('REFUSED', `${what}: ${said.join('; ')}`, hint ? { hint } : {}), { cause: error });
}
