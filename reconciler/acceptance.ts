/**
 * From a commit to what is wanted: reads the files that count by object id, composes the snapshot, lets the guards judge it, keeps
 * the verdict durably, and tells the world. The same way serves a first read, a push, an approval and a restart without a remote.
 */
import { canonicalJson } from '../schemas/digest.ts';
import { copyId, type ServiceName } from '../schemas/names.ts';
import { isProblemError, type Problem } from '../schemas/problem.ts';
import type { RepositorySettings } from '../schemas/settings.ts';
import { directSource } from '../schemas/spec.ts';
import type { Hold } from '../schemas/status.ts';
import type { Context, Source } from './context.ts';
import { type Admission, admit, holdId } from './core/admit.ts';
import type { Copy, Listing } from './core/model.ts';
import type { SourceRecord } from './core/records.ts';
import {
  composeSnapshot,
  pathOfKey,
  type ReadFile,
  type SourceSnapshot,
  selectPaths,
  type Where,
} from './core/snapshot.ts';
import { verdictEvents } from './core/verdict.ts';
import type { Direct } from './direct.ts';
import { createHeadGuard, followedBy } from './head-guard.ts';
import type { PlannedSource } from './planning.ts';
import { createReadings } from './readings.ts';
import { withEntry } from './records-keeper.ts';

export interface Acceptance {
  /** Makes `commit` what the source wants, as far as the guards let it. ProblemErrors of the git port pass through. */
  read(
    source: Source,
    commit: string,
    signal: AbortSignal,
  ): Promise<{ problems: readonly Problem[]; changed: boolean }>;
  /** May this head be read at all? What keeps it is among the holds. Problems of the git port pass through. */
  admits(source: Source, head: string, signal: AbortSignal): Promise<boolean>;
  /** All that a revision of the source is judged by, for a dry run. */
  planning(source: Source, signal: AbortSignal): Promise<PlannedSource>;
  /** Did the source claim a name in vain that nobody else has any more? */
  mayClaim(source: string): boolean;
  /** Looks up the ancestry of jobs that nobody wants any more. */
  explain(signal: AbortSignal): Promise<void>;
  holds(): readonly Hold[];
  settingsOf(source: string): RepositorySettings | undefined;
  ignoredOf(source: string): number;
}

/** What one source said last. */
interface Said {
  readonly settings?: RepositorySettings;
  readonly ignored: number;
  readonly holds: readonly Hold[];
  readonly held: ReadonlySet<ServiceName>;
  readonly services: ReadonlySet<ServiceName>;
  readonly listings: readonly Listing[];
}

function servicesOf(record: SourceRecord | undefined): Set<ServiceName> {
  return new Set(Object.values(record?.files ?? {}).flatMap((file) => file.services));
}

/** What the id of a hold would be if its source could be read whole. */
function guardId(source: string, { subjects = [] }: Hold): string {
  return holdId('REMOVAL_GUARD', source, subjects);
}

