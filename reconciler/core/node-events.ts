/** What messages of nodes do to the world. A retained message gives content, never freshness. */
import { emptyPart, normalisePart, type Part } from '../../schemas/assignment.ts';
import type { InformationMessage } from '../../schemas/messages.ts';
import { type NodeId, parseInstanceName, type ServiceName } from '../../schemas/names.ts';
import type { Mono } from '../../schemas/ports.ts';
import { forgetCopies, indexJobs, indexReports } from './copy-index.ts';
import { forgetFailures, noteFailures } from './failures.ts';
import { rematch, rematchNode } from './listings.ts';
import type { Listing, Node, NodeRecord, Reserved, World } from './model.ts';
import { isUnwritable } from './node-facts.ts';
import { indexNode, rankNode } from './node-index.ts';
import { sizeAfter } from './part-size.ts';
import { beatOf } from './presence.ts';
import { frees, reservedAfter, reservedBy } from './reserved.ts';
import { noteSigns } from './signs.ts';
import { tagsFound } from './tags.ts';
import { hasVolumes } from './volumes.ts';
import { shunnedServices, wantedOf } from './wanted.ts';
import type { WorldEvent } from './world-event.ts';

type Of<K extends WorldEvent['kind']> = Extract<WorldEvent, { kind: K }>;

/** A node joined, or its record changed. */
export function nodeKnown(world: World, record: NodeRecord): void {
  const known = world.nodes.get(record.id);
  world.nodes.set(record.id, known ? { ...known, record } : { record, aliases: [], part: emptyPart, adopted: false });
  world.names.set(record.name, record.id);
  noteSigns(world, record.id);
  reserve(world, record.id);
  rematchNode(world, record.id);
  indexNode(world, record.id);
  dirtyNode(world, record.id);
  dirtySeated(world, record.id);
}

/** Revoked or removed: nothing of it counts any more. */
export function nodeForgotten(world: World, id: NodeId): void {
  const name = world.nodes.get(id)?.record.name ?? '';
  if (world.names.get(name) === id) world.names.delete(name);
  const services = forgetCopies(world, id);
  world.nodes.delete(id);
  world.reserved.delete(id);
  world.sizes.delete(id);
  forgetFailures(world, id);
  noteSigns(world, id);
  indexNode(world, id);
  if (world.listed.byName.size > 0) rematch(world, world.listed.byName.values());
  dirtyAll(world, services);
  dirtyWaiting(world);
  dirtySeated(world, id);
}

/** Its machine was replaced: what runs there is to run on the new one. */
export function heirKnown(world: World, id: NodeId, heir: NodeId): void {
  world.heirs.set(id, heir);
  for (const { instance, job } of world.copiesOn.get(id)?.values() ?? []) {
    if (job?.want === 'run') world.inherited.set(instance, heir);
  }
  // Replaced before what it had inherited started.
  for (const [instance, node] of world.inherited) if (node === id) world.inherited.set(instance, heir);
}

/** Shown, and nothing else. */
export function formerSeen(world: World, { node: id, at }: Of<'former'>): void {
  const node = world.nodes.get(id);
  if (node) world.nodes.set(id, { ...node, former: at });
}

/** Two agents speak for it, or only one any more. */
export function duplicateSeen(world: World, { node: id, duplicate: seen }: Of<'duplicate'>): void {
  const known = world.nodes.get(id);
  if (!known) return;
  const { duplicate, ...node } = known;
  world.nodes.set(id, seen ? { ...node, duplicate: seen } : node);
  if ((duplicate === undefined) !== (seen === undefined)) dirtyNode(world, id);
}

/** Usage, capacity, labels. Only what placement looks at dirties anything. */
export function informationCame(world: World, event: Of<'information'>): void {
  const before = hear(world, event);
  if (!before || isStale(before.information, event.message)) return;
  const old = before.information;
  const information = old ? sharing(old, event.message) : event.message;
  world.nodes.set(event.node, { ...nodeOf(world, event.node, before), information });
  noteSigns(world, event.node);
  if (old?.ip !== information.ip || old.advertise !== information.advertise) rematchNode(world, event.node);
  const { listing } = nodeOf(world, event.node, before);
  if (old && listing === before.listing && samePlacement(old, information)) return;
  indexNode(world, event.node);
  dirtyNode(world, event.node);
}

