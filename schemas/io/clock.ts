import { randomBytes, randomInt } from 'node:crypto';
import type { Clock, Mono, Now, Random, Wall } from '../ports.ts';

/** Timers of Node hold at most this many milliseconds; longer waits are taken in several steps. */
const longestTimer = 0x7fffffff;

/** The system's clock, which can be stopped. */
export interface SystemClock extends Clock {
  /** From now on nothing that was or is asked for runs any more, and nothing of it keeps the process alive. */
  stop(): void;
}

interface Due {
  readonly at: number;
  readonly run: () => void;
}

/**
 * The clocks of this machine. One Node timer serves all waits, so that callbacks run in order of due time (then of call) and
 * never early, which bare `setTimeout` promises neither of. Waits keep the process alive until they ran or were cancelled.
 */
export function createSystemClock(): SystemClock {
  /** Sorted by due time; equal times in order of call. */
  const queue: Due[] = [];
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const arm = (): void => {
    clearTimeout(timer);
    const next = queue[0];
    if (!next || stopped) return;
    const wait = Math.ceil(next.at - performance.now());
    timer = setTimeout(fire, Math.min(longestTimer, Math.max(1, wait)));
  };
  const fire = (): void => {
    try {
      for (let next = queue[0]; !stopped && next && next.at <= performance.now(); next = queue[0]) {
        queue.shift();
        next.run();
      }
    } finally {
      arm();
    }
  };
  /** Index of the first wait that is due after `at`. */
  const placeFor = (at: number): number => {
    let low = 0;
    let high = queue.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const there = queue[middle];
      if (there && there.at <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  return {
    now: (): Now => ({ mono: performance.now() as Mono, wall: Date.now() as Wall }),
    after(ms, run) {
      const due: Due = { at: performance.now() + Math.max(0, ms), run };
      queue.splice(placeFor(due.at), 0, due);
      if (queue[0] === due) arm();
      return () => {
        // Waits of the same moment stand side by side: a fleet has thousands of others.
        let index = placeFor(due.at) - 1;
        while (queue[index] !== due && queue[index]?.at === due.at) index -= 1;
        if (queue[index] !== due) return;
        queue.splice(index, 1);
        if (index === 0) arm();
      };
    },
    stop() {
      stopped = true;
      queue.length = 0;
      clearTimeout(timer);
    },
  };
}

/** Randomness of the operating system. */
export function createSystemRandom(): Random {
  const steps = 2 ** 47;
  return {
    number: () => randomInt(steps) / steps,
    bytes: (count) => new Uint8Array(randomBytes(count)),
  };
}
