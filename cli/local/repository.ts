/** The bare repository of a new cluster: branch `main` with a first commit, so that a clone can push at once. */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SimpleGit, simpleGit } from 'simple-git';

/** Creates the repository with the given files, unless something is there. True when it was created. */
export async function ensureRepository(path: string, files: Readonly<Record<string, string>>): Promise<boolean> {
  if (await isThere(join(path, 'HEAD'))) return false;
  const folder = await mkdtemp(join(tmpdir(), 'oakctl-repository-'));
  try {
    const git = openWorkingCopy(folder);
    await git.raw(['init', '--quiet', '--initial-branch=main']);
    await setIdentity(git);
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    await git.raw(['add', '--', ...Object.keys(files)]);
    await git.raw(['commit', '--quiet', '-m', 'First commit']);
    await git.raw(['clone', '--quiet', '--bare', folder, path]);
    await simpleGit({ baseDir: path }).raw(['remote', 'remove', 'origin']);
    return true;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Git in a folder of ours. */
export function openWorkingCopy(folder: string): SimpleGit {
  return simpleGit({ baseDir: folder, trimmed: true });
}

/** Commits in folders of ours carry our name: the user may not have one, and must not be asked to sign. */
export async function setIdentity(git: SimpleGit): Promise<void> {
  await git.addConfig('user.name', 'oakctl');
  await git.addConfig('user.email', 'oakctl@localhost');
  await git.addConfig('commit.gpgsign', 'false');
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
