import { isProblemError, type Problem } from '../schemas/problem.ts';
import type { ReconcilerDeps } from './context.ts';
import { emptyRecords, type Records } from './core/records.ts';
import type { RecordsStore } from './ports.ts';

/** The records in memory, and the way to disk: a change is made at once and is durable when `saved` resolves. */
export interface RecordsKeeper {
  readonly now: Records;
  /** Replaces members of the records. In memory at once; call `saved` before anybody is told. */
  change(members: Partial<Records>): void;
  /** Resolves when everything changed so far is on disk. Costs nothing when it already is. */
  saved(): Promise<void>;
  /** Why the last save failed; undefined as long as the disk takes what is changed. */
  readonly trouble: Problem | undefined;
}

const saveAgainAfter = 1_000;

interface Saving {
  readonly keeper: RecordsKeeper;
  readonly deps: Pick<ReconcilerDeps, 'clock' | 'log' | 'fatal'>;
}

/** Calls `run` once everything changed so far is on disk, however long the disk refuses. */
export function onceSaved({ keeper, deps }: Saving, run: () => void): void {
  keeper
    .saved()
    .then(run)
    .catch((error: unknown) => {
      if (!isProblemError(error)) return deps.fatal(error instanceof Error ? error : new Error(String(error)));
      deps.log('error', 'records_unwritable', { why: error.message });
      deps.clock.after(saveAgainAfter, () => onceSaved({ keeper, deps }, run));
    });
}

/** What was refused and taken back needs no answer, but the disk is to say what memory says, and nobody else may ask again. */
export function saveAgain({ keeper, deps }: Saving): void {
  keeper.saved().catch((error: unknown) => {
    if (!isProblemError(error)) deps.fatal(error instanceof Error ? error : new Error(String(error)));
  });
}

/**
 * As `saved`; when that fails `undo` is called before the error goes on. What cannot be written must not come true later: `undo` puts
 * the members back as they were, but for what others changed since.
 */
export async function savedOr(keeper: RecordsKeeper, undo: () => void): Promise<void> {
  try {
    await keeper.saved();
  } catch (error) {
    undo();
    throw error;
  }
}

/**
 * The same request, whose answer follows the disk also where it found nothing to change: what it found may be what another request
 * changed a moment ago and has to take back.
 */
export function answeredOnceSaved<A extends unknown[], R extends { readonly changed: boolean }>(
  keeper: Pick<RecordsKeeper, 'saved'>,
  change: (...args: A) => Promise<R>,
): (...args: A) => Promise<R> {
  return async (...args) => {
    const answer = await change(...args);
    if (!answer.changed) await keeper.saved();
    return answer;
  };
}

/** Loads the records and raises the epoch by one, durably: nothing of this process may carry an older one. */
export async function openRecords(store: RecordsStore): Promise<RecordsKeeper> {
  let records: Records = { ...emptyRecords, ...(await store.load()) };
  let changes = 0;
  let durable = 0;
  let trouble: Problem | undefined;

  const keeper: RecordsKeeper = {
    get now() {
      return records;
    },
    get trouble() {
      // Of two saves under way the later one may bring everything to disk, and the earlier one fail after it.
      return durable === changes ? undefined : trouble;
    },
    change(members) {
      records = { ...records, ...members };
      changes += 1;
    },
    async saved() {
      if (durable === changes) return;
      const upTo = changes;
      try {
        await store.save(records);
      } catch (error) {
        if (isProblemError(error)) trouble = error.problem;
        throw error;
      }
      trouble = undefined;
      durable = Math.max(durable, upTo);
    },
  };
  keeper.change({ epoch: records.epoch + 1 });
  await keeper.saved();
  return keeper;
}

/** A copy of a record map with one entry set, or removed when `value` is undefined. */
export function withEntry<T>(map: Readonly<Record<string, T>>, key: string, value: T | undefined): Record<string, T> {
  // Leaving one out while a thousand are copied takes ten times as long as copying them all.
  if (value !== undefined) return { ...map, [key]: value };
  const { [key]: _old, ...rest } = map;
  return rest;
}

/** As {@link withEntry} for many: the map is copied once, and not for each of them. */
export function withEntries<T>(
  map: Readonly<Record<string, T>>,
  entries: Iterable<readonly [key: string, value: T | undefined]>,
): Record<string, T> {
  const all = new Map(Object.entries(map));
  for (const [key, value] of entries) {
    if (value === undefined) all.delete(key);
    else all.set(key, value);
  }
  return Object.fromEntries(all);
}
