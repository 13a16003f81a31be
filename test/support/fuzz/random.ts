/** Randomness that can be played again: everything of a case follows from the seed of the campaign and its number. */
export interface Dice {
  /** In [0, 1). */
  next(): number;
  /** A whole number from 0 to `below` - 1. */
  upTo(below: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
}

/** splitmix32: short, even, and the same on every machine. */
export function createDice(seed: number, number: number): Dice {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)) >>> 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
  const upTo = (below: number): number => Math.floor(next() * below);
  return {
    next,
    upTo,
    chance: (probability) => next() < probability,
    pick: (list) => list[upTo(list.length)] as never,
  };
}
