/**
 * A world as a value that can be written to a file, and the world that such a value stands for. Times of this process become ages
 * at the moment of saving; indexes are left out and built anew. No credential is in it, nor what one could be made of.
 */
import type { Part } from '../../schemas/assignment.ts';
import type { CopyReport, InformationMessage, Job } from '../../schemas/messages.ts';
import type { CopyId, InstanceName, NodeId, ServiceName } from '../../schemas/names.ts';
import type { Mono } from '../../schemas/ports.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import type { Hold } from '../../schemas/status.ts';
import { putCopy } from './copy-index.ts';
import type { Deviation, Suspend } from './deviations.ts';
import type { Lease } from './leases.ts';
import type { Copy, Desired, Fence, Listing, Node, NodeRecord, Rollout, RolloutSeen, World } from './model.ts';
import { reserve } from './node-events.ts';
import { indexNode } from './node-index.ts';
import type { ScheduleState } from './runs.ts';
import { noteSigns } from './signs.ts';
import { atOnce, type Steps } from './steps.ts';
import type { TagRecords } from './tags.ts';
import { apply, createWorld } from './world.ts';

/** ms before the moment of saving. */
type Age = number;

/** Of a record what planning reads: nothing that admits anybody. */
type SavedRecord = Pick<NodeRecord, 'id' | 'name' | 'ordinal' | 'joined' | 'cordon' | 'dialect'>;

export interface SavedNode {
  readonly record: SavedRecord;
  readonly heard?: Age;
  readonly gone?: { readonly age: Age; readonly reason?: string };
  readonly stale?: true;
  readonly duplicate?: NonNullable<Node['duplicate']>;
  readonly foreign?: number;
  readonly information?: InformationMessage;
  /** Header of its last report. */
  readonly reported?: NonNullable<Node['reported']>;
  readonly part: Part;
  readonly adopted: boolean;
  /** Bytes of its part on the wire. */
  readonly size?: number;
}

export interface SavedCopy {
  readonly service: ServiceName;
  readonly slot: number;
  readonly instance: InstanceName;
  readonly copy: CopyId;
  readonly node: NodeId;
  readonly job?: Job;
  readonly report?: CopyReport;
  readonly leaving?: RunSpec;
  readonly since?: Age;
  readonly progress?: Age;
  readonly notice?: Age;
}

type Named<T> = Readonly<Record<string, T>>;

export interface SavedWorld {
  readonly cluster: string;
  readonly fence: Fence;
  readonly recovering: boolean;
  readonly desired: Named<Desired>;
  readonly deviations: Named<Deviation>;
  /** Absent in snapshots of earlier versions. */
  readonly suspends?: Named<Suspend>;
  readonly held: Named<Hold>;
  readonly rollouts: Named<Rollout>;
  readonly rolloutSeen: Named<Omit<RolloutSeen, 'at'> & { readonly age: Age }>;
  readonly schedules: Named<ScheduleState>;
  /** Without what is being asked. */
  readonly tags?: Named<TagRecords>;
  readonly tombstones: Named<CopyId>;
  readonly homes: Named<NodeId>;
  readonly heirs?: Named<NodeId>;
  readonly inherited?: Named<NodeId>;
  readonly leases: Named<Omit<Lease, 'granted'> & { readonly age?: Age }>;
  readonly stranger?: { readonly node: NodeId; readonly age: Age };
  readonly ancestry: Named<boolean>;
  readonly heads: Named<string>;
  readonly listings: readonly Listing[];
  readonly nodes: readonly SavedNode[];
  readonly copies: readonly SavedCopy[];
  readonly failures: Named<Named<{ readonly times: number; readonly age: Age }>>;
}

