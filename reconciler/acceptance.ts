/**
 * From a commit to what is wanted: reads the files that count by object id, composes the snapshot, lets the guards judge it, keeps
 * the verdict durably, and tells the world. The same way serves a first read, a push, an approval and a restart without a remote.
 */
import { canonicalJson } from '../schemas/digest.ts';
import type { ServiceName } from '../schemas/names.ts';
import { isProblemError, type Problem } from '../schemas/problem.ts';
import type { RepositorySettings } from '../schemas/settings.ts';
import { directSource } from '../schemas/spec.ts';
import type { Hold } from '../schemas/status.ts';
import type { Context, Source } from './context.ts';
import { type Admission, admit } from './core/admit.ts';
import type { Listing } from './core/model.ts';
import type { SourceRecord } from './core/records.ts';
import {
  composeSnapshot,
  pathOfKey,
  type ReadFile,
  readFile,
  type SnapshotFile,
  type SourceSnapshot,
  selectPaths,
  type Where,
} from './core/snapshot.ts';
import { verdictEvents } from './core/verdict.ts';
import type { Direct } from './direct.ts';
import { withEntry } from './records-keeper.ts';

export interface Acceptance {
  /** Makes `commit` what the source wants, as far as the guards let it. ProblemErrors of the git port pass through. */
  read(
    source: Source,
    commit: string,
    signal: AbortSignal,
  ): Promise<{ problems: readonly Problem[]; changed: boolean }>;
  /** What would be accepted of these files, without accepting it. */
  judge(source: Source, snapshot: SourceSnapshot): Admission;
  snapshotOf(source: Source, commit: string, signal: AbortSignal): Promise<SourceSnapshot>;
  /** The snapshot that these files would make if they were the whole source. */
  snapshotOfFiles(source: Source, files: readonly SnapshotFile[], signal: AbortSignal): Promise<SourceSnapshot>;
  /** Entries of nodes.yaml of all sources but this one. */
  listingsBeside(source: string): readonly Listing[];
  heldOf(source: string): ReadonlySet<ServiceName>;
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

const readingKey = (source: string, file: { readonly path: string; readonly blob: string }): string =>
  `${source}\0${file.path}\0${file.blob}`;

export function createAcceptance(context: Context, direct: Direct): Acceptance {
  const { deps, world, keeper, journal } = context;
  const said = new Map<string, Said>();
  const readings = new Map<string, ReadFile['reading']>();

  const whereOf = (source: Source): Where => ({
    cluster: world.cluster,
    path: source.path,
    limits: deps.settings.limits,
  });

  /** Reads files, each once per path and blob; those whose text cannot be had any more are left out if `optional`. */
  const readAll = async (
    source: Source,
    files: readonly { key: string; path: string; blob: string; mode: string }[],
    optional: boolean,
    signal: AbortSignal,
  ): Promise<ReadFile[]> => {
    const unread = files.filter((file) => !readings.has(readingKey(source.name, file)));
    const texts = await source.git.blobs([...new Set(unread.map((file) => file.blob))], signal);
    return files.flatMap((file) => {
      const key = readingKey(source.name, file);
      if (optional && !readings.has(key) && !texts.has(file.blob)) return [];
      const reading = readings.get(key) ?? readFile({ ...file, text: texts.get(file.blob) }, whereOf(source));
      readings.set(key, reading);
      return [{ path: file.key, blob: file.blob, reading }];
    });
  };

  /** The last good version of everything that the record of a source keeps. */
  const lastGood = (source: Source, signal: AbortSignal): Promise<ReadFile[]> => {
    const files = Object.entries(keeper.now.sources[source.name]?.files ?? {});
    const kept = files.map(([key, { blob }]) => ({ key, path: pathOfKey(key), blob, mode: '100644' }));
    return readAll(source, kept, true, signal);
  };

  const snapshotOf: Acceptance['snapshotOf'] = async (source, commit, signal) => {
    const previous = keeper.now.sources[source.name];
    const entries = selectPaths(await source.git.tree(commit, source.path, signal), whereOf(source));
    const before = await lastGood(source, signal);
    const now = await readAll(
      source,
      entries.map((entry) => ({ ...entry, key: entry.path })),
      false,
      signal,
    );
    forgetReadings(source.name, [...now, ...before]);
    return composeSnapshot({ source: source.name, commit, previous, now, before });
  };

  const snapshotOfFiles: Acceptance['snapshotOfFiles'] = async (source, files, signal) => {
    const where = whereOf(source);
    const now = selectPaths(files, where).map((file) => ({
      path: file.path,
      blob: file.blob,
      reading: readFile(file, where),
    }));
    const before = await lastGood(source, signal);
    return composeSnapshot({
      source: source.name,
      commit: 'working copy',
      previous: keeper.now.sources[source.name],
      now,
      before,
    });
  };

  const forgetReadings = (source: string, used: readonly { path: string; blob: string }[]): void => {
    const keys = new Set(used.map(({ path, blob }) => readingKey(source, { path: pathOfKey(path), blob })));
    for (const key of [...readings.keys()]) if (key.startsWith(`${source}\0`) && !keys.has(key)) readings.delete(key);
  };

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
    for (const [source, one] of said) {
      if (source === name) continue;
      for (const service of one.services)
        owners.set(service, { source, slots: world.desired.get(service)?.slots ?? [] });
    }
    return owners;
  };

  const read: Acceptance['read'] = async (source, commit, signal) => {
    const snapshot = await snapshotOf(source, commit, signal);
    const verdict = judge(source, snapshot);
    const before = keeper.now.sources[source.name];
    const changed = before === undefined || before.commit !== commit;
    keepVerdict(source.name, verdict);
    await keeper.saved();
    tell(source, commit, snapshot, verdict);
    await keeper.saved();
    await explain(signal);
    return { problems: [...snapshot.problems], changed };
  };

  const keepVerdict = (source: string, verdict: Admission): void => {
    const before = keeper.now.sources[source];
    if (!before || canonicalJson(before) !== canonicalJson(verdict.record)) {
      keeper.change({ sources: withEntry<SourceRecord>(keeper.now.sources, source, verdict.record) });
    }
    for (const name of verdict.services.keys()) if (keeper.now.direct[name]) direct.release(name);
    const approvals = keeper.now.approvals.filter((id) => !verdict.spent.includes(id));
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
      listings: [...said.values()].flatMap((one) => one.listings),
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
        if (ancestor !== undefined) context.apply({ kind: 'ancestry', source: source.name, commit, ancestor });
      } catch (error) {
        if (!isProblemError(error)) throw error;
        deps.log('warn', 'ancestry_unknown', { source: source.name, commit, why: error.message });
      }
    }
  };

  return {
    read,
    judge,
    snapshotOf,
    snapshotOfFiles,
    listingsBeside: (source) => [...said].flatMap(([name, one]) => (name === source ? [] : one.listings)),
    heldOf: (source) => said.get(source)?.held ?? new Set(),
    explain,
    holds: () => [...said.values()].flatMap((one) => one.holds),
    settingsOf: (source) => said.get(source)?.settings,
    ignoredOf: (source) => said.get(source)?.ignored ?? 0,
  };
}
