/** Follows a list: lists first, then again whenever something happened, until the user has seen enough. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterEvent } from '../schemas/cluster-events.ts';
import { isProblemError } from '../schemas/problem.ts';
import { createBell } from './bell.ts';

export interface Watched<Row> {
  list(signal: AbortSignal): Promise<readonly Row[]>;
  /** What happens from now on; may begin with what happened before. */
  events(signal: AbortSignal): AsyncIterable<ClusterEvent>;
  show(rows: readonly Row[]): Promise<void>;
  /** Narration: lost and found connections. */
  say(text: string): void;
}

export interface WatchTimes {
  /** ms that events are gathered before the list is read again. */
  readonly gather: number;
  /** ms after which it is read without an event: ages and usage change silently. */
  readonly refresh: number;
  /** ms between two attempts to reach a reconciler that is away. */
  readonly retry: number;
}

export const watchTimes: WatchTimes = { gather: 100, refresh: 2000, retry: 1000 };

/** Returns when the signal aborts. Fails as the first listing does; later a reconciler that is away is waited for. */
export async function watchRows<Row>(
  watched: Watched<Row>,
  signal: AbortSignal,
  times: WatchTimes = watchTimes,
): Promise<void> {
  await watched.show(await watched.list(signal));
  let away = false;
  // As a call: it changes while others are waited for.
  const over = () => signal.aborted;
  while (!over()) {
    try {
      await followOnce(watched, times, signal, () => {
        if (away) watched.say('The reconciler answers again.');
        away = false;
      });
    } catch (error) {
      if (over()) return;
      if (!isAway(error)) throw error;
      if (!away) watched.say(`${error instanceof Error ? error.message : error}; trying again.`);
      away = true;
      await sleep(times.retry, undefined, { signal }).catch(() => {});
    }
  }
}

/** Until the stream of events ends or breaks. `reached` is called after each list that was read. */
async function followOnce<Row>(
  watched: Watched<Row>,
  times: WatchTimes,
  signal: AbortSignal,
  reached: () => void,
): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const bell = createBell();
  const reading = (async () => {
    for await (const _ of watched.events(either)) bell.ring();
    if (!either.aborted) throw new StreamEnded();
  })();
  // Told by the race below; here only so that a failure between two rounds is no crash.
  reading.catch(() => {});
  try {
    for (;;) {
      await Promise.race([bell.rung(times.refresh), reading]);
      await Promise.race([sleep(times.gather), reading]);
      if (signal.aborted) return;
      bell.still();
      await watched.show(await relist(watched, signal));
      reached();
    }
  } finally {
    over.abort();
  }
}

/** What was asked for by name, and is gone meanwhile, leaves an empty list. */
async function relist<Row>(watched: Watched<Row>, signal: AbortSignal): Promise<readonly Row[]> {
  try {
    return await watched.list(signal);
  } catch (error) {
    if (isProblemError(error) && error.problems.every(({ code }) => code === 'NOT_FOUND')) return [];
    throw error;
  }
}

/** The reconciler closed the stream in an orderly way: it stops, or starts again. */
class StreamEnded extends Error {
  constructor() {
    super('the reconciler ended the stream of events');
    this.name = 'StreamEnded';
  }
}

function isAway(error: unknown): boolean {
  if (error instanceof StreamEnded) return true;
  return isProblemError(error) && ['UNREACHABLE', 'UNAVAILABLE'].includes(error.problem.code);
}
