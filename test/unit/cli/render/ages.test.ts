import { expect, it } from 'vitest';
import { left } from '../../../../cli/render/ages.ts';

it.each([
  [-5, '0s'],
  [39_200, '40s'],
  [299_900, '5m'],
  [7_199_900, '2h'],
  [5_399_000, '1h 30m'],
  [86_399_500, '1d'],
  [187_200_000, '2d 4h'],
])('%d ms are %s, so that what was asked for a moment ago is not said to be less', (ms, text) => {
  expect(left(ms)).toBe(text);
});
