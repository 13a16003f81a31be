/**
 * The policy of DESIGN for what a container may get, written a second time and in another way: nothing here is taken from the
 * code that it judges.
 */
import { posix } from 'node:path';
import type { Grant } from '../../../schemas/grants.ts';
import type { RunSpec } from '../../../schemas/spec.ts';

const forbidden = [
  ...['/boot', '/dev', '/etc', '/proc', '/root', '/run', '/sys', '/var/run'],
  ...['/var/lib/docker', '/var/lib/containerd', '/var/lib/kubelet'],
];
const inEvery = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'NET_BIND_SERVICE', 'SETGID', 'SETUID'];
const specKeys = [
  ...['virtualization', 'code', 'cmd', 'environment', 'ports', 'memory', 'vcpus', 'vgpus', 'limits', 'healthcheck'],
  ...['restart', 'one_shot', 'stop_grace', 'files', 'host', 'privileged', 'volumes', 'secrets'],
];

const isBelow = (path: string, folder: string): boolean => folder === '/' || `${path}/`.startsWith(`${folder}/`);

export function requireThat(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

/** May this path of a host ever be seen by a container? */
export function isMountable(path: string): boolean {
  if (!path.startsWith('/') || path === '/' || posix.normalize(path) !== path || path.endsWith('/')) return false;
  return !forbidden.some((one) => isBelow(path, one) || isBelow(one, path));
}

/** Throws unless an accepted run spec asks for nothing that no node may give. */
export function requireLawfulSpec(run: RunSpec): void {
  requireThat(
    Object.keys(run).every((key) => specKeys.includes(key)),
    `members ${Object.keys(run)}`,
  );
  const { devices = [], mounts = [], network, caps = [] } = run.host ?? {};
  for (const device of devices)
    requireThat(/^\/dev\/[^/]/.test(device) && posix.normalize(device) === device, `device ${device}`);
  for (const { source, target } of mounts) {
    requireThat(isMountable(source), `mount ${source}`);
    requireThat(posix.normalize(target) === target && target !== '/', `target ${target}`);
    requireThat(!['/dev', '/proc', '/sys'].some((one) => isBelow(target, one)), `target ${target}`);
  }
  requireThat(['host', undefined].includes(network), `network ${network}`);
  for (const cap of caps) requireThat(/^[A-Z_]+$/.test(cap) && cap !== 'ALL', `capability ${cap}`);
  for (const { name, mount_path } of run.volumes ?? []) requireVolume(name, mount_path);
  for (const { name, path, source } of run.secrets ?? []) {
    requireThat(/^[a-z0-9](?:[-_a-z0-9]{0,61}[a-z0-9])?$/.test(name), `secret ${name}`);
    requireThat(posix.normalize(path) === path && path.startsWith('/') && !path.endsWith('/'), `secret at ${path}`);
    requireThat(!['/dev', '/proc', '/sys'].some((one) => isBelow(path, one)), `secret at ${path}`);
    requireThat(['node', undefined].includes(source), `secret from ${source}`);
  }
  for (const { path, mode, content } of run.files ?? []) {
    requireThat(posix.normalize(path) === path && path.startsWith('/') && !path.endsWith('/'), `file ${path}`);
    requireThat(Number.isInteger(mode) && mode >= 0 && mode <= 0o777, `mode ${mode}`);
    requireThat(content.length <= 65_536 && !content.includes('\0'), 'content');
  }
  for (const { host, container } of run.ports ?? [])
    for (const port of [host, container])
      requireThat(Number.isInteger(port) && port > 0 && port < 65_536, `port ${port}`);
  const asks = run.host !== undefined && Object.keys(run.host).length > 0;
  requireThat(run.virtualization === 'container' || !(asks || run.privileged), 'a process with access to the host');
}

function requireVolume(name: string, target: string): void {
  requireThat(/^[A-Za-z0-9](?:[-A-Za-z0-9]{0,28}[A-Za-z0-9])?$/.test(name), `volume ${name}`);
  requireThat(posix.normalize(target) === target && target.startsWith('/') && target !== '/', `volume at ${target}`);
  requireThat(!['/dev', '/proc', '/sys'].some((one) => isBelow(target, one)), `volume at ${target}`);
}

/** Do these grants give the service all that the run spec asks of the host? */
export function isGranted(app: string, service: string, run: RunSpec, grants: readonly Grant[]): boolean {
  const ours = grants.filter(
    (grant) => (grant.app === '*' || grant.app === app) && (grant.service === undefined || grant.service === service),
  );
  const some = (gives: (grant: Grant) => boolean): boolean => ours.some(gives);
  const { devices = [], mounts = [], network, caps = [] } = run.host ?? {};
  return (
    (run.privileged !== true || some((grant) => grant.privileged === true)) &&
    (network === undefined || some((grant) => grant.network === 'host')) &&
    devices.every((device) => some((grant) => grant.devices?.includes(device) === true)) &&
    caps.every((cap) => inEvery.includes(cap) || some((grant) => grant.caps?.includes(cap) === true)) &&
    mounts.every((mount) =>
      some((grant) =>
        (grant.mounts ?? []).some(
          (one) => isBelow(mount.source, one.path) && (mount.read_only === true || one.read_only !== true),
        ),
      ),
    )
  );
}

const bodyKeys = [
  'Image',
  'Hostname',
  'Cmd',
  'Env',
  'Labels',
  'ExposedPorts',
  'StopTimeout',
  'Healthcheck',
  'HostConfig',
];
const hostKeys = [
  ...[
    'NetworkMode',
    'IpcMode',
    'PortBindings',
    'RestartPolicy',
    'CapDrop',
    'CapAdd',
    'SecurityOpt',
    'PidsLimit',
    'Init',
  ],
  ...['Devices', 'DeviceRequests', 'Mounts', 'LogConfig', 'MemoryReservation', 'CpuShares', 'Memory', 'MemorySwap'],
  ...['CpuPeriod', 'CpuQuota'],
];

/** What a container gets of its host beyond the usual, as paths that lead to themselves. */
export interface Allowed {
  readonly network: string;
  readonly caps: readonly string[];
  readonly devices: readonly string[];
  /** Folders in which every mount must lie, with what is given there. */
  readonly folders: readonly { readonly path: string; readonly writable: boolean }[];
  /** What every volume of the instance is named like. */
  readonly volumes: string;
}

interface Body {
  readonly HostConfig: object;
}

/** Throws unless the create request is inside the closed type, and its host's side inside what is allowed. */
export function requireClosed(body: Body, allowed: Allowed): void {
  for (const key of Object.keys(body)) requireThat(bodyKeys.includes(key), `member ${key}`);
  const host = body.HostConfig as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(host)) requireThat(hostKeys.includes(key), `HostConfig.${key}`);
  const equal = (key: string, value: unknown): void =>
    requireThat(JSON.stringify(host[key]) === JSON.stringify(value), `${key} is ${JSON.stringify(host[key])}`);
  equal('NetworkMode', allowed.network);
  equal('IpcMode', 'private');
  equal('RestartPolicy', { Name: 'no' });
  equal('CapDrop', ['ALL']);
  equal('SecurityOpt', ['no-new-privileges']);
  equal('Init', true);
  requireThat(Number(host['PidsLimit']) > 0 && Number(host['PidsLimit']) <= 4_096, 'PidsLimit');
  for (const cap of host['CapAdd'] as string[])
    requireThat(inEvery.includes(cap) || allowed.caps.includes(cap), `capability ${cap}`);
  for (const { PathOnHost } of (host['Devices'] ?? []) as { PathOnHost: string }[])
    requireThat(allowed.devices.includes(PathOnHost), `device ${PathOnHost}`);
  const mounts = (host['Mounts'] ?? []) as { Type: string; Source: string; Target: string; ReadOnly: boolean }[];
  for (const { Source, Target } of mounts.filter(({ Type }) => Type === 'volume')) {
    requireThat(Source.startsWith(allowed.volumes), `volume ${Source}`);
    requireVolume(Source.slice(allowed.volumes.length), Target);
  }
  for (const mount of mounts.filter(({ Type }) => Type !== 'volume')) {
    requireThat(mount.Type === 'bind' && isMountable(mount.Source), `mount ${mount.Source}`);
    const fits = allowed.folders.some(
      ({ path, writable }) => isBelow(mount.Source, path) && (writable || mount.ReadOnly),
    );
    requireThat(fits, `mount ${mount.Source}, read only ${mount.ReadOnly}`);
  }
}