/** The complete set of copies of the node. */
export function instancesCame(world: World, event: Of<'instances'>): void {
  const before = hear(world, event);
  if (!before || isStale(before.reported, event.message)) return;
  const { copies, ...header } = event.message;
  const { stale, ...node } = nodeOf(world, event.node, before);
  noteFailures(world, event.node, copies, event.at);
  const isFresh = !event.retained || (!node.gone && node.information?.session === header.session);
  world.nodes.set(event.node, { ...node, reported: header, ...(stale && !isFresh ? { stale } : {}) });
  dirtyAll(world, indexReports(world, event.node, copies, event.at));
  reserve(world, event.node);
  if (stale && isFresh) dirtyNode(world, event.node);
}

/** It said that it is online, or its will said that it is not. */
export function onlineCame(world: World, event: Of<'online'>): void {
  const { node: id, message, at } = event;
  if (message.online) {
    const before = hear(world, event);
    if (before) world.nodes.set(id, { ...nodeOf(world, id, before), online: message });
    return;
  }
  const before = world.nodes.get(id);
  if (!before || isOldWill(before, message.session)) return;
  const gone = { at, ...(message.reason === undefined ? {} : { reason: message.reason }) };
  world.nodes.set(id, { ...before, online: message, gone: before.gone ?? gone });
  noteSigns(world, id);
  dirtyNode(world, id);
}

/** It lives, and says what nobody here understands: what is known of its copies is old until it is understood again. */
export function foreignCame(world: World, { node: id, version, at }: Of<'foreign'>): void {
  const before = hear(world, { node: id, message: { session: '' }, retained: false, at });
  if (!before) return;
  world.nodes.set(id, { ...nodeOf(world, id, before), stale: true, foreign: version });
  if (before.foreign === undefined) dirtyNode(world, id);
}

/** The ledger of a node becomes its part, unless we promised it something already. */
export function ledgerRead(world: World, id: NodeId, part: Part): void {
  const node = world.nodes.get(id);
  if (!node || node.adopted) return;
  world.nodes.set(id, { ...node, adopted: true });
  setPart(world, id, normalisePart(part));
  // Records that were lost are made good by what runs.
  for (const job of part.jobs) {
    const { instance, digest } = job;
    const run = part.documents[digest];
    if (run && hasVolumes(run) && !world.homes.has(instance)) world.homes.set(instance, id);
    const service = parseInstanceName(instance)?.service ?? '';
    const tags = tagsFound(world.tags.get(service), job);
    if (tags) world.tags.set(service, tags);
  }
  dirtyNode(world, id);
}

/** As before its ledger was read; what was read stays until it is read again. */
export function ledgerMoved(world: World, id: NodeId): void {
  const node = world.nodes.get(id);
  if (!node) return;
  world.nodes.set(id, { ...node, adopted: false });
  dirtyNode(world, id);
}

/** Replaces a node's part with all that follows from it. What that costs depends on what changes, not on what is on the node. */
export function setPart(world: World, id: NodeId, part: Part, at?: Mono): void {
  const node = world.nodes.get(id);
  if (!node) return;
  const parts = { before: node.part, after: part };
  world.nodes.set(id, { ...node, part });
  world.sizes.set(id, sizeAfter(world.sizes.get(id) ?? 0, parts.before, parts.after));
  const touched = indexJobs(world, id, parts, at);
  const own = touched.filter((one) => one.node === id);
  const reserved = world.reserved.get(id);
  const documents = { before: parts.before.documents, after: parts.after.documents };
  const after = reserved && reservedAfter(reserved, own, documents);
  if (after) reserveAs(world, id, after);
  else reserve(world, id);
  // Who claimed one of them does not have it any more.
  for (const other of touched) if (other.node !== id && world.nodes.has(other.node)) reserve(world, other.node);
}

/** Counts anew what is reserved on the node, and plans what waits if something became free. */
export function reserve(world: World, id: NodeId): void {
  const documents = world.nodes.get(id)?.part.documents ?? {};
  reserveAs(world, id, reservedBy(world.copiesOn.get(id)?.values() ?? [], documents));
}

function reserveAs(world: World, id: NodeId, after: Reserved): void {
  const before = world.reserved.get(id);
  world.reserved.set(id, after);
  rankNode(world, id);
  if (frees(before, after)) dirtyWaiting(world);
}