/** What becomes of each member of a world: a new one has to be thought of here. */
export const members = {
  cluster: 'saved',
  fence: 'saved',
  recovering: 'saved',
  desired: 'saved',
  deviations: 'saved',
  suspends: 'saved',
  held: 'saved',
  rollouts: 'saved',
  rolloutSeen: 'saved',
  schedules: 'saved',
  tags: 'saved',
  tombstones: 'saved',
  homes: 'saved',
  heirs: 'saved',
  inherited: 'saved',
  leases: 'saved',
  stranger: 'saved',
  ancestry: 'saved',
  heads: 'saved',
  nodes: 'saved',
  listed: 'saved',
  copies: 'saved',
  failures: 'saved',
  names: 'built anew',
  expected: 'built anew',
  copiesOn: 'built anew',
  reserved: 'built anew',
  shunnedBy: 'built anew',
  sizes: 'built anew',
  index: 'built anew',
  everywhere: 'built anew',
  seated: 'built anew',
  signs: 'built anew',
  dirty: 'of the loop alone',
  waiting: 'of the loop alone',
  awaited: 'of the loop alone',
} as const satisfies Readonly<Record<keyof World, string>>;

/** The world as it is at `now`. */
export function saveWorld(world: Readonly<World>, now: Mono): SavedWorld {
  return atOnce(saveWorldSteps(world, now));
}

/** As {@link saveWorld}, in steps. Nobody may change the world meanwhile. */
export function* saveWorldSteps(world: Readonly<World>, now: Mono): Steps<SavedWorld> {
  const named = <T>(map: ReadonlyMap<string, T>): Named<T> => Object.fromEntries(map);
  const changed = <T, U>(map: ReadonlyMap<string, T>, change: (value: T) => U): Named<U> =>
    Object.fromEntries([...map].map(([key, value]) => [key, change(value)]));
  const nodes: SavedNode[] = [];
  for (const node of world.nodes.values()) {
    nodes.push(saveNode(world, node, now));
    yield;
  }
  const copies: SavedCopy[] = [];
  for (const ofService of world.copies.values()) {
    for (const copy of ofService.values()) copies.push(saveCopy(copy, now));
    yield;
  }
  return {
    cluster: world.cluster,
    fence: world.fence,
    recovering: world.recovering,
    desired: named(world.desired),
    deviations: named(world.deviations),
    suspends: named(world.suspends),
    held: named(world.held),
    rollouts: named(world.rollouts),
    rolloutSeen: changed(world.rolloutSeen, ({ at, ...seen }) => ({ ...seen, age: now - at })),
    schedules: named(world.schedules),
    tags: changed(world.tags, ({ known }) => known),
    tombstones: named(world.tombstones),
    homes: named(world.homes),
    heirs: named(world.heirs),
    inherited: named(world.inherited),
    leases: changed(world.leases, ({ granted, ...lease }) => ({
      ...lease,
      ...(granted !== undefined && { age: now - granted }),
    })),
    ...(world.stranger && { stranger: { node: world.stranger.node, age: now - world.stranger.at } }),
    ancestry: named(world.ancestry),
    heads: named(world.heads),
    listings: [...world.listed.byName.values()],
    nodes,
    copies,
    failures: changed(world.failures, (nodes) => changed(nodes, ({ times, at }) => ({ times, age: now - at }))),
  };
}

function saveNode({ sizes }: Pick<World, 'sizes'>, node: Node, now: Mono): SavedNode {
  const { record, heard, gone, stale, duplicate, foreign, information, reported, part, adopted } = node;
  const { id, name, ordinal, joined, cordon, dialect } = record;
  const size = sizes.get(id);
  return {
    record: { id, name, ordinal, joined, ...(cordon && { cordon }), ...(dialect && { dialect }) },
    ...(heard !== undefined && { heard: now - heard }),
    ...(gone && { gone: { age: now - gone.at, ...(gone.reason !== undefined && { reason: gone.reason }) } }),
    ...(stale && { stale }),
    ...(duplicate && { duplicate }),
    ...(foreign !== undefined && { foreign }),
    ...(information && { information }),
    ...(reported && { reported }),
    part,
    adopted,
    ...(size !== undefined && { size }),
  };
}

