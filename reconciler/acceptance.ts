/**
 * From a commit to what is wanted: reads the files that count by object id, composes the snapshot, lets the guards judge it, keeps
 * the verdict durably, and tells the world. The same way serves a first read, a push, an approval and a restart without a remote.
 */
import { canonicalJson } from '../schemas/digest.ts';
import type { ServiceName } from '../schemas/names.ts';
import { isProblemError, type Problem } from '../schemas/problem.ts';
import { selectPaths } from '../schemas/selection.ts';
import type { RepositorySettings } from '../schemas/settings.ts';
import { directSource } from '../schemas/spec.ts';
import type { Hold } from '../schemas/status.ts';
import { createAncestry } from './ancestry.ts';
import { createApprovals } from './approvals.ts';
import type { Context, Source } from './context.ts';
import { withCordonOf } from './cordons.ts';
import { type Admission, admit, allowedBy, holdId, pruneTrailer } from './core/admit.ts';
import { anchorOf, strictHold } from './core/head-holds.ts';
import type { Listing } from './core/model.ts';
import { type SourceRecord, servicesOf } from './core/records.ts';
import { changesBy, unreadOf } from './core/revisions.ts';
import { composeSnapshot, pathOfKey, type ReadFile, type SourceSnapshot, type Where } from './core/snapshot.ts';
import { verdictEvents } from './core/verdict.ts';
import type { WorldEvent } from './core/world-event.ts';
import type { Direct } from './direct.ts';
import { createHeadGuard, followedBy } from './head-guard.ts';
import type { PlannedSource } from './planning.ts';
import { createReadings } from './readings.ts';
import { withEntry } from './records-keeper.ts';
import { buryCopies, type Retirements } from './retirements.ts';
import type { Revisions } from './revisions.ts';

export interface Acceptance {
  /** Makes `commit` what the source wants, as far as the guards let it. ProblemErrors of the git port pass through. */
  read(source: Source, commit: string, signal: AbortSignal): Promise<Read>;
  /** May this head be read at all? What keeps it is among the holds. Problems of the git port pass through. */
  admits(source: Source, head: string, signal: AbortSignal): Promise<boolean>;
  /** All that a revision of the source is judged by, for a dry run. */
  planning(source: Source, signal: AbortSignal): Promise<PlannedSource>;
  /** It is about this commit now: what keeps another one of a strict source is not said any more. */
  turnTo(source: string, commit: string): void;
  /** Did the source claim a name in vain that nobody else has any more? */
  mayClaim(source: string): boolean;
  /** Looks up the ancestry of jobs that nobody wants any more. */
  explain(signal: AbortSignal): Promise<void>;
  /** What these holds keep goes on with the next look at its source. Durable when it resolves. */
  approve(ids: readonly string[]): Promise<void>;
  holds(): readonly Hold[];
  settingsOf(source: string): RepositorySettings | undefined;
  ignoredOf(source: string): number;
}

