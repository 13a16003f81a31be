import type { ClusterEvent, EventKind, EventPosition } from '../schemas/cluster-events.ts';
import type { Clock } from '../schemas/ports.ts';

/** The events of this process, for people and for the API: bounded, in order, followable. */
export interface Journal {
  add(kind: EventKind, subject: string, message: string): void;
  /**
   * Events after this position that are still kept, then live ones until the signal aborts. Where some are missing in between it
   * says so by an event `events_missed`, which only this reader gets.
   */
  follow(after: EventPosition, signal: AbortSignal): AsyncIterable<ClusterEvent>;
}

/** Keeps the last `limit` events, once for all followers: each takes them at its own pace, and one that falls further behind is told. */
export function createJournal(deps: {
  readonly clock: Clock;
  readonly run: string;
  readonly limit?: number;
  readonly onEvent?: (event: ClusterEvent) => void;
}): Journal {
  const limit = deps.limit ?? 2_000;
  const kept: ClusterEvent[] = [];
  const waiting = new Set<() => void>();
  let seq = 0;

  const nextEvent = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });

  const oldest = (): number => seq - kept.length + 1;
  const missed = (upTo: number, message: string): ClusterEvent => {
    const at = deps.clock.now().wall;
    return { seq: upTo, run: deps.run, at, kind: 'events_missed', subject: 'cluster', message };
  };

  return {
    add(kind, subject, message) {
      seq += 1;
      const event: ClusterEvent = { seq, run: deps.run, at: deps.clock.now().wall, kind, subject, message };
      kept.push(event);
      if (kept.length > limit) kept.splice(0, kept.length - limit);
      deps.onEvent?.(event);
      for (const wake of [...waiting]) wake();
    },
    async *follow(after, signal) {
      const { run, seq: from } = typeof after === 'object' ? after : { run: deps.run, seq: after };
      let last = from === 'latest' ? seq : from;
      // What another process counted, or this one has not reached.
      if (run !== deps.run || last > seq) {
        last = oldest() - 1;
        yield missed(last, 'the reconciler was started again: what happened before is not kept');
      }
      while (!signal.aborted) {
        const before = oldest() - 1;
        if (last > 0 && last < before) {
          yield missed(before, `${before - last} events, up to number ${before}, are not kept any more`);
          last = before;
        }
        const batch = kept.slice(Math.max(0, last - oldest() + 1));
        for (const event of batch) {
          last = event.seq;
          yield event;
        }
        if (batch.length === 0) await nextEvent(signal);
      }
    },
  };
}
