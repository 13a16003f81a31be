import { expect, it } from 'vitest';
import { compareWithFullPasses } from '../../../support/incremental.ts';

it('index, world, actions and holds are after each of 10,000 events what a full pass over a world built anew comes to', () => {
  const { acted, held } = compareWithFullPasses(10_000, 4);
  expect(acted).toBeGreaterThan(1_000);
  expect(held.size).toBeGreaterThan(15);
}, 240_000);

it.each([
  [76, 132, 'a copy that its own plan does not wait for serves by now, and others depend on it'],
  [345, 125, 'the same, with one of its nodes silent'],
  [400, 109, 'two copies on a node have one port'],
  [950, 127, 'the same, in another order'],
  [1_044, 132, 'what a stopped copy needs to run again is free, and it depends on others'],
  [1_170, 105, 'an old copy has run for long enough, so that another may stop'],
])('also after event %i of seed %i: %s', (events, seed) => {
  expect(compareWithFullPasses(events + 1, seed).acted).toBeGreaterThan(0);
});
