/**
 * Copies of a worker with the process runtime, by what their shims recorded below the worker's folder: files named `process`
 * with boot id and stat line. A process counts only if boot, pid and start time are still those.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bootId, startTime } from './processes.ts';

interface Recorded {
  readonly pid: number;
  readonly start: string;
  /** Session and process group: the shim and all that came of it. */
  readonly session: number;
}

/** How long a process may take after the polite signal. ms. */
const grace = 10_000;

/** Ends the processes of a worker: politely, or at once with their shims as a power cut would. Answers how many ran. */
export async function endProcesses(workerFolder: string, hard: boolean): Promise<number> {
  const running = await listRunning(workerFolder);
  await Promise.all(running.map((one) => end(one, hard)));
  return running.length;
}

async function listRunning(folder: string): Promise<readonly Recorded[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile() && entry.name === 'process');
  const boot = await bootId();
  const recorded = await Promise.all(
    files.map(async (file) => parseRecord(await readFile(join(file.parentPath, file.name), 'utf8'), boot)),
  );
  const alive = await Promise.all(recorded.map(async (one) => (one && (await isAlive(one)) ? one : undefined)));
  return alive.filter((one) => one !== undefined);
}

/** `<boot id> <stat line>`; undefined when it is not of this boot or not whole. */
export function parseRecord(text: string, boot: string): Recorded | undefined {
  if (boot === '' || !text.startsWith(`${boot} `) || !text.endsWith('\n')) return undefined;
  const stat = text.slice(boot.length + 1);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [pid, session, start] = [Number.parseInt(stat, 10), Number(fields[3]), fields[19]];
  return pid > 1 && session > 1 && start !== undefined ? { pid, session, start } : undefined;
}

async function isAlive({ pid, start }: Recorded): Promise<boolean> {
  return (await startTime(pid)) === start;
}

async function end(one: Recorded, hard: boolean): Promise<void> {
  if (!hard) {
    send(one.pid, 'SIGTERM');
    const limit = performance.now() + grace;
    while (performance.now() < limit && (await isAlive(one))) await sleep(25);
  }
  // The session is certainly the recorded one only while the process itself lives.
  if (await isAlive(one)) send(-one.session, 'SIGKILL');
}

function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
