/** What a cluster costs while nothing happens, read from /proc over a window. */
import { readdir, readFile } from 'node:fs/promises';
import type { TestCluster } from '../support/cluster.ts';

/** One process over the window. */
export interface Usage {
  readonly what: string;
  /** Resident memory at the end, MiB. */
  readonly memory: number;
  /** Share of one core, percent. */
  readonly cpu: number;
  /** Bytes that reached the disk layer, per second. */
  readonly disk: number;
  /** Bytes read by all system calls, sockets included, per second. */
  readonly read: number;
}

interface Sample {
  readonly at: number;
  readonly ticks: number;
  readonly written: number;
  readonly read: number;
  readonly rss: number;
}

const ticksPerSecond = 100;

async function sample(pid: number): Promise<Sample> {
  const [stat, io, status] = await Promise.all(
    ['stat', 'io', 'status'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8')),
  );
  const fields = (stat ?? '').slice((stat ?? '').lastIndexOf(')') + 2).split(' ');
  const number = (text: string | undefined, key: string): number =>
    Number(new RegExp(`^${key}:\\s*(\\d+)`, 'm').exec(text ?? '')?.[1]);
  return {
    at: performance.now(),
    ticks: Number(fields[11]) + Number(fields[12]),
    written: number(io, 'write_bytes'),
    read: number(io, 'rchar'),
    rss: number(status, 'VmRSS') / 1024,
  };
}

/** Pids of the direct children of a process. */
async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).map(Number).filter(Number.isInteger);
  const parents = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    }),
  );
  return pids.filter((_, index) => parents[index] === parent);
}

/** Reconciler, broker and one agent of an idle cluster, over `seconds`. */
export async function measureIdle(cluster: TestCluster, seconds: number): Promise<readonly Usage[]> {
  const reconciler = await cluster.pid('reconciler');
  const [broker] = await childrenOf(reconciler);
  const pids: readonly (readonly [string, number])[] = [
    ['reconciler', reconciler],
    ['broker', broker ?? 0],
    ['agent', await cluster.pid('worker-1')],
  ];
  const before = await Promise.all(pids.map(([, pid]) => sample(pid)));
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const after = await Promise.all(pids.map(([, pid]) => sample(pid)));
  return pids.map(([what], index) => {
    const [a, b] = [before[index] as Sample, after[index] as Sample];
    const elapsed = (b.at - a.at) / 1000;
    return {
      what,
      memory: b.rss,
      cpu: ((b.ticks - a.ticks) / ticksPerSecond / elapsed) * 100,
      disk: (b.written - a.written) / elapsed,
      read: (b.read - a.read) / elapsed,
    };
  });
}