function saveCopy({ since, progress, notice, ...copy }: Copy, now: Mono): SavedCopy {
  return {
    ...copy,
    ...(since !== undefined && { since: now - since }),
    ...(progress !== undefined && { progress: now - progress }),
    ...(notice !== undefined && { notice: now - notice }),
  };
}

/** The world that was saved; `now` is the moment of saving on the clock of whoever restores it. */
export function restoreWorld(saved: SavedWorld, now: Mono): World {
  const world = createWorld({ cluster: saved.cluster, fence: saved.fence });
  world.recovering = saved.recovering;
  for (const [key, hold] of Object.entries(saved.held)) world.held.set(key, hold);
  for (const [key, suspend] of Object.entries(saved.suspends ?? {})) world.suspends.set(key, suspend);
  for (const [key, rollout] of Object.entries(saved.rollouts)) world.rollouts.set(key, rollout);
  for (const [key, { age, ...seen }] of Object.entries(saved.rolloutSeen))
    world.rolloutSeen.set(key, { ...seen, at: (now - age) as Mono });
  for (const [key, state] of Object.entries(saved.schedules)) world.schedules.set(key, state);
  for (const [key, known] of Object.entries(saved.tags ?? {})) world.tags.set(key, { known });
  for (const [key, copy] of Object.entries(saved.tombstones)) world.tombstones.set(key, copy);
  for (const [key, node] of Object.entries(saved.homes)) world.homes.set(key, node);
  for (const [key, node] of Object.entries(saved.heirs ?? {})) world.heirs.set(key, node);
  for (const [key, node] of Object.entries(saved.inherited ?? {})) world.inherited.set(key, node);
  for (const [key, { age, ...lease }] of Object.entries(saved.leases))
    world.leases.set(key, { ...lease, ...(age !== undefined && { granted: (now - age) as Mono }) });
  if (saved.stranger) world.stranger = { node: saved.stranger.node, at: (now - saved.stranger.age) as Mono };
  for (const [key, commit] of Object.entries(saved.heads)) world.heads.set(key, commit);
  for (const [key, is] of Object.entries(saved.ancestry)) world.ancestry.set(key, is);
  for (const [service, nodes] of Object.entries(saved.failures)) {
    const failures = Object.entries(nodes).map(
      ([id, { times, age }]) => [id, { times, at: (now - age) as Mono }] as const,
    );
    world.failures.set(service, new Map(failures));
  }
  restoreNodes(world, saved, now);
  for (const [service, desired] of Object.entries(saved.desired)) apply(world, { kind: 'desired', service, desired });
  for (const [service, deviation] of Object.entries(saved.deviations))
    apply(world, { kind: 'deviation', service, deviation });
  world.dirty.clear();
  return world;
}

function restoreNodes(world: World, { nodes, copies, listings }: SavedWorld, now: Mono): void {
  const at = (age: Age | undefined) => (age === undefined ? undefined : ((now - age) as Mono));
  for (const { record, heard, gone, size, ...rest } of nodes) {
    world.nodes.set(record.id, {
      ...rest,
      record: { ...record, serial: 0 },
      aliases: [],
      ...(heard !== undefined && { heard: at(heard) as Mono }),
      ...(gone && {
        gone: { at: at(gone.age) as Mono, ...(gone.reason !== undefined && { reason: gone.reason }) },
      }),
    });
    world.names.set(record.name, record.id);
    if (size !== undefined) world.sizes.set(record.id, size);
  }
  for (const { since, progress, notice, ...copy } of copies) {
    putCopy(world, {
      ...copy,
      ...(since !== undefined && { since: at(since) as Mono }),
      ...(progress !== undefined && { progress: at(progress) as Mono }),
      ...(notice !== undefined && { notice: at(notice) as Mono }),
    });
  }
  // After the entries of nodes.yaml: they say what a node is.
  apply(world, { kind: 'listings', listings, removed: [] });
  for (const { record } of nodes) {
    indexNode(world, record.id);
    noteSigns(world, record.id);
    reserve(world, record.id);
  }
}
