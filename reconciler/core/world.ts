/** The world and the one way to change it. `apply` keeps every index as if it were built anew. */
import { changePart, jobOf, type Part, type PartChange } from '../../schemas/assignment.ts';
import { type CopyId, copyId, type NodeId, type ServiceName } from '../../schemas/names.ts';
import type { Mono } from '../../schemas/ports.ts';
import type { JobSource } from '../../schemas/spec.ts';
import type { Action } from './action.ts';
import { indexNotices } from './copy-index.ts';
import type { Copy, Desired, Fence, World } from './model.ts';
import {
  dirtyAll,
  dirtyNode,
  duplicateSeen,
  foreignCame,
  formerSeen,
  heirKnown,
  informationCame,
  instancesCame,
  ledgerMoved,
  ledgerRead,
  listingsRead,
  nodeForgotten,
  nodeKnown,
  onlineCame,
  setPart,
} from './node-events.ts';
import { cloneNodeIndex, createNodeIndex, indexLabels } from './node-index.ts';
import { cloneSigns, createSigns } from './signs.ts';
import { covers, suspendedNode } from './suspends.ts';
import { shunnedServices, wantedOf } from './wanted.ts';
import type { Promised, WorldEvent } from './world-event.ts';

type Of<K extends WorldEvent['kind']> = Extract<WorldEvent, { kind: K }>;

/** A world that knows nothing yet and is recovering. */
export function createWorld(start: { readonly cluster: string; readonly fence: Fence }): World {
  return {
    cluster: start.cluster,
    fence: start.fence,
    recovering: true,
    desired: new Map(),
    deviations: new Map(),
    suspends: new Map(),
    held: new Map(),
    rollouts: new Map(),
    rolloutSeen: new Map(),
    schedules: new Map(),
    tags: new Map(),
    tombstones: new Map(),
    homes: new Map(),
    heirs: new Map(),
    inherited: new Map(),
    leases: new Map(),
    stranger: undefined,
    ancestry: new Map(),
    heads: new Map(),
    nodes: new Map(),
    names: new Map(),
    listed: { byName: new Map(), byIp: new Map() },
    expected: new Map(),
    copies: new Map(),
    copiesOn: new Map(),
    reserved: new Map(),
    dirty: new Set(),
    waiting: new Set(),
    awaited: new Map(),
    shunnedBy: new Map(),
    sizes: new Map(),
    failures: new Map(),
    signs: createSigns(),
    index: createNodeIndex(),
    seated: new Set(),
    everywhere: new Set(),
  };
}

/** A world of its own with the same content: for dry runs. The values in it are shared, which is safe as they never change. */
export function cloneWorld(world: Readonly<World>): World {
  const deep = <K, V>(maps: ReadonlyMap<K, ReadonlyMap<string, V>>): Map<K, Map<string, V>> =>
    new Map([...maps].map(([key, inner]) => [key, new Map(inner)]));
  return {
    cluster: world.cluster,
    fence: world.fence,
    recovering: world.recovering,
    desired: new Map(world.desired),
    deviations: new Map(world.deviations),
    suspends: new Map(world.suspends),
    held: new Map(world.held),
    rollouts: new Map(world.rollouts),
    rolloutSeen: new Map(world.rolloutSeen),
    schedules: new Map(world.schedules),
    tags: new Map(world.tags),
    tombstones: new Map(world.tombstones),
    homes: new Map(world.homes),
    heirs: new Map(world.heirs),
    inherited: new Map(world.inherited),
    leases: new Map(world.leases),
    stranger: world.stranger,
    ancestry: new Map(world.ancestry),
    heads: new Map(world.heads),
    nodes: new Map(world.nodes),
    names: new Map(world.names),
    listed: world.listed,
    expected: new Map(world.expected),
    copies: deep<ServiceName, Copy>(world.copies),
    copiesOn: deep<NodeId, Copy>(world.copiesOn),
    reserved: new Map(world.reserved),
    dirty: new Set(world.dirty),
    waiting: new Set(world.waiting),
    awaited: new Map(world.awaited),
    shunnedBy: new Map([...world.shunnedBy].map(([name, by]) => [name, new Set(by)])),
    sizes: new Map(world.sizes),
    failures: new Map(world.failures),
    signs: cloneSigns(world.signs),
    index: cloneNodeIndex(world.index),
    seated: new Set(world.seated),
    everywhere: new Set(world.everywhere),
  };
}

/**
 * Lets one event in. Changes `world` in place and marks what must be planned again in `world.dirty`. A `promised` action answers
 * what it did to the part, for the control; undefined when its node is not known.
 */
export function apply(world: World, event: WorldEvent): Promised | undefined {
  if (event.kind === 'promised') return promise(world, event);
  handle(world, event);
  return undefined;
}

type Handled = Exclude<WorldEvent['kind'], 'promised'>;

