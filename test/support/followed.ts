/** A git source as a reconciler follows it, without one: from the remote to what is in force, one revision after the other. */
import { type Admission, admit } from '../../reconciler/core/admit.ts';
import type { SourceRecord } from '../../reconciler/core/records.ts';
import { composeSnapshot, pathOfKey, type SourceSnapshot, type Where } from '../../reconciler/core/snapshot.ts';
import type { Git, TreeEntry } from '../../reconciler/ports.ts';
import { createReadings } from '../../reconciler/readings.ts';
import { isProblemError, type Problem } from '../../schemas/problem.ts';
import { selectPaths } from '../../schemas/selection.ts';

export interface Look {
  /** Full names in force after it, sorted. */
  readonly names: readonly string[];
  readonly verdict?: Admission;
  readonly snapshot?: SourceSnapshot;
  readonly tree?: readonly TreeEntry[];
  /** Why the revision could not be looked at: everything stays. */
  readonly problem?: Problem;
}

export interface Followed {
  /** Looks once. Throws what is no problem: a bug. */
  look(signal: AbortSignal): Promise<Look>;
  /** What was accepted last. */
  readonly record: SourceRecord | undefined;
  /** Forgets what came after that, as if it had never been. */
  back(to: SourceRecord | undefined): void;
}

export function follow(git: Git, where: Where): Followed {
  const source = { name: 'main', git };
  const readings = createReadings();
  let record: SourceRecord | undefined;
  const lookOnce = async (signal: AbortSignal): Promise<Look> => {
    const commit = await git.head(signal);
    await git.fetch(commit, signal);
    const tree = await git.tree(commit, where.path, signal);
    const kept = Object.entries(record?.files ?? {}).map(([key, { services: _services, ...file }]) => {
      return { ...file, key, path: pathOfKey(key), mode: '100644' };
    });
    const before = await readings.readKept(source, where, kept, signal);
    const files = selectPaths(tree, where).map(({ path, blob, mode }) => ({ key: path, path, blob, mode }));
    const now = await readings.read(source, where, files, tree, signal);
    readings.keep(source.name, [...now, ...before]);
    const snapshot = composeSnapshot({ source: source.name, commit, previous: record, now, before });
    const guard = { count: 2, share: 0.3 };
    const verdict = admit(record, snapshot, { guard, approvals: new Set(), owners: new Map() });
    record = verdict.record;
    return { names: [...verdict.services.keys()].sort(), verdict, snapshot, tree };
  };
  return {
    async look(signal) {
      try {
        return await lookOnce(signal);
      } catch (error) {
        if (!isProblemError(error)) throw error;
        const names = Object.values(record?.files ?? {}).flatMap(({ services }) => services);
        return { names: [...new Set(names)].sort(), problem: error.problem };
      }
    },
    get record() {
      return record;
    },
    back(to) {
      record = to;
    },
  };
}
