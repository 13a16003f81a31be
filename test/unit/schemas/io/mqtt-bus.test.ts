import { describe, expect, it } from 'vitest';
import { reconnectDelay } from '../../../../schemas/io/mqtt-bus.ts';
import type { Random } from '../../../../schemas/ports.ts';
import { settingsDefaults } from '../../../../schemas/settings.ts';

const always = (number: number): Random => ({ number: () => number, bytes: (count) => new Uint8Array(count) });

describe('reconnecting', () => {
  it('begins fast, spreads wider with each attempt, and never waits longer than a third of the shortest default loss', () => {
    const longest = Array.from({ length: 8 }, (_, attempt) => Math.round(reconnectDelay(attempt, always(1))));
    expect(longest).toEqual([500, 500, 500, 2000, 4000, 5000, 5000, 5000]);
    expect(settingsDefaults.lost_after.lan).toBeGreaterThanOrEqual(3 * Math.max(...longest));
    for (let attempt = 0; attempt < 2000; attempt += 1) {
      expect(reconnectDelay(attempt, always(0))).toBe(100);
      expect(reconnectDelay(attempt, always(1))).toBeLessThanOrEqual(5000);
    }
  });

  it('never waits longer than it was told', () => {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      expect(reconnectDelay(attempt, always(1), 300)).toBe(300);
      expect(reconnectDelay(attempt, always(0), 50)).toBe(50);
    }
  });
});
