/**
 * What the engine is asked for, built field by field from a run spec. The types here are closed: nothing that a user writes is
 * merged or passed through, so what is not built here (the engine's privileged mode, host namespaces, security options, volumes
 * of others) cannot be asked for. What concerns the host comes from what the node granted, never from the run spec. Pure.
 */
import { usualCapabilities } from '../../../schemas/host-access.ts';
import { hostName } from '../../../schemas/names.ts';
import type { Healthcheck, PortMapping, RunSpec } from '../../../schemas/spec.ts';
import { type Bind, type Granted, nothingGranted } from '../access.ts';
import type { CopyPlan } from '../runtime.ts';
import { labelsOf, type Owner } from './labels.ts';
import { volumeName } from './volumes.ts';

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
  readonly Devices?: EngineDevice[];
  readonly DeviceRequests?: GpuRequest[];
  readonly Mounts?: (EngineBind | EngineVolume)[];
  readonly LogConfig: { Type: 'json-file'; Config: Record<string, string> };
  readonly MemoryReservation?: number;
  readonly CpuShares?: number;
  readonly Memory?: number;
  readonly MemorySwap?: number;
  readonly CpuPeriod?: number;
  readonly CpuQuota?: number;
}

export interface EngineDevice {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  readonly CgroupPermissions: 'rw';
}

/** So many GPUs, whichever the engine picks. */
export interface GpuRequest {
  readonly Driver: 'nvidia';
  readonly Count: number;
  readonly Capabilities: [['gpu']];
}

export interface EngineBind {
  readonly Type: 'bind';
  readonly Source: string;
  readonly Target: string;
  readonly ReadOnly: boolean;
  readonly BindOptions: { readonly Propagation: 'rprivate'; readonly NonRecursive: boolean };
}

/** A volume of the instance itself. */
export interface EngineVolume {
  readonly Type: 'volume';
  readonly Source: string;
  readonly Target: string;
  readonly ReadOnly: boolean;
}

/** Restarts belong to the agent alone: two owners of a restart would fight. */
export const restartsByEngine = 'no';
/** Processes and threads: room for a server with a thread per connection, an end for a fork bomb. */
export const pidsLimit = 1024;
/** Grace of the engine when the run spec names none, ms. */
const defaultGrace = 10_000;
const mebibyte = 1024 * 1024;
/** The engine refuses less. */
const leastMemory = 6 * mebibyte;
const cpuPeriod = 100_000;

/** The create request for a copy. `granted`: what it gets of the host, and all that it gets. */
export function createOptions(plan: CopyPlan, place: Place, granted: Granted = nothingGranted): CreateOptions {
  const { run } = plan;
  // On the host's network a container opens its ports itself, and nothing is published.
  const ports = granted.hostNetwork ? [] : (run.ports ?? []);
  return {
    Image: run.code,
    Hostname: hostName(plan.instance),
    ...(run.cmd && run.cmd.length > 0 ? { Cmd: [...run.cmd] } : {}),
    Env: [...(run.environment ?? [])],
    Labels: labelsOf(place, plan),
    ExposedPorts: Object.fromEntries(ports.map((port) => [portKey(port), {}])),
    StopTimeout: Math.ceil((run.stop_grace ?? defaultGrace) / 1000),
    Healthcheck: healthcheck(run.healthcheck),
    HostConfig: hostOptions(plan, ports, place, granted),
  };
}

function hostOptions(plan: CopyPlan, ports: readonly PortMapping[], place: Place, granted: Granted): HostOptions {
  const { run } = plan;
  return {
    NetworkMode: granted.hostNetwork ? 'host' : place.network,
    IpcMode: 'private',
    PortBindings: portBindings(ports, place.ip),
    RestartPolicy: { Name: restartsByEngine },
    CapDrop: ['ALL'],
    CapAdd: [...usualCapabilities, ...granted.caps],
    SecurityOpt: ['no-new-privileges'],
    Init: true,
    LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
    ...fromHost(granted, volumesOf(plan, place)),
    ...(run.vgpus ? { DeviceRequests: [{ Driver: 'nvidia', Count: run.vgpus, Capabilities: [['gpu']] }] } : {}),
    ...limitsOf(run),
  };
}

/** Only by the name that belongs to this instance on this node: no other volume can be asked for. */
function volumesOf({ instance, run }: CopyPlan, place: Place): readonly EngineVolume[] {
  return (run.volumes ?? []).map(({ name, mount_path, read_only = false }) => {
    return { Type: 'volume', Source: volumeName(place, instance, name), Target: mount_path, ReadOnly: read_only };
  });
}

function fromHost(
  { devices, binds }: Granted,
  volumes: readonly EngineVolume[],
): Pick<HostOptions, 'Devices' | 'Mounts'> {
  const mounts = [...binds.map(mountOf), ...volumes];
  const list = devices.map(({ host, container }): EngineDevice => {
    return { PathOnHost: host, PathInContainer: container, CgroupPermissions: 'rw' };
  });
  return {
    ...(list.length > 0 ? { Devices: list } : {}),
    ...(mounts.length > 0 ? { Mounts: mounts } : {}),
  };
}

/** Not recursive when read only: engines before 25 leave what is mounted below writable. */
function mountOf({ source, target, readOnly }: Bind): EngineBind {
  const BindOptions = { Propagation: 'rprivate', NonRecursive: readOnly } as const;
  return { Type: 'bind', Source: source, Target: target, ReadOnly: readOnly, BindOptions };
}

/** What it may use. All that an engine lets people change later is in here. */
export function limitsOf(run: RunSpec): Limits {
  return { PidsLimit: pidsLimit, ...needs(run), ...caps(run.limits ?? {}) };
}

type Limits = Pick<
  HostOptions,
  'PidsLimit' | 'MemoryReservation' | 'CpuShares' | 'Memory' | 'MemorySwap' | 'CpuPeriod' | 'CpuQuota'
>;

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
