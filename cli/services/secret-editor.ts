/**
 * An editor on a text that no disk may have: in a folder in memory that is ours alone, and gone afterwards, however that ends. What a
 * killed process left there goes with the next one.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { lstat, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { folderInMemory, secretFolders } from '../../schemas/io/secret-folders.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { Env } from '../home.ts';
import type { OpenEditor } from './secret-edit.ts';

const prefix = 'edit-';

interface EditorDeps {
  readonly env: Env;
  /** Can vi be used? Another program may need none. Default: whether standard input is one. */
  readonly isTerminal?: boolean;
  /** In memory, the best first. Default: those of secrets, and one of this user alone. */
  readonly folders?: readonly string[];
}

/** `$VISUAL`, `$EDITOR`, or vi. USAGE where vi would wait for ever; SECRET_NO_MEMORY without a folder in memory; REFUSED when the editor fails. */
export function createEditor(
  { env, folders = ownFolders(env), isTerminal = process.stdin.isTTY }: EditorDeps,
  signal: AbortSignal,
): OpenEditor {
  const own = env['VISUAL'] || env['EDITOR'];
  const program = own || 'vi';
  if (!own && !isTerminal) {
    const hint = '`oakctl secret set` takes a value from standard input, or name a program by EDITOR';
    throw new ProblemError(problem('USAGE', 'there is no terminal for an editor', { hint }));
  }
  return async (name, text) => {
    const folder = await ownFolder(folders);
    const remove = (): void => rmSync(folder, { recursive: true, force: true });
    // A terminal that is closed ends the process without a word: the text must not outlive it.
    const hangUp = (): void => {
      remove();
      process.exit(129);
    };
    process.once('exit', remove);
    process.once('SIGHUP', hangUp);
    try {
      const file = join(folder, name);
      await writeFile(file, text, { mode: 0o600, flag: 'wx' });
      await run(program, file, signal);
      return await readBack(file);
    } finally {
      process.off('exit', remove);
      process.off('SIGHUP', hangUp);
      remove();
    }
  };
}

/** Everybody may have made the folder of all in /dev/shm. */
function ownFolders(env: Env): readonly string[] {
  return [...secretFolders(env), `/dev/shm/oakctl-secrets-${process.getuid?.() ?? 0}`];
}

/** With the process in its name, so that it is known whose it is. */
async function ownFolder(folders: readonly string[]): Promise<string> {
  const found = await folderInMemory(folders, `${prefix}${process.pid}-${randomBytes(6).toString('hex')}`);
  if ('why' in found) {
    const message = `there is no folder in memory to edit it in (${found.why}), and it is never written to a disk`;
    throw new ProblemError(problem('SECRET_NO_MEMORY', message, { hint: '`oakctl secret set` needs none' }));
  }
  await sweep(dirname(found.folder));
  return found.folder;
}

/** Removes what processes of this user left that are no more. */
async function sweep(root: string): Promise<void> {
  for (const entry of await readdir(root).catch(() => [])) {
    const pid = Number(/^edit-(\d+)-/.exec(entry)?.[1] ?? 0);
    if (pid === 0 || pid === process.pid || isAlive(pid)) continue;
    const info = await lstat(join(root, entry)).catch(() => undefined);
    if (info?.isDirectory() && info.uid === process.getuid?.())
      await rm(join(root, entry), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** By a shell, as git does it: the program may have arguments. The text stands on no command line. */
async function run(program: string, file: string, signal: AbortSignal): Promise<void> {
  const child = spawn('sh', ['-c', `${program} "$1"`, 'sh', file], { stdio: 'inherit', signal });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  signal.throwIfAborted();
  if (code === 0) return;
  const message = `the editor (${program}) ended with ${code ?? 'a signal'}: nothing was changed`;
  throw new ProblemError(problem('REFUSED', message, { hint: 'EDITOR names another one' }));
}

async function readBack(file: string): Promise<string> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new ProblemError(problem('REFUSED', 'the editor left no file: nothing was changed'), { cause });
  });
  const text = bytes.toString('utf8');
  if (Buffer.from(text).equals(bytes)) return text;
  throw new ProblemError(problem('USAGE', 'what was written is no UTF-8 text: nothing was changed'));
}