export function createAcceptance(context: Context, direct: Direct): Acceptance {
  const { deps, world, keeper, journal } = context;
  const said = new Map<string, Said>();
  const readings = createReadings();
  const heads = createHeadGuard(context);

  const whereOf = (source: Source): Where => ({
    cluster: world.cluster,
    path: source.path,
    limits: deps.settings.limits,
  });

  /** The last good version of everything that the record of a source keeps. */
  const lastGood = (source: Source, signal: AbortSignal): Promise<ReadFile[]> => {
    const files = Object.entries(keeper.now.sources[source.name]?.files ?? {});
    const kept = files.map(([key, { services: _names, ...file }]) => {
      return { ...file, key, path: pathOfKey(key), mode: '100644' };
    });
    return readings.readKept(source, whereOf(source), kept, signal);
  };

  const snapshotOf = async (source: Source, commit: string, signal: AbortSignal): Promise<SourceSnapshot> => {
    const previous = keeper.now.sources[source.name];
    const where = whereOf(source);
    const tree = await source.git.tree(commit, source.path, signal);
    const before = await lastGood(source, signal);
    const files = selectPaths(tree, where).map(({ path, blob, mode }) => ({ key: path, path, blob, mode }));
    const now = await readings.read(source, where, files, tree, signal);
    readings.keep(source.name, [...now, ...before]);
    return composeSnapshot({ source: source.name, commit, previous, now, before });
  };

  /** Those of a source that was not read yet are the ones that it had. */
  const listingsBeside = (name: string): readonly Listing[] =>
    deps.sources.flatMap((one) =>
      one.name === name ? [] : (said.get(one.name)?.listings ?? keeper.now.sources[one.name]?.listings ?? []),
    );

  const judge = (source: Source, snapshot: SourceSnapshot): Admission =>
    admit(keeper.now.sources[source.name], snapshot, {
      guard: context.policy().guard,
      approvals: new Set(keeper.now.approvals),
      owners: ownersBeside(source.name),
    });

  /** Who has which name, except this source. */
  const ownersBeside = (name: string): Map<ServiceName, { source: string; slots: readonly number[] }> => {
    const owners = new Map<ServiceName, { source: string; slots: readonly number[] }>();
    for (const [service, record] of Object.entries(keeper.now.direct)) {
      owners.set(service, { source: directSource, slots: record.slots });
    }
    for (const { name: source } of deps.sources) {
      if (source === name) continue;
      // One that was not read yet has what it had.
      const services = said.get(source)?.services ?? servicesOf(keeper.now.sources[source]);
      for (const service of services) owners.set(service, { source, slots: world.desired.get(service)?.slots ?? [] });
    }
    return owners;
  };

  const mayClaim: Acceptance['mayClaim'] = (source) => {
    const conflicts = (said.get(source)?.holds ?? []).filter((hold) => hold.code === 'SOURCE_CONFLICT');
    if (conflicts.length === 0) return false;
    const owners = ownersBeside(source);
    return conflicts.some((hold) => !owners.has(hold.subject));
  };

  const read: Acceptance['read'] = async (source, commit, signal) => {
    const snapshot = await snapshotOf(source, commit, signal);
    const strangers = await strangersTo(source, snapshot, signal);
    const verdict = judge(source, snapshot);
    const before = keeper.now.sources[source.name];
    const changed = before === undefined || before.commit !== commit;
    // One write for all that follows from a revision. Nobody is told before it is on disk: the planner waits for that, too.
    keepVerdict(source, verdict);
    for (const name of strangers) if (!verdict.held.has(name) && !world.held.has(name)) buryCopies(name);
    tell(source, commit, snapshot, verdict);
    keepApprovals([...verdict.spent, ...heads.accepted(source.name)]);
    await keeper.saved();
    await explain(signal);
    return { problems: [...snapshot.problems], changed };
  };

  const keepVerdict = (source: Source, { record, services }: Admission): void => {
    const before = keeper.now.sources[source.name];
    const followed = (before?.commit === record.commit && before.followed) || followedBy(source);
    const next = { ...record, followed };
    if (!before || canonicalJson(before) !== canonicalJson(next)) {
      keeper.change({ sources: withEntry<SourceRecord>(keeper.now.sources, source.name, next) });
    }
    for (const name of services.keys()) if (keeper.now.direct[name]) direct.release(name);
  };

  /**
   * Names that the source had and that this commit does not show, with copies that no commit in its history explains: what it took over
   * with the name, or what came before its history was rewritten. That it had the name is reason enough for them to go with it.
   */
  const strangersTo = async (
    source: Source,
    { commit, services }: SourceSnapshot,
    signal: AbortSignal,
  ): Promise<ServiceName[]> => {
    const strangers: ServiceName[] = [];
    const known = new Map<string, boolean>();
    const isExplained = async ({ job }: Copy): Promise<boolean> => {
      if (job === undefined) return true;
      const { name, commit: from } = job.source;
      if (name !== source.name || from === undefined) return false;
      const answer = known.get(from) ?? (await source.git.isAncestor(from, commit, signal)) === true;
      known.set(from, answer);
      return answer;
    };
    for (const name of servicesOf(keeper.now.sources[source.name])) {
      if (services.has(name)) continue;
      for (const copy of world.copies.get(name)?.values() ?? []) {
        if (await isExplained(copy)) continue;
        strangers.push(name);
        break;
      }
    }
    return strangers;
  };

  const buryCopies = (service: ServiceName): void => {
    const copy = copyId(world.fence);
    const tombstone = { copy, at: deps.clock.now().wall };
    keeper.change({ tombstones: withEntry(keeper.now.tombstones, service, tombstone) });
    context.apply({ kind: 'tombstone', service, copy });
  };

  /** An approval ends with its use, and when the set that it was given for is not proposed any more. */
  const keepApprovals = (spent: readonly string[]): void => {
    const asked = heads.asked();
    const isRead = asked !== undefined && deps.sources.every(({ name }) => said.has(name));
    const proposed = new Set([
      ...(asked ?? []),
      ...[...said].flatMap(([source, one]) => one.holds.map((hold) => hold.id ?? guardId(source, hold))),
    ]);
    const approvals = keeper.now.approvals.filter((id) => !spent.includes(id) && (!isRead || proposed.has(id)));
    if (approvals.length < keeper.now.approvals.length) keeper.change({ approvals });
  };

  const tell = (source: Source, commit: string, snapshot: SourceSnapshot, verdict: Admission): void => {
    const previous = said.get(source.name);
    said.set(source.name, {
      ...(snapshot.settings ? { settings: snapshot.settings } : {}),
      ignored: snapshot.ignored,
      holds: verdict.holds,
      held: new Set(verdict.held.keys()),
      services: new Set(verdict.services.keys()),
      listings: verdict.listings,
    });
    for (const key of [...world.ancestry.keys()]) if (key.startsWith(`${source.name}@`)) world.ancestry.delete(key);
    const events = verdictEvents(world, { source: source.name, commit }, verdict, {
      previouslyHeld: previous?.held ?? new Set(),
      listings: [...verdict.listings, ...listingsBeside(source.name)],
    });
    for (const event of events) {
      context.apply(event);
      if (event.kind === 'desired' && !event.desired) {
        journal.add('service_deleted', event.service, `not in ${source.name} at ${commit.slice(0, 10)} any more`);
      }
    }
    recordNodes();
  };

  /** The world cordons nodes whose entry left nodes.yaml; that is kept in the records. */
  const recordNodes = (): void => {
    for (const { record } of world.nodes.values()) {
      const known = keeper.now.nodes[record.id];
      if (known && canonicalJson(known) !== canonicalJson(record)) {
        keeper.change({ nodes: withEntry(keeper.now.nodes, record.id, record) });
      }
    }
  };

  const explain = async (signal: AbortSignal): Promise<void> => {
    const asked = new Map<string, { source: Source; commit: string }>();
    for (const [service, copies] of world.copies) {
      if (world.desired.has(service)) continue;
      for (const { job } of copies.values()) {
        const source = deps.sources.find((one) => one.name === job?.source.name);
        const commit = job?.source.commit;
        if (!source || commit === undefined || !world.heads.has(source.name)) continue;
        const key = `${source.name}@${commit}`;
        if (!world.ancestry.has(key)) asked.set(key, { source, commit });
      }
    }
    for (const { source, commit } of asked.values()) {
      const head = world.heads.get(source.name);
      if (head === undefined) continue;
      try {
        const ancestor = await source.git.isAncestor(commit, head, signal);
        // Another head may have been accepted meanwhile: then this says nothing.
        if (ancestor !== undefined && world.heads.get(source.name) === head)
          context.apply({ kind: 'ancestry', source: source.name, commit, ancestor });
      } catch (error) {
        if (!isProblemError(error)) throw error;
        deps.log('warn', 'ancestry_unknown', { source: source.name, commit, why: error.message });
      }
    }
  };

  return {
    read,
    admits: heads.admits,
    async planning(source, signal) {
      const { name, path } = source;
      const before = await lastGood(source, signal);
      const previous = keeper.now.sources[name];
      return {
        name,
        path,
        ...(previous && { previous }),
        before,
        approvals: keeper.now.approvals,
        owners: Object.fromEntries(ownersBeside(name)),
        held: [...(said.get(name)?.held ?? [])],
        listingsBeside: listingsBeside(name),
      };
    },
    mayClaim,
    explain,
    holds: () => [...heads.holds(), ...[...said.values()].flatMap((one) => one.holds)],
    settingsOf: (source) => said.get(source)?.settings,
    ignoredOf: (source) => said.get(source)?.ignored ?? 0,
  };
}
