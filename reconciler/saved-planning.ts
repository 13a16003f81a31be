/** What a dry run reads, as a file (schemas/cluster-snapshot.ts): written by the reconciler, and read where there is none. */
import { type ClusterSnapshot, snapshotFormat, snapshotNote, snapshotVersion } from '../schemas/cluster-snapshot.ts';
import type { Mono, Wall } from '../schemas/ports.ts';
import { oakctlVersion } from '../schemas/version.ts';
import type { Policy } from './core/model.ts';
import { restoreWorld, type SavedWorld, saveWorldSteps } from './core/saved-world.ts';
import type { ReadFile } from './core/snapshot.ts';
import { atOnce, type Steps } from './core/steps.ts';
import { cloneWorld } from './core/world.ts';
import type { PlannedSource, Planning } from './planning.ts';

/** A cluster snapshot with all its types. */
export interface SavedPlanning extends ClusterSnapshot, Pick<Planning, 'limits' | 'labels' | 'direct'> {
  /** `grace`: ms in which no node becomes lost. */
  readonly policy: Omit<Policy, 'graceUntil' | 'isDryRun'> & { readonly grace: number };
  readonly world: SavedWorld;
  readonly sources: readonly PlannedSource[];
}

/** All of it in one go. */
export function savePlanning(planning: Planning, fingerprint: string): SavedPlanning {
  return atOnce(saveSteps(planning, fingerprint));
}

/** As {@link savePlanning}, in steps. The world is copied with the first one: what comes later is not in the snapshot. */
export function* saveSteps(planning: Planning, fingerprint: string): Steps<SavedPlanning> {
  const { world, policy, now, limits, labels, direct, sources } = planning;
  const { graceUntil, isDryRun: _never, ...rules } = policy;
  const copied = cloneWorld(world);
  yield;
  const saved = yield* saveWorldSteps(copied, now.mono);
  return {
    format: snapshotFormat,
    version: snapshotVersion,
    note: snapshotNote,
    cluster: world.cluster,
    fingerprint,
    taken: now.wall,
    by: oakctlVersion,
    limits,
    ...(labels && { labels }),
    policy: { ...rules, grace: graceUntil - now.mono },
    direct,
    sources: sources.map((source) => ({ ...source, before: source.before.map(withoutProblems) })),
    world: saved,
  };
}

/** What was wrong with a version that is not asked for any more says nothing. */
function withoutProblems(file: ReadFile): ReadFile {
  return { ...file, reading: { ...file.reading, problems: [] } };
}

/** The moment of the snapshot is `mono` 0: a plan of it is the plan of that moment, whenever it is made. */
export function restorePlanning({ policy, taken, limits, labels, direct, sources, world }: SavedPlanning): Planning {
  const mono = 0 as Mono;
  const { grace, ...rules } = policy;
  return {
    world: restoreWorld(world, mono),
    policy: { ...rules, graceUntil: grace as Mono },
    now: { mono, wall: taken as Wall },
    limits,
    ...(labels && { labels }),
    direct,
    sources,
  };
}
