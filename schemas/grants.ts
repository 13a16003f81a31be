/**
 * Grants: what the owner of a node lets services do on it, from policy.yaml. The decision is one function that reconciler and
 * agent share, so that a hold and a refusal name the same missing line.
 */
import { type Static, Type } from 'typebox';
import { isWithin, privilegedMeans, usualCapabilities } from './host-access.ts';
import { parseServiceName, type ServiceName } from './names.ts';
import type { HostMount, RunSpec } from './spec.ts';

const path = Type.String({ maxLength: 255 });

/** One grant as agents report it. `app` is `*` or `app.namespace`, `service` is `service.namespace`. */
export const Grant = Type.Object({
  app: Type.String({ maxLength: 63 }),
  service: Type.Optional(Type.String({ maxLength: 63 })),
  privileged: Type.Optional(Type.Boolean()),
  devices: Type.Optional(Type.Array(path, { maxItems: 64 })),
  mounts: Type.Optional(Type.Array(Type.Object({ path, read_only: Type.Optional(Type.Boolean()) }), { maxItems: 64 })),
  network: Type.Optional(Type.Literal('host')),
  caps: Type.Optional(Type.Array(Type.String({ maxLength: 32 }), { maxItems: 64 })),
});
export type Grant = Static<typeof Grant>;

/** What a service asks of a host. Nothing of it is given without a grant. */
export interface Asked {
  readonly privileged: boolean;
  readonly devices: readonly string[];
  readonly mounts: readonly HostMount[];
  readonly hostNetwork: boolean;
  /** Without what every container has. */
  readonly caps: readonly string[];
}

/** What is asked and not granted. */
export interface MissingGrant {
  /** `device /dev/fuse, mount /srv (read only)`. */
  readonly what: string;
  /** The line of policy.yaml, below `grants:`, that would allow it, and no more. */
  readonly line: string;
}

/** What a run spec asks of a host; undefined for all that ask nothing. */
export function askedOf({ host = {}, privileged }: RunSpec): Asked | undefined {
  const usual: readonly string[] = usualCapabilities;
  const asked: Asked = {
    privileged: privileged === true,
    devices: host.devices ?? [],
    mounts: host.mounts ?? [],
    hostNetwork: host.network === 'host',
    caps: (host.caps ?? []).filter((cap) => !usual.includes(cap)),
  };
  return isEmpty(asked) ? undefined : asked;
}

function isEmpty({ privileged, devices, mounts, hostNetwork, caps }: Asked): boolean {
  return !privileged && !hostNetwork && devices.length + mounts.length + caps.length === 0;
}

/** What of it none of these grants gives to the service; undefined when it has all that it asks for. */
export function missingGrant(service: ServiceName, run: RunSpec, grants: readonly Grant[]): MissingGrant | undefined {
  const asked = askedOf(run);
  if (!asked) return undefined;
  const ours = grants.filter((grant) => isFor(grant, service));
  const missing: Asked = {
    privileged: asked.privileged && !ours.some((grant) => grant.privileged),
    devices: asked.devices.filter((device) => !ours.some((grant) => grant.devices?.includes(device))),
    mounts: asked.mounts.filter((mount) => !grantedFolders(mount, ours).length),
    hostNetwork: asked.hostNetwork && !ours.some((grant) => grant.network === 'host'),
    caps: asked.caps.filter((cap) => !ours.some((grant) => grant.caps?.includes(cap))),
  };
  return isEmpty(missing) ? undefined : { what: whatOf(missing), line: lineOf(service, missing) };
}

/** Grants that speak of this service. */
export function isFor({ app, service }: Grant, name: ServiceName): boolean {
  const parts = parseServiceName(name);
  if (!parts) return false;
  const isApp = app === '*' || app === `${parts.app}.${parts.appNamespace}`;
  return isApp && (service === undefined || service === `${parts.service}.${parts.serviceNamespace}`);
}

/** The granted folders in which a mount lies, as it is written. A grant to read is none to write. */
export function grantedFolders(mount: HostMount, grants: readonly Grant[]): readonly string[] {
  return grants
    .flatMap((grant) => grant.mounts ?? [])
    .filter((granted) => isWithin(mount.source, granted.path) && (mount.read_only || !granted.read_only))
    .map((granted) => granted.path);
}

function whatOf(asked: Asked): string {
  return [
    ...(asked.privileged ? [`privileged (${privilegedMeans.device} and ${privilegedMeans.capability})`] : []),
    ...asked.devices.map((device) => `device ${device}`),
    ...asked.mounts.map(({ source, read_only }) => `mount ${source} (${read_only ? 'read only' : 'to write'})`),
    ...(asked.hostNetwork ? ['network of the host'] : []),
    ...asked.caps.map((cap) => `capability ${cap}`),
  ].join(', ');
}

/** Flow style, so that it is one line wherever it is shown. */
function lineOf(name: ServiceName, asked: Asked): string {
  const parts = parseServiceName(name);
  const list = (items: readonly string[]): string => `[${items.join(', ')}]`;
  const members = [
    ['app', word(parts ? `${parts.app}.${parts.appNamespace}` : name)],
    ...(parts ? [['service', word(`${parts.service}.${parts.serviceNamespace}`)]] : []),
    ...(asked.privileged ? [['privileged', 'true']] : []),
    ...(asked.devices.length > 0 ? [['devices', list(asked.devices.map(word))]] : []),
    ...(asked.mounts.length > 0 ? [['mounts', list(asked.mounts.map(mountText))]] : []),
    ...(asked.hostNetwork ? [['network', 'host']] : []),
    ...(asked.caps.length > 0 ? [['caps', list(asked.caps.map(word))]] : []),
  ];
  return `- { ${members.map(([key, value]) => `${key}: ${value}`).join(', ')} }`;
}

function mountText({ source, read_only }: HostMount): string {
  return `{ path: ${word(source)}${read_only ? ', read_only: true' : ''} }`;
}

/** A name like `1.2` would be read as a number. */
function word(text: string): string {
  return /^[A-Za-z/][\w./-]*$/.test(text) ? text : JSON.stringify(text);
}
