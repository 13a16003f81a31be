/**
 * Names: what users write, and what is derived from it.
 *   service   app.appns.service.servicens
 *   instance  <service>.instance.<slot>
 *   copy      <epoch>.<gen>, the fence pair of the control that made it
 *   container <instance>.<epoch>.<gen>
 */

/** Applications, namespaces and services. Oakestra's newer rule plus dashes. */
export const appNamePattern = /^[a-zA-Z0-9]([-a-zA-Z0-9]{0,28}[a-zA-Z0-9])?$/;
/** Clusters and nodes. */
export const nodeNamePattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

/** The nearest name of a cluster or node to a text that is none; undefined when nothing of it can stay. */
export function spelledAsName(text: string): string | undefined {
  const plain = text.normalize('NFKD').replace(/\p{M}/gu, '');
  const name = plain
    .replace(/[^A-Za-z0-9_-]+/g, '_')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 63)
    .replace(/[_-]+$/, '');
  return nodeNamePattern.test(name) ? name : undefined;
}

/** What is wrong with a location: free text, or `latitude,longitude[,radius in metres]`. */
export function locationFault(text: string): string | undefined {
  if (text.length > 255) return `it has ${text.length} characters, at most 255 are kept`;
  if (/\p{Cc}/u.test(text)) return 'it holds control characters';
  if (!/^[-+\d.,\s]+$/.test(text) || !text.includes(',')) return undefined;
  const numbers = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  const [latitude = Number.NaN, longitude = Number.NaN, radius = 0] = numbers;
  const isPlace = Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 && radius >= 0 && numbers.length <= 3;
  return isPlace ? undefined : `\`${text}\` is no place: latitude up to 90, longitude up to 180, radius in m`;
}

/** Keys of node labels, wherever they are written. */
export const labelKeyPattern = /^[A-Za-z0-9]([A-Za-z0-9_./-]{0,61}[A-Za-z0-9])?$/;

/** Full name of a service. */
export type ServiceName = string;
/** Full name of an instance. */
export type InstanceName = string;
/** `<epoch>.<gen>`. */
export type CopyId = string;
/** Server-made: 16 hex digits; safe as an MQTT topic level and user name. */
export type NodeId = string;

export interface ServiceNameParts {
  readonly app: string;
  readonly appNamespace: string;
  readonly service: string;
  readonly serviceNamespace: string;
}

export function serviceName(p: ServiceNameParts): ServiceName {
  return `${p.app}.${p.appNamespace}.${p.service}.${p.serviceNamespace}`;
}

/** Parts of a full service name; undefined when it is not one. */
export function parseServiceName(name: string): ServiceNameParts | undefined {
  const [app, appNamespace, service, serviceNamespace, ...rest] = name.split('.');
  if (!app || !appNamespace || !service || !serviceNamespace || rest.length > 0) return undefined;
  return { app, appNamespace, service, serviceNamespace };
}

export function instanceName(service: ServiceName, slot: number): InstanceName {
  return `${service}.instance.${slot}`;
}

/** Service and slot of an instance name; undefined when it is not one. */
export function parseInstanceName(name: string): { service: ServiceName; slot: number } | undefined {
  const match = /^(.+)\.instance\.(0|[1-9][0-9]{0,8})$/.exec(name);
  if (!match?.[1] || !match[2] || !parseServiceName(match[1])) return undefined;
  return { service: match[1], slot: Number(match[2]) };
}

export function copyId(fence: { readonly epoch: number; readonly gen: number }): CopyId {
  return `${fence.epoch}.${fence.gen}`;
}

export function parseCopyId(id: string): { epoch: number; gen: number } | undefined {
  const match = /^([0-9]{1,15})\.([0-9]{1,15})$/.exec(id);
  return match ? { epoch: Number(match[1]), gen: Number(match[2]) } : undefined;
}

/** Orders pairs and copy ids by age: negative when `a` is older. */
export function compareFence(
  a: { readonly epoch: number; readonly gen: number },
  b: { readonly epoch: number; readonly gen: number },
): number {
  return a.epoch - b.epoch || a.gen - b.gen;
}

/** As {@link compareFence}, on ids. An unparsable id is older than any. Compares without taking them apart: plans sort a lot. */
export function compareCopyIds(a: CopyId, b: CopyId): number {
  if (a === b) return 0;
  const dotA = a.indexOf('.');
  const dotB = b.indexOf('.');
  const genA = numberIn(a, dotA + 1, a.length);
  const genB = numberIn(b, dotB + 1, b.length);
  const epochA = genA < 0 ? -1 : numberIn(a, 0, dotA);
  const epochB = genB < 0 ? -1 : numberIn(b, 0, dotB);
  return epochA - epochB || (epochA < 0 ? 0 : genA - genB);
}

/** The decimal number that this piece of a text is; -1 when it is none of at most 15 digits. */
function numberIn(text: string, from: number, to: number): number {
  if (to <= from || to - from > 15) return -1;
  let number = 0;
  for (let at = from; at < to; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}

/** Name of the container or process folder of a copy. */
export function containerName(instance: InstanceName, copy: CopyId): string {
  return `${instance}.${copy}`;
}

/**
 * Names that the container of a copy may have: the usual one, and one for an engine on which a container of another cluster has
 * that. `cluster`: fingerprint of the own one.
 */
export function containerNames(instance: InstanceName, copy: CopyId, cluster: string): readonly [string, string] {
  const usual = containerName(instance, copy);
  return [usual, `${usual}.${cluster.slice(0, 12)}`];
}

/** Host name inside a container: `<service>-<slot>`. */
export function hostName(instance: InstanceName): string {
  const parsed = parseInstanceName(instance);
  const parts = parsed && parseServiceName(parsed.service);
  return parsed && parts ? `${parts.service}-${parsed.slot}` : 'instance';
}
