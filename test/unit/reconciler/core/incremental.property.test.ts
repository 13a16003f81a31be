import { expect, it } from 'vitest';
import { compareWithFullPasses } from '../../../support/incremental.ts';

it('index, world, actions and holds are after each of 10,000 events what a full pass over a world built anew comes to', () => {
  const { acted, held } = compareWithFullPasses(10_000, 4);
  expect(acted).toBeGreaterThan(1_000);
  expect(held.size).toBeGreaterThan(15);
}, 240_000);
