/**
 * Placement filters, in order: first what a node is, then how it is at the moment, then what is free on it. When no node passes,
 * the filter that the best node got as far as is the reason, so that a hold names the last thing in the way.
 */
import { withoutEmpty } from '../../schemas/digest.ts';
import { type MissingGrant, missingGrant } from '../../schemas/grants.ts';
import { type InstanceName, type NodeId, parseInstanceName } from '../../schemas/names.ts';
import { type LabelRule, type Placement, type RunSpec, type RuntimeName, runtimesFor } from '../../schemas/spec.ts';
import type { HoldCode } from '../../schemas/status.ts';
import { portKeys } from './copy-index.ts';
import type { Node, Reserved } from './model.ts';
import { capacityOf, isSeed, isUnwritable } from './node-facts.ts';
import type { Presence } from './presence.ts';

/** What wants a place. */
export interface PlaceRequest {
  readonly instance: InstanceName;
  readonly run: RunSpec;
  readonly placement: Placement;
  /** Only these nodes (an ordinal's node, or the node of the copy to swap with). Absent: any. */
  readonly only?: ReadonlySet<NodeId>;
  /** Wins over every score if it is admitted. */
  readonly prefer?: NodeId;
  /** A copy of the same instance that stops before the new one starts: what it holds counts as free. */
  readonly releases?: { readonly node: NodeId; readonly run: RunSpec };
  /** A copy of the same instance stops before the new one starts, wherever it is: its ports are no conflict. */
  readonly yields?: true;
}

/** A node as placement sees it. */
export interface Candidate {
  readonly node: Node;
  readonly id: NodeId;
  readonly state: Presence['state'];
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly cordon: { readonly cause: string } | undefined;
  /** Cores (overcommitted), MB and GPUs in all; undefined while unknown. */
  readonly capacity: { readonly vcpus: number; readonly memory: number; readonly vgpus: number } | undefined;
  readonly reserved: Reserved;
  /** Host ports taken on the node's address, by whoever shares it. */
  readonly ports: ReadonlyMap<string, InstanceName>;
  /** Instances of the same service on it. */
  readonly siblings: number;
}

export interface Filter {
  readonly name: string;
  readonly code: HoldCode;
  readonly admits: (candidate: Candidate, request: PlaceRequest) => boolean;
  /** Half a sentence about the nodes that it turned away, with the numbers. */
  readonly explain: (refused: readonly Candidate[], request: PlaceRequest) => string;
}

export const filters: readonly Filter[] = [
  {
    name: 'direct',
    code: 'DIRECT_NODE_UNKNOWN',
    admits: ({ node }, { placement }) =>
      placement.nodes.length === 0 || placement.nodes.some((name) => isCalled(node, name)),
    explain: (refused, { placement }) => `${count(refused)} not named (${placement.nodes.join(', ')})`,
  },
  {
    name: 'labels',
    code: 'LABEL_MISMATCH',
    admits: ({ labels }, { placement }) => labels === undefined || matchesLabels(labels, placement.labels),
    explain: (refused, { placement }) => `${count(refused)} without ${placement.labels.map(formatRule).join(' and ')}`,
  },
  {
    name: 'runtime',
    code: 'NO_RUNTIME',
    admits: ({ node }, { run }) => !node.information || runtimeFor(node, run) !== undefined,
    explain: (refused, { run }) => `${count(refused)} without ${runtimesFor[run.virtualization].join(' or ')}`,
  },
  {
    name: 'fields',
    code: 'AGENT_TOO_OLD',
    admits: ({ node }, { run }) => !node.information || unknownFields(node, run).length === 0,
    explain: (refused, { run }) => {
      const fields = new Set(refused.flatMap(({ node }) => unknownFields(node, run)));
      return `${count(refused)} with an agent that does not know ${[...fields].sort().join(', ')}`;
    },
  },
  {
    name: 'host',
    code: 'HOST_NOT_GRANTED',
    admits: ({ node }, request) => !node.information || missingOn(node, request) === undefined,
    explain: (refused, request) => {
      const [first] = refused;
      const missing = first && missingOn(first.node, request);
      const lack = `${count(refused)} without a grant of ${missing?.what} (${listed(refused)})`;
      return `${lack}; policy.yaml of ${first?.node.record.name}, below grants, would need: ${missing?.line}`;
    },
  },
  {
    name: 'size',
    code: 'NO_CAPACITY',
    admits: ({ id, node }, { placement, only }) =>
      !isUnsized(node) || placement.nodes.some((name) => isCalled(node, name)) || (only?.has(id) ?? false),
    explain: (refused) => `${count(refused)} of unknown capacity, only for services that name it (${listed(refused)})`,
  },
  {
    name: 'cordon',
    code: 'NODES_CORDONED',
    admits: ({ cordon }) => cordon === undefined,
    explain: (refused) => `${count(refused)} cordoned (${listed(refused)})`,
  },
  {
    name: 'duplicate',
    code: 'NODES_DUPLICATED',
    admits: ({ node }) => node.duplicate === undefined,
    explain: (refused) => `${count(refused)} with two agents of one identity (${listed(refused)})`,
  },
  {
    name: 'disk',
    code: 'NODES_UNWRITABLE',
    admits: ({ node }) => !isUnwritable(node),
    explain: (refused) => `${count(refused)} whose disk takes nothing new (${listed(refused)})`,
  },
  {
    name: 'presence',
    code: 'NODES_AWAY',
    admits: ({ state, node }) => state === 'online' && node.information !== undefined,
    explain: (refused) => `${count(refused)} silent (${listed(refused)})`,
  },
  {
    name: 'ledger',
    code: 'LEDGER_UNREAD',
    admits: ({ node }) => node.adopted,
    explain: (refused) => `${count(refused)} whose ledger is being read (${listed(refused)})`,
  },
  {
    name: 'ports',
    code: 'PORT_CONFLICT',
    admits: (candidate, request) => takenPorts(candidate, request).length === 0,
    explain: (refused, request) => {
      const [first] = refused;
      const [port, holder] = (first && takenPorts(first, request)[0]) ?? ['', ''];
      return `${count(refused)} whose ${port} is published already (by ${holder} on ${first?.node.record.name})`;
    },
  },
  {
    name: 'memory',
    code: 'NO_CAPACITY',
    admits: (candidate, request) => fits(request.run.memory, freeMemory(candidate, request)),
    explain: (refused, request) =>
      `needs ${request.run.memory} MB, largest free ${largest(refused, (one) => freeMemory(one, request), ' MB')}`,
  },
  {
    name: 'vcpus',
    code: 'NO_CAPACITY',
    admits: (candidate, request) => fits(request.run.vcpus, freeVcpus(candidate, request)),
    explain: (refused, request) =>
      `needs ${request.run.vcpus} vcpus, largest free ${largest(refused, (one) => freeVcpus(one, request), '')}`,
  },
  {
    name: 'vgpus',
    code: 'NO_CAPACITY',
    admits: (candidate, request) => fits(request.run.vgpus, freeVgpus(candidate, request)),
    explain: (refused, request) =>
      `needs ${request.run.vgpus} vgpus, largest free ${largest(refused, (one) => freeVgpus(one, request), '')}`,
  },
];

