/**
 * What the engine is asked for, built field by field from a run spec. The types here are closed: nothing that a user writes is
 * merged or passed through, so what is not built here (privileged, host namespaces, devices, mounts) cannot be asked for. Pure.
 */
import { hostName } from '../../../schemas/names.ts';
import type { Healthcheck, PortMapping, RunSpec } from '../../../schemas/spec.ts';
import type { CopyPlan } from '../runtime.ts';
import { labelsOf, type Owner } from './labels.ts';

/** Where and for whom a container is made. */
export interface Place extends Owner {
  /** Address of the node on which ports are published. */
  readonly ip: string;
  /** Name of the cluster's network. */
  readonly network: string;
}

/** Body of a create request. Closed. */
export interface CreateOptions {
  readonly Image: string;
  readonly Hostname: string;
  readonly Cmd?: string[];
  readonly Env: string[];
  readonly Labels: Record<string, string>;
  readonly ExposedPorts: Record<string, Record<string, never>>;
  /** Seconds: what the engine grants when it shuts down itself. */
  readonly StopTimeout: number;
  readonly Healthcheck: EngineHealthcheck;
  readonly HostConfig: HostOptions;
}

/** Times in nanoseconds. */
export interface EngineHealthcheck {
  readonly Test: string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly Retries?: number;
}

/** The host's side. Closed. */
export interface HostOptions {
  readonly NetworkMode: string;
  readonly IpcMode: 'private';
  readonly PortBindings: Record<string, { HostIp: string; HostPort: string }[]>;
  readonly RestartPolicy: { Name: 'no' };
  readonly CapDrop: string[];
  readonly CapAdd: string[];
  readonly SecurityOpt: string[];
  readonly PidsLimit: number;
  readonly Init: true;
  readonly LogConfig: { Type: 'json-file'; Config: Record<string, string> };
  readonly MemoryReservation?: number;
  readonly CpuShares?: number;
  readonly Memory?: number;
  readonly MemorySwap?: number;
  readonly CpuPeriod?: number;
  readonly CpuQuota?: number;
}

/**
 * What common images need to start as root and step down: take over their data folder (CHOWN, DAC_OVERRIDE, FOWNER), become
 * their own user (SETUID, SETGID), signal workers that run as that user (KILL), and bind port 80 on old kernels
 * (NET_BIND_SERVICE). Left out of the engine's default: raw sockets, device nodes, file capabilities, chroot, audit, FSETID and
 * SETPCAP. `ping` works without NET_RAW, by the engine's ping_group_range.
 */
export const allowedCapabilities = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'KILL',
  'NET_BIND_SERVICE',
  'SETGID',
  'SETUID',
] as const;

/** Processes and threads: room for a server with a thread per connection, an end for a fork bomb. */
export const pidsLimit = 1024;
/** Grace of the engine when the run spec names none, ms. */
const defaultGrace = 10_000;
const mebibyte = 1024 * 1024;
/** The engine refuses less. */
const leastMemory = 6 * mebibyte;
const cpuPeriod = 100_000;

/** The create request for a copy. */
export function createOptions(plan: CopyPlan, place: Place): CreateOptions {
  const { run } = plan;
  return {
    Image: run.code,
    Hostname: hostName(plan.instance),
    ...(run.cmd && run.cmd.length > 0 ? { Cmd: [...run.cmd] } : {}),
    Env: [...(run.environment ?? [])],
    Labels: labelsOf(place, plan),
    ExposedPorts: Object.fromEntries((run.ports ?? []).map((port) => [portKey(port), {}])),
    StopTimeout: Math.ceil((run.stop_grace ?? defaultGrace) / 1000),
    Healthcheck: healthcheck(run.healthcheck),
    HostConfig: hostOptions(run, place),
  };
}

function hostOptions(run: RunSpec, place: Place): HostOptions {
  return {
    NetworkMode: place.network,
    IpcMode: 'private',
    PortBindings: portBindings(run.ports ?? [], place.ip),
    // Restarts belong to the agent alone: two owners of a restart would fight.
    RestartPolicy: { Name: 'no' },
    CapDrop: ['ALL'],
    CapAdd: [...allowedCapabilities],
    SecurityOpt: ['no-new-privileges'],
    PidsLimit: pidsLimit,
    Init: true,
    LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
    ...needs(run),
    ...caps(run.limits ?? {}),
  };
}

/** What is needed: soft, so that an idle machine gives more. */
function needs(run: RunSpec): Pick<HostOptions, 'MemoryReservation' | 'CpuShares'> {
  const reservation = run.memory ? Math.max(leastMemory, Math.round(run.memory * mebibyte)) : 0;
  const cap = run.limits?.memory ? hardMemory(run.limits.memory) : Number.POSITIVE_INFINITY;
  return {
    // The engine refuses a reservation above the cap.
    ...(reservation > 0 ? { MemoryReservation: Math.min(reservation, cap) } : {}),
    ...(run.vcpus ? { CpuShares: Math.min(262_144, Math.max(2, Math.round(run.vcpus * 1024))) } : {}),
  };
}

/**
 * Hard caps, only from `limits`. Swap does not extend the memory cap. CPU by quota and not by NanoCpus, which the engine
 * refuses when it exceeds the machine's cores: a cap that is too high is no error.
 */
function caps(
  limits: NonNullable<RunSpec['limits']>,
): Pick<HostOptions, 'Memory' | 'MemorySwap' | 'CpuPeriod' | 'CpuQuota'> {
  return {
    ...(limits.memory ? { Memory: hardMemory(limits.memory), MemorySwap: hardMemory(limits.memory) } : {}),
    ...(limits.vcpus ? { CpuPeriod: cpuPeriod, CpuQuota: Math.max(1000, Math.round(limits.vcpus * cpuPeriod)) } : {}),
  };
}

function hardMemory(megabytes: number): number {
  return Math.max(leastMemory, Math.round(megabytes * mebibyte));
}

function portKey(port: PortMapping): string {
  return `${port.container}/${port.protocol}`;
}

function portBindings(ports: readonly PortMapping[], ip: string): HostOptions['PortBindings'] {
  const bindings: HostOptions['PortBindings'] = {};
  for (const port of ports) {
    const list = bindings[portKey(port)] ?? [];
    list.push({ HostIp: ip, HostPort: String(port.host) });
    bindings[portKey(port)] = list;
  }
  return bindings;
}

/** Without one in the run spec, a healthcheck of the image is switched off: what is not in the digest decides nothing. */
function healthcheck(check: Healthcheck | undefined): EngineHealthcheck {
  if (!check) return { Test: ['NONE'] };
  // 0 would mean "as the image says" to the engine, and it refuses less than 1 ms.
  const nanoseconds = (ms: number) => Math.max(1, Math.round(ms)) * 1_000_000;
  return {
    Test: ['CMD', ...check.command],
    Interval: nanoseconds(check.interval),
    Timeout: nanoseconds(check.timeout),
    StartPeriod: check.start_period > 0 ? nanoseconds(check.start_period) : 0,
    Retries: Math.max(1, check.retries),
  };
}
