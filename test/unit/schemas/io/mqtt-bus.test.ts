import { describe, expect, it } from 'vitest';
import { reconnectDelay } from '../../../../schemas/io/mqtt-bus.ts';
import type { Random } from '../../../../schemas/ports.ts';

const always = (number: number): Random => ({ number: () => number, bytes: (count) => new Uint8Array(count) });

describe('reconnecting', () => {
  it('begins fast, spreads wider with each attempt, and never waits more than a minute', () => {
    const longest = Array.from({ length: 12 }, (_, attempt) => Math.round(reconnectDelay(attempt, always(1))));
    expect(longest).toEqual([500, 500, 500, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000, 60000]);
    for (let attempt = 0; attempt < 2000; attempt += 1) {
      expect(reconnectDelay(attempt, always(0))).toBe(100);
      expect(reconnectDelay(attempt, always(1))).toBeLessThanOrEqual(60_000);
    }
  });
});
