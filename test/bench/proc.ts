/** Processes as /proc shows them. */
import { readdir, readFile } from 'node:fs/promises';

/** One process at one moment. */
export interface Sample {
  /** ms, on the clock of this process. */
  readonly at: number;
  readonly ticks: number;
  /** Of its children that ended. */
  readonly childTicks: number;
  readonly written: number;
  readonly read: number;
  /** Resident memory, MiB. */
  readonly rss: number;
}

export const ticksPerSecond = 100;

export async function sample(pid: number): Promise<Sample> {
  const [stat, io, status] = await Promise.all(
    ['stat', 'io', 'status'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8')),
  );
  const fields = (stat ?? '').slice((stat ?? '').lastIndexOf(')') + 2).split(' ');
  const number = (text: string | undefined, key: string): number =>
    Number(new RegExp(`^${key}:\\s*(\\d+)`, 'm').exec(text ?? '')?.[1]);
  return {
    at: performance.now(),
    ticks: Number(fields[11]) + Number(fields[12]),
    childTicks: Number(fields[13]) + Number(fields[14]),
    written: number(io, 'write_bytes'),
    read: number(io, 'rchar'),
    rss: number(status, 'VmRSS') / 1024,
  };
}

/** Share of one core that the process had between two samples, percent. */
export function cpuShare(before: Sample, after: Sample): number {
  return ((after.ticks - before.ticks) / ticksPerSecond / ((after.at - before.at) / 1000)) * 100;
}

/** Pids of the direct children of a process. */
export async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).map(Number).filter(Number.isInteger);
  const parents = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    }),
  );
  return pids.filter((_, index) => parents[index] === parent);
}