/** What the node's policy would have to allow. */
function missingOn(node: Node, { instance, run }: PlaceRequest): MissingGrant | undefined {
  const service = parseInstanceName(instance)?.service ?? instance;
  return missingGrant(service, run, node.information?.grants ?? []);
}

/** True when `name` is the node's own name or one of its aliases. */
export function isCalled(node: Node, name: string): boolean {
  return node.record.name === name || node.aliases.includes(name);
}

/** True when every rule holds on these labels. */
export function matchesLabels(labels: Readonly<Record<string, string>>, rules: readonly LabelRule[]): boolean {
  return rules.every(({ label, op, values }) => {
    const value = Object.hasOwn(labels, label) ? labels[label] : undefined;
    if (op === 'exists') return value !== undefined;
    if (op === 'not_exists') return value === undefined;
    const named = value !== undefined && values.includes(value);
    return op === 'in' ? named : !named;
  });
}

/** The best runtime of the node for this run spec. */
export function runtimeFor(node: Node, run: RunSpec): RuntimeName | undefined {
  const has = new Set(node.information?.runtimes.map((runtime) => runtime.name));
  return runtimesFor[run.virtualization].find((name) => has.has(name));
}

/** A seed node whose capacity nodes.yaml does not give: it takes what names it, and nobody counts its room. */
function isUnsized(node: Node): boolean {
  return isSeed(node) && capacityOf(node) === undefined;
}

/** MB that are free for the request on this node. */
export function freeMemory({ id, node, capacity, reserved }: Candidate, { releases }: PlaceRequest): number {
  if (isUnsized(node)) return Number.POSITIVE_INFINITY;
  const released = releases?.node === id ? (releases.run.memory ?? 0) : 0;
  return (capacity?.memory ?? 0) - reserved.memory + released;
}

function freeVcpus({ id, node, capacity, reserved }: Candidate, { releases }: PlaceRequest): number {
  if (isUnsized(node)) return Number.POSITIVE_INFINITY;
  const released = releases?.node === id ? (releases.run.vcpus ?? 0) : 0;
  return (capacity?.vcpus ?? 0) - reserved.vcpus + released;
}

function freeVgpus({ id, capacity, reserved }: Candidate, { releases }: PlaceRequest): number {
  const released = releases?.node === id ? (releases.run.vgpus ?? 0) : 0;
  return (capacity?.vgpus ?? 0) - reserved.vgpus + released;
}

/** Fractions of cores add up with rounding errors; a thousandth of a core is nothing. */
function fits(needed: number | undefined, free: number): boolean {
  return !needed || needed <= free + 0.001;
}

/** Wanted host ports that are taken, with who has them. */
function takenPorts(
  { id, ports }: Candidate,
  { run, releases, yields, instance }: PlaceRequest,
): [string, InstanceName][] {
  return portKeys(run).flatMap((key): [string, InstanceName][] => {
    const holder = ports.get(key);
    if (holder === undefined || (holder === instance && (yields || releases?.node === id))) return [];
    return [[key, holder]];
  });
}

function unknownFields(node: Node, run: RunSpec): string[] {
  const known = new Set(node.information?.fields);
  return Object.keys(withoutEmpty(run)).filter((field) => !known.has(field));
}

function formatRule({ label, op, values }: LabelRule): string {
  if (op === 'exists') return label;
  if (op === 'not_exists') return `no ${label}`;
  return `${label} ${op === 'in' ? 'in' : 'not in'} (${values.join(', ')})`;
}

function count(refused: readonly Candidate[]): string {
  return refused.length === 1 ? '1 node' : `${refused.length} nodes`;
}

function listed(refused: readonly Candidate[]): string {
  const names = refused.map(({ node }) => node.record.name).sort();
  return names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');
}

function largest(refused: readonly Candidate[], free: (one: Candidate) => number, unit: string): string {
  const best = refused.reduce((a, b) => (free(b) > free(a) ? b : a));
  const amount = Math.max(0, Math.round(free(best) * 100) / 100);
  return `${amount}${unit} on ${best.node.record.name}`;
}
