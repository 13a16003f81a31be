/** What a cluster costs while nothing happens, read from /proc over a window. */
import type { TestCluster } from '../support/cluster.ts';
import { childrenOf, cpuShare, type Sample, sample } from './proc.ts';

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
      cpu: cpuShare(a, b),
      disk: (b.written - a.written) / elapsed,
      read: (b.read - a.read) / elapsed,
    };
  });
}
