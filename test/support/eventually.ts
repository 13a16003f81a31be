/** How tests wait: for a condition, never for a time. */

export interface EventuallyOptions {
  /** ms until it gives up; default 30 000: only a failing test ever waits that long. */
  readonly timeout?: number;
  /** ms between two tries; default 50. */
  readonly interval?: number;
  /** What is awaited, for the message of the failure. */
  readonly what?: string;
}

/**
 * Repeats `check` until it returns without throwing and not `false`, and returns what it returned. After `timeout` it throws
 * with the last failure as cause. `undefined` counts as success, so that a check may consist of `expect` calls only.
 */
export async function eventually<T>(check: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<T> {
  const { timeout = 30_000, interval = 50, what = 'the condition' } = options;
  const started = performance.now();
  let last: unknown = new Error('the check returned false');
  for (;;) {
    try {
      const value = await check();
      if (value !== false) return value;
    } catch (error) {
      last = error;
    }
    if (performance.now() - started >= timeout) {
      const reason = last instanceof Error ? last.message : String(last);
      throw new Error(`${what} did not come true within ${timeout} ms: ${reason}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}

/** Repeats `check` for `duration` ms and throws as soon as it throws or returns `false`: for what must not happen. */
export async function steadily(check: () => unknown, duration: number, what = 'the condition'): Promise<void> {
  const started = performance.now();
  while (performance.now() - started < duration) {
    if ((await check()) === false) {
      throw new Error(`${what} ended after ${Math.round(performance.now() - started)} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