/** nodes.yaml was read. */
export function listingsRead(world: World, listings: readonly Listing[], removed: readonly string[]): void {
  const changed = rematch(world, listings, removed);
  for (const id of changed) dirtyNode(world, id);
}

/** Plans what is on the node, and what waits for nodes. */
export function dirtyNode(world: World, id: NodeId): void {
  for (const { service } of world.copiesOn.get(id)?.values() ?? []) {
    world.dirty.add(service);
    dirtyApart(world, service);
  }
  dirtyWaiting(world);
}

/** Plans what is to be kept apart from the service, by its rules or by theirs: it may be too near now. */
function dirtyApart(world: World, service: ServiceName): void {
  for (const other of shunnedServices(world.desired.get(service))) if (world.copies.has(other)) world.dirty.add(other);
  for (const other of world.shunnedBy.get(service) ?? []) if (world.copies.has(other)) world.dirty.add(other);
}

/** Plans what waits for room or for a node, and what runs on every node. */
export function dirtyWaiting(world: World): void {
  dirtyAll(world, world.waiting);
  dirtyAll(world, world.everywhere);
}

/** Plans what was told to go to the node: whether that counts may have changed. */
function dirtySeated(world: World, id: NodeId): void {
  for (const service of world.seated) {
    const seats = Object.values(wantedOf(world, service)?.seats ?? {});
    if (seats.some(({ to }) => to === id)) world.dirty.add(service);
  }
}

export function dirtyAll(world: World, services: Iterable<ServiceName>): void {
  for (const service of services) world.dirty.add(service);
}

/** Counts the message as a sign of life unless it is retained. Returns the node as it was; undefined when unknown. */
function hear(
  world: World,
  event: {
    readonly node: NodeId;
    readonly message: { readonly session: string };
    readonly retained: boolean;
    readonly at: Mono;
  },
): Node | undefined {
  const node = world.nodes.get(event.node);
  if (!node || event.retained) return node;
  const { gone, stale, foreign, ...rest } = node;
  // An agent reports every change while it is connected: only a lost connection or a new process makes its last report old.
  const old = stale || gone !== undefined || (node.reported && node.reported.session !== event.message.session);
  world.nodes.set(event.node, { ...rest, heard: event.at, ...(old ? { stale: true } : {}) });
  noteSigns(world, event.node);
  const silent = node.heard === undefined || gone !== undefined || event.at - node.heard > 2 * beatOf(node);
  if (silent) dirtyNode(world, event.node);
  return node;
}

/** Same session and no later than what is known: a repetition, or one that was overtaken. */
function isStale(
  known: { readonly session: string; readonly seq: number } | undefined,
  message: { readonly session: string; readonly seq: number },
): boolean {
  return known !== undefined && known.session === message.session && message.seq <= known.seq;
}

/** The will of a connection that a newer session of the same agent has replaced. */
function isOldWill(node: Node, session: string): boolean {
  return node.online?.online === true && node.online.session !== session && node.heard !== undefined;
}

const shared = ['capacity', 'runtimes', 'fields', 'labels', 'grants', 'accepts', 'advertise', 'secrets'] as const;

/** The message, with the parts of the last one that it says again: of 10,000 nodes each is held once, and compared at a glance. */
function sharing(old: InformationMessage, message: InformationMessage): InformationMessage {
  const same = shared.filter((field) => field in message && isSame(old[field], message[field]));
  return { ...message, ...Object.fromEntries(same.map((field) => [field, old[field]])) };
}

/** Do two values of JSON say the same? */
function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const [keys, others] = [Object.keys(a), Object.keys(b)];
  if (keys.length !== others.length) return false;
  return keys.every((key) => isSame((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]));
}

/** Is what placement and holds read of a node as before? Only of messages that were made to share. */
function samePlacement(old: InformationMessage, message: InformationMessage): boolean {
  const isOpen = isUnwritable({ information: old }) === isUnwritable({ information: message });
  const isThere = old.ip === message.ip && old.arch === message.arch && old.level === message.level;
  return isOpen && isThere && shared.every((field) => old[field] === message[field]);
}

function nodeOf(world: World, id: NodeId, fallback: Node): Node {
  return world.nodes.get(id) ?? fallback;
}
