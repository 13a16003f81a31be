/** All that a dry run reads, as a value: taken from the running reconciler, or from a file that it wrote once. */
import type { ServiceName } from '../schemas/names.ts';
import type { Now } from '../schemas/ports.ts';
import type { Acceptance } from './acceptance.ts';
import type { Context, Source } from './context.ts';
import type { Listing, Policy, World } from './core/model.ts';
import type { DirectRecord, SourceRecord } from './core/records.ts';
import type { ReadFile } from './core/snapshot.ts';

/** Slots of a direct deployment. */
type DirectSlots = Pick<DirectRecord, 'slots' | 'counter' | 'seats'>;

export interface Planning {
  /** Never changed by a dry run. */
  readonly world: World;
  readonly policy: Policy;
  readonly now: Now;
  /** What needs become where a descriptor states no limits. */
  readonly limits: 'request' | 'none';
  /** Of the cluster. Absent in snapshots of earlier versions. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly direct: Readonly<Record<ServiceName, DirectSlots>>;
  /** The git sources that a working copy may stand for. */
  readonly sources: readonly PlannedSource[];
}

/** A git source, with all that a revision of it is judged by. */
export interface PlannedSource {
  readonly name: string;
  readonly path: string;
  readonly strict?: true;
  /** What was accepted before. */
  readonly previous?: SourceRecord;
  /** The last good version of each of its files. */
  readonly before: readonly ReadFile[];
  readonly approvals: readonly string[];
  /** Who has which name, except this source. */
  readonly owners: Readonly<Record<ServiceName, { readonly source: string; readonly slots: readonly number[] }>>;
  /** Names that its last verdict held. */
  readonly held: readonly ServiceName[];
  /** Entries of nodes.yaml of all other sources. */
  readonly listingsBeside: readonly Listing[];
}

/** As it is now, with these sources, whose last good files are read from their mirrors. Problems of the git port pass. */
export async function takePlanning(
  context: Context,
  acceptance: Acceptance,
  sources: readonly Source[],
  signal: AbortSignal,
): Promise<Planning> {
  const planned = await Promise.all(sources.map((source) => acceptance.planning(source, signal)));
  return planningNow(context, planned);
}

/** As it is now, at once: for plans of what is deployed directly. */
export function planningNow(context: Context, sources: readonly PlannedSource[] = []): Planning {
  const { deps, keeper, world } = context;
  const direct = Object.entries(keeper.now.direct).map(([name, { slots, counter, seats }]) => {
    return [name, { slots, counter, ...(seats && { seats }) }] as const;
  });
  return {
    world,
    policy: context.policy(),
    now: deps.clock.now(),
    limits: deps.settings.limits,
    labels: deps.settings.labels,
    direct: Object.fromEntries(direct),
    sources,
  };
}
