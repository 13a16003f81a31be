import { createSeededRandom } from '../../support/virtual-clock.ts';

/** All chance of a simulated world: the same seed throws the same. */
export interface Dice {
  /** An integer from 0 to `below - 1`. */
  below(below: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
}

export function createDice(seed: number): Dice {
  // Not the generator of the product's own randomness: what that draws must not shift what happens to it.
  const random = createSeededRandom((seed ^ 0x9e3779b9) >>> 0);
  const below = (limit: number): number => Math.floor(random.number() * limit);
  return {
    below,
    chance: (probability) => random.number() < probability,
    pick: (items) => items[below(items.length)] as never,
  };
}
