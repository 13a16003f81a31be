import type { ClusterEvent, EventKind } from '../schemas/cluster-events.ts';
import type { Clock } from '../schemas/ports.ts';

/** The events of this process, for people and for the API: bounded, in order, followable. */
export interface Journal {
  add(kind: EventKind, subject: string, message: string): void;
  /** Events after `seq` that are still kept, then live ones until the signal aborts. */
  follow(after: number, signal: AbortSignal): AsyncIterable<ClusterEvent>;
}

/** Keeps the last `limit` events. A follower that falls further behind skips to what is kept. */
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
      // A number that this process has not reached comes from an earlier one: begin with what is kept.
      let last = after > seq ? 0 : after;
      while (!signal.aborted) {
        const batch = kept.filter((event) => event.seq > last);
        for (const event of batch) {
          last = event.seq;
          yield event;
        }
        if (batch.length === 0) await nextEvent(signal);
      }
    },
  };
}
