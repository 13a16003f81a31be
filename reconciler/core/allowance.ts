/** How often something may happen: buckets by name, each of which fills again by and by. */

/** `most` at once, then one every `every` ms. */
export interface Limit {
  readonly most: number;
  readonly every: number;
}

/** Buckets that are kept; when there are more that are not full, all others are one. */
const mostBuckets = 4096;

export interface Buckets {
  /** ms until there is one to take. */
  wait(name: string, now: number): number;
  take(name: string, now: number): void;
  giveBack(name: string): void;
}

/** Times are monotonic, in ms. Of each bucket only the time is kept at which it will be full again. */
export function createBuckets({ most, every }: Limit): Buckets {
  const fullAt = new Map<string, number>();
  const keyOf = (name: string): string => (fullAt.has(name) || fullAt.size < mostBuckets ? name : '');
  let dropped = Number.NEGATIVE_INFINITY;
  /** Looks at all of them, so not again and again. */
  const dropFull = (now: number): void => {
    if (now - dropped < every) return;
    dropped = now;
    for (const [key, time] of fullAt) if (time <= now) fullAt.delete(key);
  };
  return {
    wait(name, now) {
      if (fullAt.size >= mostBuckets) dropFull(now);
      return Math.max(0, (fullAt.get(keyOf(name)) ?? now) - now - (most - 1) * every);
    },
    take(name, now) {
      const key = keyOf(name);
      fullAt.set(key, Math.max(fullAt.get(key) ?? now, now) + every);
    },
    giveBack(name) {
      const key = keyOf(name);
      const time = fullAt.get(key);
      if (time !== undefined) fullAt.set(key, time - every);
    },
  };
}
