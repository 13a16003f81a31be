/** A git source as a reconciler follows it, without one: from the remote to what is in force, one revision after the other. */
import type { Context, Source } from '../../reconciler/context.ts';
import { type Admission, admit } from '../../reconciler/core/admit.ts';
import type { SourceRecord } from '../../reconciler/core/records.ts';
import { composeSnapshot, pathOfKey, type SourceSnapshot, type Where } from '../../reconciler/core/snapshot.ts';
import { createHeadGuard } from '../../reconciler/head-guard.ts';
import type { Git, TreeEntry } from '../../reconciler/ports.ts';
import { createReadings } from '../../reconciler/readings.ts';
import { isProblemError, type Problem } from '../../schemas/problem.ts';
import { selectPaths } from '../../schemas/selection.ts';
import type { Hold } from '../../schemas/status.ts';

export interface Look {
  /** Full names in force after it, sorted. */
  readonly names: readonly string[];
  /** What keeps the head from being read at all. */
  readonly holds: readonly Hold[];
  readonly verdict?: Admission;
  readonly snapshot?: SourceSnapshot;
  readonly tree?: readonly TreeEntry[];
  /** Why the revision could not be looked at: everything stays. */
  readonly problem?: Problem;
}

export interface Followed {
  /** Looks once. Throws what is no problem: a bug. */
  look(signal: AbortSignal): Promise<Look>;
  /** From now on a human lets these pass. */
  approve(holds: readonly Hold[]): void;
  /** What was accepted last. */
  readonly record: SourceRecord | undefined;
  /** Forgets what came after that, as if it had never been. */
  back(to: SourceRecord | undefined): void;
}

export function follow(git: Git, where: Where): Followed {
  const source: Source = { name: 'main', url: 'file:///main', branch: 'main', path: where.path, poll: 60_000, git };
  const readings = createReadings();
  const approvals = new Set<string>();
  let record: SourceRecord | undefined;
  // What the guard of heads looks at, and no more.
  const keeper = {
    get now() {
      return { sources: record ? { [source.name]: record } : {}, history: {}, approvals: [...approvals] };
    },
  };
  const guard = createHeadGuard({
    deps: { sources: [source] },
    keeper,
    journal: { add: () => {} },
  } as unknown as Context);

  const inForce = (): readonly string[] => {
    const names = Object.values(record?.files ?? {}).flatMap(({ services }) => services);
    return [...new Set(names)].sort();
  };
  const lookOnce = async (signal: AbortSignal): Promise<Look> => {
    const commit = await git.head(signal);
    await git.fetch(commit, signal);
    if (!(await guard.admits(source, commit, signal))) return { names: inForce(), holds: guard.holds() };
    const tree = await git.tree(commit, where.path, signal);
    const kept = Object.entries(record?.files ?? {}).map(([key, { services: _services, ...file }]) => {
      return { ...file, key, path: pathOfKey(key), mode: '100644' };
    });
    const before = await readings.readKept(source, where, kept, signal);
    const files = selectPaths(tree, where).map(({ path, blob, mode }) => ({ key: path, path, blob, mode }));
    const now = await readings.read(source, where, files, tree, signal);
    readings.keep(source.name, [...now, ...before]);
    const snapshot = composeSnapshot({ source: source.name, commit, previous: record, now, before });
    const verdict = admit(record, snapshot, { guard: { count: 2, share: 0.3 }, approvals, owners: new Map() });
    record = verdict.record;
    guard.accepted(source.name);
    return { names: [...verdict.services.keys()].sort(), holds: [], verdict, snapshot, tree };
  };
  return {
    async look(signal) {
      try {
        return await lookOnce(signal);
      } catch (error) {
        if (!isProblemError(error)) throw error;
        return { names: inForce(), holds: [], problem: error.problem };
      }
    },
    approve(holds) {
      for (const { id } of holds) if (id !== undefined) approvals.add(id);
    },
    get record() {
      return record;
    },
    back(to) {
      record = to;
    },
  };
}
