/**
 * Processes as the kernel tells them in /proc. A process is known by its pid together with its start time and the boot: pids
 * are used again, these three together are not.
 */
import { readdir, readFile } from 'node:fs/promises';

/** Who a process is, once and for all. */
export interface ProcessIdentity {
  readonly boot: string;
  readonly pid: number;
  /** Ticks since boot. */
  readonly start: number;
  /** Session it was started in: the pid of its shim. */
  readonly session: number;
}

/** What is read of a line of /proc/<pid>/stat. */
export interface ProcessStat {
  readonly pid: number;
  readonly state: string;
  readonly session: number;
  readonly start: number;
}

/** Ticks per second in what the kernel shows: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** Reads a stat line. The command in it may hold blanks and parentheses, so fields count from its last `)`. */
export function parseStat(line: string): ProcessStat | undefined {
  const end = line.lastIndexOf(')');
  const fields = line.slice(end + 2).split(' ');
  const [state, session, start] = [fields[0], Number(fields[3]), Number(fields[19])];
  const pid = Number.parseInt(line, 10);
  if (end < 0 || !state || !(pid > 0) || !(session >= 0) || !(start >= 0)) return undefined;
  return { pid, state, session, start };
}

/** What a shim recorded: `<boot id> <stat line>`. Undefined while it is being written. */
export function parseIdentity(text: string): ProcessIdentity | undefined {
  const space = text.indexOf(' ');
  if (space <= 0 || !text.endsWith('\n')) return undefined;
  const stat = parseStat(text.slice(space + 1));
  return stat && { boot: text.slice(0, space), pid: stat.pid, start: stat.start, session: stat.session };
}

/** Id of this boot. Throws where there is no /proc. */
export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

/** True while exactly this process runs; what has ended and waits to be collected does not. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  if (identity.boot !== (await bootId())) return false;
  const stat = await readStat(identity.pid);
  return stat !== undefined && stat.start === identity.start && !'ZX'.includes(stat.state);
}

/** ms since the process started. */
export async function ageOf(identity: ProcessIdentity): Promise<number> {
  const uptime = Number.parseFloat(await readFile('/proc/uptime', 'utf8'));
  return Math.max(0, Math.round((uptime - identity.start / ticksPerSecond) * 1000));
}

/**
 * Kills the process and all of its session but the shim, which is to record the end. Does nothing unless the process is alive:
 * only then is its session certainly the one that was recorded.
 */
export async function killSession(identity: ProcessIdentity): Promise<void> {
  if (!(await isAlive(identity))) return;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const stats = await Promise.all(pids.map(readStat));
  const members = stats.filter((stat) => stat?.session === identity.session && stat.pid !== identity.session);
  for (const member of members) if (member && member.pid !== identity.pid) sendSignal(member.pid, 'SIGKILL');
  sendSignal(identity.pid, 'SIGKILL');
}

/** Sends a signal; a process that is gone has no need of it. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function readStat(pid: number): Promise<ProcessStat | undefined> {
  try {
    return parseStat(await readFile(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    // Gone meanwhile: ENOENT, or ESRCH in the middle of the read.
    return undefined;
  }
}
