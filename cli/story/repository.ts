/** A working copy of the cluster's repository, as a user has one. */
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type SimpleGit, simpleGit } from 'simple-git';
import { openWorkingCopy, setIdentity } from '../local/repository.ts';

export interface WorkingCopy {
  readonly folder: string;
  /** Writes (or, with undefined, removes) files, commits and pushes. Answers the head; a push without changes is none. */
  push(files: Readonly<Record<string, string | undefined>>, message: string): Promise<string>;
}

/** Clones the repository, or brings an existing clone to its head. */
export async function checkOut(repository: string, folder: string): Promise<WorkingCopy> {
  const isThere = await stat(join(folder, '.git')).then(
    () => true,
    () => false,
  );
  if (!isThere) await simpleGit().raw(['clone', '--quiet', repository, folder]);
  const git = openWorkingCopy(folder);
  if (isThere) await git.raw(['pull', '--quiet', '--rebase', '--autostash']);
  await setIdentity(git);
  return { folder, push: (files, message) => push(git, folder, files, message) };
}

async function push(
  git: SimpleGit,
  folder: string,
  files: Readonly<Record<string, string | undefined>>,
  message: string,
): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    if (content === undefined) await rm(join(folder, name));
    else await writeFile(join(folder, name), content);
  }
  await git.raw(['add', '--all', '--', ...Object.keys(files)]);
  const isChanged = (await git.raw(['status', '--porcelain', '--untracked-files=no'])).trim() !== '';
  if (isChanged) await git.raw(['commit', '--quiet', '-m', message]);
  await git.raw(['push', '--quiet', 'origin', 'HEAD:refs/heads/main']);
  return git.revparse(['HEAD']);
}
