/**
 * A clone of a source for one commit, for whoever has no working copy: made with the user's own git and its credentials, used,
 * and removed, whatever happens. Only the newest files are fetched; what is older comes when it is asked for.
 */
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { isProblemError, ProblemError, problem } from '../../schemas/problem.ts';
import type { SourceView } from '../../schemas/views.ts';
import { gitIn, refused, type WorkingCopy } from './working-copy.ts';

const prefix = 'oakctl-commit-';
/** ms after which a clone is nobody's any more: whoever made it was killed. */
const abandoned = 24 * 3_600_000;

/**
 * Answers what `work` answers of the clone. If somebody else has pushed meanwhile, `work` is done once more, on what is there then.
 * REFUSED when the source cannot be cloned, or has no branch to push to.
 */
export async function inTemporaryClone<T>(
  source: SourceView,
  author: string | undefined,
  signal: AbortSignal,
  work: (copy: WorkingCopy) => Promise<T>,
): Promise<T> {
  await sweep();
  const root = await mkdtemp(join(tmpdir(), prefix));
  try {
    const copy = { ...(await clone(source, root, signal)), ...(author !== undefined && { author }) };
    return await work(copy).catch(async (error: unknown) => {
      if (!isProblemError(error) || !(await isOvertaken(copy))) throw error;
      await copy.git.raw(['reset', '--quiet', '--hard', 'FETCH_HEAD']);
      return work(copy);
    });
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Removes what earlier ones of this user left behind. What cannot be removed is left to the next one. */
async function sweep(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => []);
  for (const path of names.filter((name) => name.startsWith(prefix)).map((name) => join(tmpdir(), name))) {
    const found = await lstat(path).catch(() => undefined);
    const isOurs = found?.isDirectory() === true && found.uid === process.getuid?.();
    if (isOurs && Date.now() - found.mtimeMs > abandoned) await rm(path, { recursive: true }).catch(() => undefined);
  }
}

async function clone(source: SourceView, root: string, signal: AbortSignal): Promise<WorkingCopy> {
  const { url, branch } = source;
  requireUrl(url);
  const git = await gitIn(root, signal);
  const how = ['--quiet', '--single-branch', '--no-tags', '--filter=blob:none', `--branch=${branch}`];
  await git.raw(['clone', ...how, '--', url, '.']).catch((error: Error) => {
    signal.throwIfAborted();
    const where = isAbsolute(url)
      ? 'it is a folder of the machine of the reconciler'
      : 'git must be let in there by itself';
    const hint = `${where}; \`--repo\` names a working copy that you have`;
    throw refused(`git clone of ${url} failed`, error, hint);
  });
  const head = await git.raw(['symbolic-ref', '--quiet', '--short', 'HEAD']).catch(() => '');
  if (head.trim() !== branch) {
    const message = `the source ${source.name} follows ${branch}, which is no branch: nothing can be pushed there`;
    throw new ProblemError(problem('REFUSED', message));
  }
  return { git, root, source, remote: 'origin', isTemporary: true };
}

/** Whoever answers as a reconciler names the URL: it must not be one that makes git run something. */
function requireUrl(url: string): void {
  const isPlain = isAbsolute(url) || /^(https|ssh|file):\/\/[^-]/.test(url) || /^[\w.-]+@[\w.-]+:[^-]/.test(url);
  if (isPlain && !/\p{Cc}/u.test(url)) return;
  throw new ProblemError(problem('REFUSED', `the URL of the source is none that is cloned: ${JSON.stringify(url)}`));
}

/** Has the branch moved on since it was cloned? Leaves where it is now in FETCH_HEAD. */
async function isOvertaken({ git, source }: WorkingCopy): Promise<boolean> {
  const base = await git.revparse([`refs/remotes/origin/${source.branch}`]).catch(() => undefined);
  const fetched = await git.raw(['fetch', '--quiet', 'origin', `refs/heads/${source.branch}`]).catch(() => undefined);
  return fetched !== undefined && base !== undefined && (await git.revparse(['FETCH_HEAD'])) !== base;
}
