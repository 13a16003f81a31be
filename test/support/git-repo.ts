import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const exec = promisify(execFile);

/** Files of a commit: text, or `undefined` to remove it. */
export type Changes = Readonly<Record<string, string | undefined>>;

/** A working copy as a user has it, of a remote that may be empty. */
export interface GitRepo {
  readonly folder: string;
  /** Writes and removes files, commits, pushes. Returns the commit. */
  push(changes: Changes, message?: string): Promise<string>;
  /** Removes everything that is tracked, then as `push`. */
  replace(files: Readonly<Record<string, string>>, message?: string): Promise<string>;
  git(...args: string[]): Promise<string>;
}

/** git with an identity of its own and without the configuration of this machine. */
export async function git(folder: string, ...args: string[]): Promise<string> {
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.org', '-c', 'init.defaultBranch=main'];
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0' };
  const { stdout } = await exec('git', [...identity, ...args], { cwd: folder, env });
  return stdout.trim();
}

/** Clones `remote` into a new folder; an empty remote gives a repository whose first push makes `branch`. */
export async function cloneRepository(remote: string, branch = 'main'): Promise<GitRepo> {
  const folder = await mkdtemp(join(tmpdir(), 'oakctl-clone-'));
  await git(folder, 'clone', '--quiet', remote, '.');
  await git(folder, 'checkout', '--quiet', '-B', branch);

  const commitAndPush = async (changes: Changes, message: string): Promise<string> => {
    for (const [path, text] of Object.entries(changes)) {
      const file = join(folder, path);
      if (text === undefined) await rm(file, { recursive: true, force: true });
      else {
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, text);
      }
    }
    await git(folder, 'add', '--all');
    await git(folder, 'commit', '--quiet', '--allow-empty', '-m', message);
    await git(folder, 'push', '--quiet', '--force', 'origin', `HEAD:${branch}`);
    return git(folder, 'rev-parse', 'HEAD');
  };

  return {
    folder,
    push: (changes, message = 'change') => commitAndPush(changes, message),
    replace: async (files, message = 'replace') => {
      await git(folder, 'rm', '-r', '--quiet', '--ignore-unmatch', '.');
      return commitAndPush(files, message);
    },
    git: (...args) => git(folder, ...args),
  };
}
