/** The simulator on itself and on the product: a few seeds of what `npm run sim` plays for hours. */
import { describe, expect, it } from 'vitest';
import { bugNamed, bugs } from './bugs.ts';
import { keepsEveryInvariant } from './halves.ts';
import { play } from './play.ts';

describe('the simulated world', () => {
  keepsEveryInvariant('odd');

  it('is the same for the same seed', async () => {
    const [first, second, other] = [await play(7), await play(7), await play(8)];
    expect(second).toEqual(first);
    expect(other.hash).not.toBe(first.hash);
  });

  it('has at least 20 bugs to find, each once', () => {
    expect(bugs.length).toBeGreaterThanOrEqual(20);
    expect(new Set(bugs.map(({ name }) => name)).size).toBe(bugs.length);
  });

  it.each([
    'agent: the ledger is not read at the start',
    'agent: signatures are not checked',
    'agent: a stop is believed to have worked',
    'reconciler: the epoch stays at a start',
    'reconciler: retained messages are signs of life',
  ])('finds the planted bug %s', async (name) => {
    const bug = bugNamed(name);
    for (let seed = 1; seed <= 200; seed += 1) {
      const { violations } = await play(seed, { bug });
      if (violations.length > 0) return;
    }
    throw new Error('not found in 200 seeds');
  });
});