/** TypeScript follows event and handler through the one type parameter. */
function handle<K extends Handled>(world: World, event: { [P in K]: Of<P> }[K]): void {
  const handler: (world: World, event: Of<K>) => void = handlers[event.kind as K];
  handler(world, event as Of<K>);
}

const handlers: { readonly [K in Handled]: (world: World, event: Of<K>) => void } = {
  node: (world, { record }) => nodeKnown(world, record),
  node_forgotten: (world, { node }) => nodeForgotten(world, node),
  heir: (world, { node, heir }) => heirKnown(world, node, heir),
  former: formerSeen,
  duplicate: duplicateSeen,
  information: informationCame,
  instances: instancesCame,
  online: onlineCame,
  foreign: foreignCame,
  ledger: (world, { node, part }) => ledgerRead(world, node, part),
  ledger_moved: (world, { node }) => ledgerMoved(world, node),
  listings: (world, { listings, removed }) => listingsRead(world, listings, removed),
  presence: (world, { node }) => dirtyNode(world, node),
  desired: (world, { service, desired }) => {
    shun(world, service, desired);
    if (!desired) world.failures.delete(service);
    if (desired) indexLabels(world, desired.spec);
    if (desired?.spec.replicas === 'every') world.everywhere.add(service);
    else world.everywhere.delete(service);
    put(world.desired, service, desired);
    seat(world, service);
    world.dirty.add(service);
  },
  deviation: (world, { service, deviation }) => {
    put(world.deviations, service, deviation);
    seat(world, service);
    world.dirty.add(service);
  },
  suspend: suspendIs,
  held: (world, { service, hold }) => {
    put(world.held, service, hold);
    world.dirty.add(service);
  },
  tombstone: (world, { service, copy }) => {
    put(world.tombstones, service, copy);
    world.dirty.add(service);
  },
  rollout: rolloutIs,
  schedule: (world, { service, state }) => put(world.schedules, service, state),
  tags: tagsAre,
  noticed: (world, { service, copies, at }) => indexNotices(world, service, copies, at),
  unpromised: takeBack,
  head: headIs,
  ancestry: (world, { source, commit, ancestor }) => {
    world.ancestry.set(ancestryKey({ name: source, commit }), ancestor);
    dirtyUnwanted(world, source);
  },
  waiting: waitingIs,
  home: (world, { instance, node }) => void world.homes.set(instance, node),
  lease: leaseIs,
  stranger: (world, { node, at }) => {
    world.stranger = { node, at };
    for (const [service, { spec }] of world.desired) if (spec.exclusive) world.dirty.add(service);
  },
  recovered: (world) => {
    world.recovering = false;
    dirtyAll(world, world.desired.keys());
    dirtyAll(world, world.copies.keys());
    dirtyAll(world, world.tags.keys());
  },
};

/** Key of the ancestry index for a job's source. */
export function ancestryKey(source: JobSource): string {
  return `${source.name}@${source.commit ?? ''}`;
}

/** The action counts as done: the next gen is drawn, part, copies and reservations are as they will be. */
function promise(world: World, { action, at }: Of<'promised'>): Promised | undefined {
  const before = world.nodes.get(action.node)?.part;
  if (!before) return undefined;
  world.fence = { ...world.fence, gen: world.fence.gen + 1 };
  const copy = action.kind === 'start' ? copyId(world.fence) : action.copy;
  const home = world.homes.get(action.instance);
  const heir = world.inherited.get(action.instance);
  if (action.kind === 'start') {
    world.inherited.delete(action.instance);
    if (action.placed) world.homes.set(action.instance, action.node);
  }
  const change = changeFor(action, before, copy);
  const after = change ? changePart(before, change, world.fence) : { ...before, fence: world.fence };
  setPart(world, action.node, after, at);
  const known = { ...(home !== undefined && { home }), ...(heir !== undefined && { heir }) };
  return { node: action.node, before, after, copy, ...known };
}

/** The gen that it drew is not drawn again. */
function takeBack(world: World, { action, promised }: Of<'unpromised'>): void {
  setPart(world, promised.node, promised.before);
  if (action.kind !== 'start') return;
  const { instance } = action;
  if (action.placed) put(world.homes, instance, promised.home);
  if (promised.heir !== undefined && !world.inherited.has(instance)) world.inherited.set(instance, promised.heir);
}

function changeFor(action: Action, part: Part, copy: CopyId): PartChange | undefined {
  const { instance } = action;
  if (action.kind === 'drop') return { kind: 'drop', instance, copy };
  if (action.kind === 'start') {
    const { want, digest, runtime, source, run, reserves, variables, secrets, away, content } = action;
    const beside = {
      ...(reserves && { reserves }),
      ...(variables && { variables }),
      ...(secrets && { secrets }),
      ...(away && { away }),
      ...(content !== undefined && { content }),
    };
    return { kind: 'upsert', job: { instance, copy, want, digest, runtime, source, ...beside }, document: run };
  }
  const job = jobOf(part, { instance, copy });
  const document = job && part.documents[job.digest];
  if (!job || !document) return undefined;
  const { away: before, ...rest } = job;
  const away = action.away ?? before;
  const next = { ...rest, want: action.want, source: action.source ?? job.source };
  return { kind: 'upsert', job: away && away !== 'always' ? { ...next, away } : next, document };
}