/** What became of a commit that was read. */
export interface Read {
  readonly problems: readonly Problem[];
  /** It is another one than before. */
  readonly changed: boolean;
  /** A strict source: nothing of it is in force. */
  readonly waits?: true;
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

/** What reads and keeps beside it what sources want. */
export interface SourceDesks {
  readonly direct: Direct;
  readonly revisions: Revisions;
  readonly retirements: Retirements;
}

/** What the id of a hold would be if its source could be read whole. */
function guardId(source: string, { subjects = [] }: Hold): string {
  return holdId('REMOVAL_GUARD', source, subjects);
}

export function createAcceptance(context: Context, { direct, revisions, retirements }: SourceDesks): Acceptance {
  const { deps, world, keeper, journal } = context;
  const said = new Map<string, Said>();
  /** Commits of strict sources that are not carried out, and why. */
  const waiting = new Map<string, { readonly commit: string; readonly holds: readonly Hold[] }>();
  const readings = createReadings(deps.pause);
  const approvals = createApprovals(context);
  const heads = createHeadGuard(context, approvals);
  const ancestry = createAncestry(context);

  const whereOf = (source: Source): Where => ({
    cluster: world.cluster,
    path: source.path,
    limits: deps.settings.limits,
    labels: deps.settings.labels,
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

  /**
   * How many removals the commits since the accepted one allow. Only these speak, and only once: when they are accepted. A history that
   * does not go on from there says nothing.
   */
  const allowedIn = async (
    source: Source,
    { commit, services }: SourceSnapshot,
    signal: AbortSignal,
  ): Promise<number | undefined> => {
    const before = keeper.now.sources[source.name];
    const isRemoving = [...servicesOf(before)].some((name) => !services.has(name));
    if (!before || before.commit === commit || !isRemoving) return undefined;
    const isPinned = revisions.pinOf(source.name)?.commit === commit;
    const descends = await source.git.isAncestor(before.commit, commit, signal).catch((error: unknown) => {
      // Who goes back does not wait for a remote that has the history.
      if (isPinned && isProblemError(error)) return undefined;
      throw error;
    });
    if (descends !== true) return undefined;
    return allowedBy(await source.git.trailers(pruneTrailer, before.commit, commit, signal));
  };

  const judge = (source: Source, snapshot: SourceSnapshot, allowed: number | undefined): Admission =>
    admit(keeper.now.sources[source.name], snapshot, {
      guard: context.policy().guard,
      approvals: new Set(approvals.now()),
      ...(allowed !== undefined && { allowed }),
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
    // Of the commit that is read again then: for what an older one claimed it would be read for ever.
    const holds = waiting.get(source)?.holds ?? said.get(source)?.holds ?? [];
    const conflicts = holds.filter((hold) => hold.code === 'SOURCE_CONFLICT');
    if (conflicts.length === 0) return false;
    const owners = ownersBeside(source);
    return conflicts.some((hold) => !owners.has(hold.subject));
  };

  const read: Acceptance['read'] = async (source, commit, signal) => {
    const snapshot = await snapshotOf(source, commit, signal);
    const isNew = keeper.now.sources[source.name]?.commit !== commit;
    const about = isNew ? await source.git.describe(commit, signal) : undefined;
    const allowed = await allowedIn(source, snapshot, signal);
    let early: Admission | undefined;
    const isKept = (name: ServiceName): boolean => {
      early ??= judge(source, snapshot, allowed);
      return early.held.has(name);
    };
    // What the world knows as the source's own is retired.
    const isOwn = (name: ServiceName): boolean => world.desired.get(name)?.source.name === source.name;
    const mayGo = (name: ServiceName): boolean => !isOwn(name) && !isKept(name);
    const strangers = await ancestry.strangersTo(source, snapshot, mayGo, signal);
    const verdict = judge(source, snapshot, allowed);
    const strict = source.strict && isNew ? strictHold(snapshot, verdict.holds) : undefined;
    if (strict) return keepWaiting(source, commit, [strict, ...verdict.holds], snapshot.problems);
    waiting.delete(source.name);
    const before = keeper.now.sources[source.name];
    const changed = before === undefined || before.commit !== commit;
    // One write for all that follows from a revision. Nobody is told before it is on disk: the planner waits for that, too.
    keepVerdict(source, verdict);
    const previous = said.get(source.name);
    hear(source, snapshot, verdict);
    const events = verdictEvents(world, { source: source.name, commit }, verdict, {
      previouslyHeld: previous?.held ?? new Set(),
      listings: [...verdict.listings, ...listingsBeside(source.name)],
      now: deps.clock.now().wall,
    });
    if (about && changed) {
      const pin = revisions.pinOf(source.name);
      const asked = pin?.commit === commit ? { actor: pin.actor, ...(pin.reason && { reason: pin.reason }) } : {};
      const { author, subject: title } = about;
      const seen = { ...changesBy(world, events), ...unreadOf(snapshot.problems) };
      revisions.add(source.name, { commit, author, title, ...seen, ...asked });
    }
    const gone = strangers.filter((name) => !verdict.held.has(name) && !world.held.has(name) && !isOwn(name));
    buryCopies(context, gone);
    tell(source, commit, events);
    keepApprovals([...verdict.spent, ...heads.accepted(source.name)]);
    await keeper.saved();
    await ancestry.explain(signal);
    return { problems: [...snapshot.problems], changed };
  };

  const keepWaiting = (source: Source, commit: string, holds: readonly Hold[], problems: readonly Problem[]): Read => {
    const [strict] = holds;
    if (strict && waiting.get(source.name)?.commit !== commit)
      journal.add('source_refused', strict.subject, `${strict.code}: ${strict.message}`);
    waiting.set(source.name, { commit, holds });
    return { problems, changed: false, waits: true };
  };

  const keepVerdict = (source: Source, { record, services }: Admission): void => {
    const before = keeper.now.sources[source.name];
    const followed = (before?.commit === record.commit && before.followed) || followedBy(source);
    const anchor = anchorNow(source.name, record.commit);
    const next = { ...record, followed, ...(anchor !== undefined && anchor !== record.commit && { anchor }) };
    if (!before || before.commit !== next.commit || canonicalJson(before) !== canonicalJson(next)) {
      keeper.change({ sources: withEntry<SourceRecord>(keeper.now.sources, source.name, next) });
    }
    for (const name of services.keys()) if (keeper.now.direct[name]) direct.release(name);
  };

  /** While an older commit is in force, the newest that ever was stays what the next one has to go on from. */
  const anchorNow = (source: string, commit: string): string | undefined => {
    const before = keeper.now.sources[source];
    if (!before || before.commit === commit) return before?.anchor;
    return revisions.pinOf(source)?.commit === commit ? anchorOf(before) : undefined;
  };

  /** An approval ends with its use, and when the set that it was given for is not proposed any more. */
  const keepApprovals = (spent: readonly string[]): void => {
    const asked = heads.asked();
    const isRead = asked !== undefined && deps.sources.every(({ name }) => said.has(name));
    const proposed = new Set([
      ...(asked ?? []),
      ...[...waiting.values()].flatMap(({ holds }) => holds.flatMap(({ id }) => id ?? [])),
      ...[...said].flatMap(([source, one]) => one.holds.map((hold) => hold.id ?? guardId(source, hold))),
    ]);
    const left = keeper.now.approvals.filter((id) => !spent.includes(id) && (!isRead || proposed.has(id)));
    if (left.length < keeper.now.approvals.length) keeper.change({ approvals: left });
  };

  const hear = (source: Source, snapshot: SourceSnapshot, verdict: Admission): void => {
    said.set(source.name, {
      ...(snapshot.settings ? { settings: snapshot.settings } : {}),
      ignored: snapshot.ignored,
      holds: verdict.holds,
      held: new Set(verdict.held.keys()),
      services: new Set(verdict.services.keys()),
      listings: verdict.listings,
    });
  };

  const tell = (source: Source, commit: string, events: readonly WorldEvent[]): void => {
    for (const key of [...world.ancestry.keys()]) if (key.startsWith(`${source.name}@`)) world.ancestry.delete(key);
    for (const event of events) {
      context.apply(event);
      if (event.kind === 'desired' && event.desired?.retired) {
        const where = `not in ${source.name} at ${commit.slice(0, 10)} any more`;
        journal.add(
          'service_deleted',
          event.service,
          `${where}: stopped, and removed later; oakctl undelete brings it back`,
        );
      }
    }
    retirements.heard(events.flatMap((event) => (event.kind === 'desired' ? [event] : [])));
    recordNodes();
  };

  /** The world cordons nodes whose entry left nodes.yaml; that is kept in the records. */
  const recordNodes = (): void => {
    for (const { record } of world.nodes.values()) {
      const known = keeper.now.nodes[record.id];
      if (known && known !== record && canonicalJson(known.cordon ?? null) !== canonicalJson(record.cordon ?? null)) {
        keeper.change({ nodes: withEntry(keeper.now.nodes, record.id, withCordonOf(known, record)) });
      }
    }
  };

  return {
    read,
    admits: heads.admits,
    approve: approvals.add,
    async planning(source, signal) {
      const { name, path } = source;
      const before = await lastGood(source, signal);
      const previous = keeper.now.sources[name];
      return {
        name,
        path,
        ...(source.strict && { strict: true }),
        ...(previous && { previous }),
        before,
        approvals: approvals.now(),
        owners: Object.fromEntries(ownersBeside(name)),
        held: [...(said.get(name)?.held ?? [])],
        listingsBeside: listingsBeside(name),
      };
    },
    turnTo(source, commit) {
      if (waiting.get(source)?.commit !== commit) waiting.delete(source);
    },
    mayClaim,
    explain: ancestry.explain,
    holds: () => [
      ...heads.holds(),
      ...[...waiting.values()].flatMap(({ holds }) => holds),
      ...[...said.values()].flatMap(({ holds }) => holds),
    ],
    settingsOf: (source) => said.get(source)?.settings,
    ignoredOf: (source) => said.get(source)?.ignored ?? 0,
  };
}
