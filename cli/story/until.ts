/** Waiting for conditions, and steps that say how long they took. */
import { setTimeout as sleep } from 'node:timers/promises';
import { duration } from '../render/ages.ts';

/** What keeps a condition from being met; undefined or empty when it is met. */
export type Missing = string | undefined;

/** Returns when `check` finds nothing missing; throws with what was missing last when the time (ms) is over. */
export async function until(check: () => Promise<Missing>, timeout: number, signal: AbortSignal): Promise<void> {
  const end = performance.now() + timeout;
  for (;;) {
    const missing = await check();
    if (!missing) return;
    if (performance.now() > end) throw new Error(`after ${duration(timeout)}: ${missing}`);
    await sleep(100, undefined, { signal });
  }
}

export interface Steps {
  /** Runs one step and prints its title, what it answers, and how long it took. */
  step<T>(title: string, run: () => Promise<{ readonly said: string; readonly value: T }>): Promise<T>;
}

/** Numbered steps. A step that fails, or that `signal` ended, is printed as such, and its error goes on. */
export function createSteps(total: number, print: (text: string) => void, signal: AbortSignal): Steps {
  const isEnd = (error: unknown): boolean =>
    signal.aborted && (error === signal.reason || (error as Error).name === 'AbortError');
  let number = 0;
  return {
    async step(title, run) {
      number += 1;
      const head = `[${number}/${total}] ${title}`;
      const started = performance.now();
      const took = () => duration(performance.now() - started);
      try {
        const { said, value } = await run();
        print(`${head}: ${said} (${took()})`);
        return value;
      } catch (error) {
        print(`${head}: ${isEnd(error) ? 'interrupted' : 'FAILED'} (${took()})`);
        throw error;
      }
    },
  };
}
