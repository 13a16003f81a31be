/** What a loop does each second, and how it learns that it was held up (a suspended machine, a stopped process). */
import type { Clock, Mono } from '../schemas/ports.ts';

export interface Pulse {
  start(): void;
  stop(): void;
}

export interface PulseWork {
  /** For so many ms nothing was done here. */
  heldUp(ms: number): void;
  each(): void;
}

/** ms */
const interval = 1_000;
const longestDelay = 5_000;

export function createPulse(clock: Clock, { heldUp, each }: PulseWork): Pulse {
  let stopped = false;
  let cancel = (): void => undefined;
  const beat = (last: Mono): void => {
    if (stopped) return;
    const { mono } = clock.now();
    if (mono - last > interval + longestDelay) heldUp(mono - last);
    each();
    cancel = clock.after(interval, () => beat(mono));
  };
  return {
    start: () => beat(clock.now().mono),
    stop() {
      stopped = true;
      cancel();
    },
  };
}
