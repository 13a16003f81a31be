/** What a dry run reads, as a file (schemas/cluster-snapshot.ts): written by the reconciler, and read where there is none. */
import { type ClusterSnapshot, snapshotFormat, snapshotNote, snapshotVersion } from '../schemas/cluster-snapshot.ts';
import type { Mono, Wall } from '../schemas/ports.ts';
import { oakctlVersion } from '../schemas/version.ts';
import type { Policy } from './core/model.ts';
import { restoreWorld, type SavedWorld, saveWorld } from './core/saved-world.ts';
import type { ReadFile } from './core/snapshot.ts';
import type { PlannedSource, Planning } from './planning.ts';

/** A cluster snapshot with all its types. */
export interface SavedPlanning extends ClusterSnapshot, Pick<Planning, 'limits' | 'labels' | 'direct'> {
  /** `grace`: ms in which no node becomes lost. */
  readonly policy: Omit<Policy, 'graceUntil' | 'isDryRun'> & { readonly grace: number };
  readonly world: SavedWorld;
  readonly sources: readonly PlannedSource[];
}

export function savePlanning(planning: Planning, fingerprint: string): SavedPlanning {
  const { world, policy, now, limits, labels, direct, sources } = planning;
  const { graceUntil, isDryRun: _never, ...rules } = policy;
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
    world: saveWorld(world, now.mono),
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