function rolloutIs(world: World, { service, rollout, at, restored }: Of<'rollout'>): void {
  put(world.rollouts, service, rollout);
  const seen = world.rolloutSeen.get(service);
  if (!rollout) world.rolloutSeen.delete(service);
  else if (seen?.digest !== rollout.digest) {
    const from = (at - (rollout.waited ?? 0)) as Mono;
    world.rolloutSeen.set(service, { digest: rollout.digest, at: from, ...(restored && { restored }) });
  }
}

/** What it reaches is planned. When it ends, deadlines count anew: nothing could be done meanwhile. */
function suspendIs(world: World, { subject, suspend, at }: Of<'suspend'>): void {
  put(world.suspends, subject, suspend);
  const node = suspendedNode(subject);
  if (node !== undefined) dirtyNode(world, node);
  const on = new Set([...(world.copiesOn.get(node ?? '')?.values() ?? [])].map(({ service }) => service));
  for (const service of new Set([...world.desired.keys(), ...world.copies.keys()])) {
    if (!on.has(service) && !covers(subject, service)) continue;
    world.dirty.add(service);
    const seen = suspend ? undefined : world.rolloutSeen.get(service);
    if (seen) world.rolloutSeen.set(service, { digest: seen.digest, at });
  }
}

/** The answer lets go on what waits for it; what is on record by then changes nothing that runs. */
function tagsAre(world: World, { service, tags }: Of<'tags'>): void {
  const asked = world.tags.get(service)?.asked;
  put(world.tags, service, tags);
  if (asked !== undefined && tags?.asked !== asked) world.dirty.add(service);
}

function waitingIs(world: World, { service, waits, for: names = [] }: Of<'waiting'>): void {
  if (waits) world.waiting.add(service);
  else world.waiting.delete(service);
  for (const [name, waiters] of [...world.awaited]) {
    if (!waiters.has(service) || names.includes(name)) continue;
    const others = new Set([...waiters].filter((one) => one !== service));
    if (others.size > 0) world.awaited.set(name, others);
    else world.awaited.delete(name);
  }
  for (const name of names) world.awaited.set(name, new Set([...(world.awaited.get(name) ?? []), service]));
}

/** A lease that is given again is no news; another holder is. */
function leaseIs(world: World, { service, lease }: Of<'lease'>): void {
  const before = world.leases.get(service);
  put(world.leases, service, lease);
  if (before?.instance !== lease?.instance || before?.copy !== lease?.copy) world.dirty.add(service);
}

/** A new head makes what is known about ancestors of the old one worthless. */
function headIs(world: World, { source, commit }: Of<'head'>): void {
  if (world.heads.get(source) === commit) return;
  world.heads.set(source, commit);
  for (const key of [...world.ancestry.keys()]) if (key.startsWith(`${source}@`)) world.ancestry.delete(key);
  dirtyUnwanted(world, source);
}

/** Services that nothing asks for any more, with jobs of this source, or done for it. */
function dirtyUnwanted(world: World, source: string): void {
  for (const [service, rollout] of world.rollouts)
    if (rollout.source === source && !world.desired.has(service)) world.dirty.add(service);
  for (const [service, copies] of world.copies) {
    if (world.desired.has(service)) continue;
    if ([...copies.values()].some((copy: Copy) => copy.job?.source.name === source)) world.dirty.add(service);
  }
}

/** Keeps the index of who must be kept apart from whom. */
function shun(world: World, service: ServiceName, next: Desired | undefined): void {
  for (const other of shunnedServices(world.desired.get(service))) {
    // Who was kept away by a rule that is gone may find a place now, and who is in a place may be right there.
    if (world.waiting.has(other) || world.copies.has(other)) world.dirty.add(other);
    const by = world.shunnedBy.get(other);
    by?.delete(service);
    if (by?.size === 0) world.shunnedBy.delete(other);
  }
  for (const other of shunnedServices(next)) {
    // Who is too near by a new rule is to say so.
    if (world.copies.has(other)) world.dirty.add(other);
    const by = world.shunnedBy.get(other) ?? new Set();
    world.shunnedBy.set(other, by.add(service));
  }
}

/** Keeps the index of who was given a place. */
function seat(world: World, service: ServiceName): void {
  if (wantedOf(world, service)?.seats) world.seated.add(service);
  else world.seated.delete(service);
}

function put<T>(map: Map<ServiceName, T>, key: ServiceName, value: T | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
