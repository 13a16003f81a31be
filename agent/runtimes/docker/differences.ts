/**
 * What somebody changed of a container since it was created: what `docker update` and `docker pause` can change. Pure. Engines drop
 * limits that their kernel lacks, so that a limit that is not there says nothing.
 */
import type { RunSpec } from '../../../schemas/spec.ts';
import { limitsOf, restartsByEngine } from './options.ts';

/** The part of an inspected container that is read. */
export interface InspectedOptions {
  readonly State: { readonly Paused?: boolean };
  readonly HostConfig: { readonly [K in Limit]?: number | null | undefined } & {
    readonly RestartPolicy?: { readonly Name?: string } | undefined;
  };
}

const limits = {
  Memory: 'memory limit',
  MemoryReservation: 'memory',
  CpuShares: 'cpu shares',
  CpuPeriod: 'cpu period',
  CpuQuota: 'cpu quota',
  NanoCpus: 'cpus',
  PidsLimit: 'processes',
} as const;
type Limit = keyof typeof limits;

const billion = 1e9;
const mebibyte = 1024 * 1024;

/** `memory limit 512 MB instead of none`, one for each; none where the container is as this run spec has it. */
export function differencesOf(run: RunSpec, { State, HostConfig }: InspectedOptions): string[] {
  const wanted: Readonly<Partial<Record<Limit, number>>> = limitsOf(run);
  const found: string[] = State.Paused ? ['paused'] : [];
  for (const key of Object.keys(limits) as Limit[]) {
    const is = HostConfig[key] ?? 0;
    if (is <= 0 || is === wanted[key]) continue;
    const was = wanted[key];
    found.push(`${limits[key]} ${shown(key, is)} instead of ${was === undefined ? 'none' : shown(key, was)}`);
  }
  const policy = HostConfig.RestartPolicy?.Name ?? '';
  if (policy !== '' && policy !== restartsByEngine)
    found.push(`restart policy ${policy} instead of ${restartsByEngine}`);
  return found;
}

function shown(key: Limit, value: number): string {
  if (key === 'Memory' || key === 'MemoryReservation') return `${Math.round(value / mebibyte)} MB`;
  return key === 'NanoCpus' ? String(value / billion) : String(value);
}
