/** Work that is done again and again, one time after the other, and left alone for a while when it fails. */
import type { Log } from '../schemas/io/log.ts';
import type { Clock, Mono } from '../schemas/ports.ts';

export interface Rounds {
  /** The first round is a pause away. */
  start(): void;
  /** Aborts the round that is under way, and resolves when it ended. */
  stop(): Promise<void>;
}

/** Does `work` every `pause` ms. What it throws is a bug, is logged, and ends no further round. */
export function createRounds(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  pause: number,
  work: (signal: AbortSignal) => Promise<void>,
): Rounds {
  const abort = new AbortController();
  let cancel: () => void = () => undefined;
  let turn: Promise<void> = Promise.resolve();
  const next = (): void => {
    if (abort.signal.aborted) return;
    cancel = clock.after(pause, () => {
      turn = work(abort.signal)
        .catch((error: unknown) => abort.signal.aborted || log('error', 'round_failed', { why: String(error) }))
        .then(next);
    });
  };
  return {
    start: next,
    async stop() {
      abort.abort();
      cancel();
      await turn;
    },
  };
}

/** How long one who failed is left alone: from `first` ms on twice as long each time, at most `longest`. */
export interface Patience {
  ready(): boolean;
  failed(): void;
  succeeded(): void;
}

export function createPatience(clock: Clock, first: number, longest: number): Patience {
  let failures = 0;
  let until = 0 as Mono;
  return {
    ready: () => clock.now().mono >= until,
    failed() {
      until = (clock.now().mono + Math.min(first * 2 ** failures, longest)) as Mono;
      failures += 1;
    },
    succeeded() {
      failures = 0;
      until = 0 as Mono;
    },
  };
}
