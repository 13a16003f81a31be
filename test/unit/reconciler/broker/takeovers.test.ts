import { beforeEach, describe, expect, it } from 'vitest';
import { createTakeovers, type Takeovers } from '../../../../reconciler/broker/takeovers.ts';

let now = 0;
let takeovers: Takeovers;
const at = (seconds: number, client = 'a'): string => {
  now = seconds * 1_000;
  return takeovers.judge(client).stays;
};
beforeEach(() => {
  now = 0;
  takeovers = createTakeovers(() => now);
});

describe('take-overs', () => {
  it('are the right of the newest, three times in a minute', () => {
    expect([0, 20, 40, 61, 81].map((second) => at(second))).toEqual(Array(5).fill('newest'));
  });

  it('end with the fourth: the elder stays until the younger was away for two minutes', () => {
    expect([0, 1, 2, 3].map((second) => at(second))).toEqual(['newest', 'newest', 'newest', 'elder']);
    expect([4, 60, 179].map((second) => at(second))).toEqual(['elder', 'elder', 'elder']);
    expect(at(300)).toBe('newest');
  });

  it('are counted for each node', () => {
    for (const second of [0, 1, 2, 3]) at(second, 'a');
    expect(at(4, 'b')).toBe('newest');
  });

  it('are told when they are news, not at each attempt', () => {
    for (const second of [0, 1, 2]) at(second);
    const told = [3_000, 3_100, 7_900, 8_000].map((ms) => {
      now = ms;
      return takeovers.judge('a').tell;
    });
    expect(told).toEqual([true, false, false, true]);
  });
});
