/** How busy this machine is, and what it has. */
import * as os from 'node:os';
import type { Usage } from '../ports.ts';
import { countGpus } from './gpus.ts';

/** What is read of the machine; tests give their own. */
export type Machine = Pick<typeof os, 'cpus' | 'totalmem' | 'freemem'>;

const megabyte = 1024 * 1024;

/** A reading at each call; CPU is the share since the call before (since boot at the first). `capacity` wins over what is measured. */
export function createUsageMeter(capacity: Partial<Usage['capacity']> = {}, machine: Machine = os): () => Usage {
  const { gpu = countGpus(), cpu: _cores, memory: _megabytes, ...stated } = capacity;
  let last = { busy: 0, total: 0 };
  return () => {
    const cpus = machine.cpus();
    const now = cpuTime(cpus);
    const total = now.total - last.total;
    const cpu = total > 0 ? (100 * (now.busy - last.busy)) / total : 0;
    last = now;
    const all = machine.totalmem();
    return {
      cpu: Math.min(100, Math.max(0, cpu)),
      memory: all > 0 ? (100 * (all - machine.freemem())) / all : 0,
      capacity: {
        cpu: capacity.cpu ?? cpus.length,
        memory: capacity.memory ?? Math.floor(all / megabyte),
        ...(gpu > 0 && { gpu }),
        ...stated,
      },
    };
  };
}

function cpuTime(cpus: readonly os.CpuInfo[]): { busy: number; total: number } {
  let busy = 0;
  let idle = 0;
  for (const { times } of cpus) {
    busy += times.user + times.nice + times.sys + times.irq;
    idle += times.idle;
  }
  return { busy, total: busy + idle };
}
