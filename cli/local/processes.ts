/** Background processes with a pid file each. A pid counts only together with its start time: pids are used again. */
import { spawn } from 'node:child_process';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { replaceFile } from './marker.ts';

export interface ProcessFile {
  readonly pid: number;
  /** Boot in which it was started: start times begin anew with each. */
  readonly boot?: string;
  /** Start time as the kernel counts it (clock ticks since boot); absent where there is no /proc. */
  readonly start?: string;
}

/** Larger logs are put aside at the next start. */
const maxLogBytes = 8 * 1024 * 1024;

/** Start time of a process; undefined when it is gone, or where there is no /proc. */
export async function startTime(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The second field is the program's name in parentheses and may hold anything, so count from the last one.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields?.[0] === 'Z' ? undefined : fields?.[19];
}

/** Id of this boot; empty where there is no /proc. */
export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim();
}

/** The process of a pid file if it still runs. */
export async function runningPid(pidFile: string): Promise<number | undefined> {
  const text = await readFile(pidFile, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const { pid, start, boot } = parse(text);
  if (boot !== undefined && boot !== (await bootId())) return undefined;
  if (!Number.isInteger(pid) || pid <= 1 || !exists(pid)) return undefined;
  return start === undefined || start === (await startTime(pid)) ? pid : undefined;
}

function parse(text: string): ProcessFile {
  try {
    return JSON.parse(text) as ProcessFile;
  } catch {
    return { pid: 0 };
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Starts `node <args>` detached from this terminal, output appended to the log, and writes the pid file. Answers the pid. */
export async function startProcess(
  args: readonly string[],
  files: { readonly pid: string; readonly log: string },
): Promise<number> {
  await mkdir(dirname(files.log), { recursive: true });
  const { size } = await stat(files.log).catch(() => ({ size: 0 }));
  if (size > maxLogBytes) await rename(files.log, `${files.log}.1`);
  const log = await open(files.log, 'a', 0o600);
  try {
    const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', log.fd, log.fd], cwd: '/' });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => resolve(child.pid ?? 0));
    });
    child.unref();
    const start = await startTime(pid);
    const identity = start === undefined ? {} : { start, boot: await bootId() };
    await replaceFile(files.pid, JSON.stringify({ pid, ...identity }));
    return pid;
  } finally {
    await log.close();
  }
}

/**
 * Ends the process of a pid file: politely, and after `grace` ms with SIGKILL; grace 0 is SIGKILL at once. Returns when it is
 * gone; false when it was gone before. The pid file goes too.
 */
export async function endProcess(pidFile: string, grace: number): Promise<boolean> {
  const pid = await runningPid(pidFile);
  if (pid === undefined) {
    await rm(pidFile, { force: true });
    return false;
  }
  if (grace > 0) {
    signal(pid, 'SIGTERM');
    await waitGone(pidFile, grace);
  }
  if ((await runningPid(pidFile)) === pid) {
    signal(pid, 'SIGKILL');
    await waitGone(pidFile, 5000);
  }
  await rm(pidFile, { force: true });
  return true;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function waitGone(pidFile: string, limit: number): Promise<void> {
  const end = performance.now() + limit;
  while (performance.now() < end && (await runningPid(pidFile)) !== undefined) await sleep(25);
}

/** The last lines of a log, for a message about a process that ended. */
export async function logTail(path: string, lines: number): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}
