/**
 * Nodes as placement looks them up: in classes that say the same of themselves, each sorted by how full its nodes are; by
 * address, and by alias. Kept by `apply`; an index only makes placement faster, it decides nothing.
 */

import type { NodeId } from '../../schemas/names.ts';
import type { ServiceSpec } from '../../schemas/spec.ts';
import { labelOfVariable, variablesOf } from '../../schemas/variables.ts';
import type { Node, World } from './model.ts';
import { addressOf, archOf, type Capacity, capacityOf, isSeed, labelsOf } from './node-facts.ts';
import { cloneRanked, createRanked, insertRanked, type Ranked, removeRanked } from './ranked.ts';

/** What a node is, read once. */
export interface Facts {
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly arch: string | undefined;
  readonly sized: boolean;
  readonly capacity: Capacity;
}

/** A node in its class, with what it is sorted by. */
export interface Spot extends Rank {
  readonly id: NodeId;
  readonly facts: Facts;
  readonly group: string;
  readonly address: string;
  readonly aliases: readonly string[];
}

/** How full a node is. */
export interface Rank {
  readonly name: string;
  /** In steps of its larger share, memory or cores. */
  readonly fill: number;
  readonly jobs: number;
  /** MB. */
  readonly free: number;
}

export interface NodeIndex {
  /** Labels that tell classes apart: those that a descriptor ever spoke of. */
  readonly keys: Set<string>;
  readonly spots: Map<NodeId, Spot>;
  readonly groups: Map<string, Ranked<Spot>>;
  readonly addresses: Map<string, Set<NodeId>>;
  readonly aliases: Map<string, Set<NodeId>>;
}

export function createNodeIndex(): NodeIndex {
  return { keys: new Set(), spots: new Map(), groups: new Map(), addresses: new Map(), aliases: new Map() };
}

export function cloneNodeIndex({ keys, spots, groups, addresses, aliases }: NodeIndex): NodeIndex {
  const sets = (map: Map<string, Set<NodeId>>) => new Map([...map].map(([key, ids]) => [key, new Set(ids)]));
  return {
    keys: new Set(keys),
    spots: new Map(spots),
    groups: new Map([...groups].map(([key, ranked]) => [key, cloneRanked(ranked)])),
    addresses: sets(addresses),
    aliases: sets(aliases),
  };
}

/** What the node is in itself may have changed, or it is new, or gone. */
export function indexNode(world: World, id: NodeId): void {
  const node = world.nodes.get(id);
  const { index } = world;
  const before = index.spots.get(id);
  if (before) takeOut(index, before);
  if (!node) return;
  const facts = factsOf(node);
  const base = { id, facts, group: groupOf(node, facts, index.keys), address: addressOf(node), aliases: node.aliases };
  putIn(index, spotWith(base, rankOf(world, node, facts)));
  addTo(index.addresses, base.address, id);
  for (const alias of base.aliases) addTo(index.aliases, alias, id);
}

/** Only what is reserved on the node changed. */
export function rankNode(world: World, id: NodeId): void {
  const { index } = world;
  const spot = index.spots.get(id);
  const node = world.nodes.get(id);
  if (!spot || !node) {
    indexNode(world, id);
    return;
  }
  const ranked = index.groups.get(spot.group);
  if (ranked) removeRanked(ranked, spot);
  putIn(index, spotWith(spot, rankOf(world, node, spot.facts)));
}

/** The service speaks of labels: from now on they tell classes apart. */
export function indexLabels(world: World, spec: ServiceSpec): void {
  const fresh = labelsIn(spec).filter((label) => !world.index.keys.has(label));
  if (fresh.length === 0) return;
  for (const label of fresh) world.index.keys.add(label);
  for (const id of world.nodes.keys()) indexNode(world, id);
}

/** Labels that decide on where a service may be. */
export function labelsIn({ placement, run }: Pick<ServiceSpec, 'placement' | 'run'>): string[] {
  return [
    ...placement.labels.map(({ label }) => label),
    ...(placement.spread ?? []).map(({ label }) => label),
    ...variablesOf(run).flatMap((name) => labelOfVariable(name) ?? []),
  ];
}

export function factsOf(node: Node): Facts {
  const known = capacityOf(node);
  const sized = known !== undefined || !isSeed(node);
  return {
    labels: labelsOf(node),
    arch: archOf(node),
    sized,
    capacity: known ?? (sized ? noCapacity : allCapacity),
  };
}

const noCapacity: Capacity = { cpu: 0, memory: 0 };
const allCapacity: Capacity = { cpu: Number.POSITIVE_INFINITY, memory: Number.POSITIVE_INFINITY };

/** The spot with this rank. All spots are made here, so that all have one shape. */
export function spotWith({ id, facts, group, address, aliases }: Omit<Spot, keyof Rank>, rank: Rank): Spot {
  const { name, fill, jobs, free } = rank;
  return { name, fill, jobs, free, id, facts, group, address, aliases };
}

/** Steps in which nodes count as equally full. */
const steps = 64;

/** The rank of a node with so much of its capacity taken. */
export function rankWith(
  name: string,
  { cpu, memory }: Pick<Capacity, 'cpu' | 'memory'>,
  taken: { readonly vcpus: number; readonly memory: number },
  jobs: number,
): Rank {
  const shareOf = (part: number, whole: number): number => (whole > 0 ? part / whole : 0);
  const fill = Math.floor(Math.max(shareOf(taken.memory, memory), shareOf(taken.vcpus, cpu)) * steps);
  return { name, fill, jobs, free: memory - taken.memory };
}

/** Emptier first: fill, then jobs, then free memory, then name. */
export function compareRank(a: Rank, b: Rank): number {
  return a.fill - b.fill || a.jobs - b.jobs || compare(b.free, a.free) || compare(a.name, b.name);
}

function compare<T>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function rankOf(world: World, { record, part }: Node, { capacity }: Facts): Rank {
  const taken = world.reserved.get(record.id) ?? { memory: 0, vcpus: 0 };
  return rankWith(record.name, capacity, taken, part.jobs.length);
}

/** Nodes with one answer to every standing filter, as far as the labels in `keys` go. */
function groupOf({ information, record }: Node, { labels, arch }: Facts, keys: ReadonlySet<string>): string {
  const told = labels && [...keys].sort().map((key) => (Object.hasOwn(labels, key) ? labels[key] : null));
  const own = information && [
    information.runtimes.map(({ name }) => name),
    information.fields,
    information.grants,
    information.accepts,
  ];
  return JSON.stringify([told, arch, own, record.dialect]);
}

function putIn(index: NodeIndex, spot: Spot): void {
  index.spots.set(spot.id, spot);
  const ranked = index.groups.get(spot.group) ?? createRanked<Spot>(compareRank);
  insertRanked(ranked, spot);
  index.groups.set(spot.group, ranked);
}

function takeOut(index: NodeIndex, spot: Spot): void {
  index.spots.delete(spot.id);
  const ranked = index.groups.get(spot.group);
  if (ranked) removeRanked(ranked, spot);
  if (ranked?.chunks.length === 0) index.groups.delete(spot.group);
  removeFrom(index.addresses, spot.address, spot.id);
  for (const alias of spot.aliases) removeFrom(index.aliases, alias, spot.id);
}

function addTo(map: Map<string, Set<NodeId>>, key: string, id: NodeId): void {
  map.set(key, (map.get(key) ?? new Set()).add(id));
}

function removeFrom(map: Map<string, Set<NodeId>>, key: string, id: NodeId): void {
  const ids = map.get(key);
  ids?.delete(id);
  if (ids?.size === 0) map.delete(key);
}
