import { describe, expect, it } from 'vitest';
import { beatFor, type Reach, type Uptime, verdictOf } from '../../../../agent/core/away.ts';
import { container, jobOf } from '../support.ts';

const run = container('app:1');
const free = jobOf('a.b.c.d.instance.0', '1.1', run);
const plain = { ...free, away: { stop_after: 10_000 } };
const exclusive = { ...free, away: { stop_after: 10_000, exclusive: true as const } };
const key = 'a.b.c.d.instance.0/1.1';
const up = (ms: number): Uptime => ms as Uptime;
const reach = (changes: Partial<Reach> = {}): Reach => ({
  contact: up(0),
  grants: new Map(),
  lenient: new Map(),
  listening: new Map(),
  ...changes,
});
const limits = (job: typeof free, state: Reach, ...moments: number[]) =>
  moments.map((ms) => verdictOf(job, state, up(ms)).limit);

describe('a copy without contact', () => {
  it('goes on where nothing was said, and where it is not meant to run', () => {
    expect(limits(free, reach(), 1e9)).toEqual([undefined]);
    expect(limits({ ...exclusive, want: 'prepared' }, reach(), 0)).toEqual([undefined]);
  });

  it('stops after stop_after, from the last contact', () => {
    expect(limits(plain, reach({ contact: up(5_000) }), 5_000, 14_999, 15_000)).toEqual([undefined, undefined, 'stop']);
    expect(verdictOf(plain, reach(), up(1)).changesAt).toBe(10_000);
  });

  it('listens for a moment when contact is back', () => {
    const back = reach({ contact: up(60_000), listening: new Map([[key, up(61_500)]]) });
    expect(limits(plain, back, 60_500, 61_499, 61_500)).toEqual(['hold', 'hold', undefined]);
  });
});

describe('an exclusive copy', () => {
  it('does nothing without a lease, whatever the contact', () => {
    expect(limits(exclusive, reach({ contact: up(1_000) }), 1_000)).toEqual(['stop']);
  });

  it('starts only early in its lease, runs for nine tenths, and stops before the end', () => {
    const granted = reach({ grants: new Map([[key, { sent: up(1_000), ms: 10_000 }]]) });
    const verdicts = limits(exclusive, granted, 1_000, 7_499, 7_500, 9_999, 10_000);
    expect(verdicts).toEqual([undefined, undefined, 'hold', 'hold', 'stop']);
    const moments = [1_000, 8_000].map((ms) => verdictOf(exclusive, granted, up(ms)).changesAt);
    expect(moments).toEqual([7_500, 10_000]);
  });

  it('takes the shorter of what was given and what its job says', () => {
    const granted = (ms: number) => reach({ grants: new Map([[key, { sent: up(0), ms }]]) });
    expect(limits(exclusive, granted(4_000), 3_599, 3_600)).toEqual(['hold', 'stop']);
    expect(limits(exclusive, granted(60_000), 8_999, 9_000)).toEqual(['hold', 'stop']);
  });

  it('of another id gives nothing', () => {
    const other = reach({ grants: new Map([['a.b.c.d.instance.0/1.2', { sent: up(0), ms: 10_000 }]]) });
    expect(limits(exclusive, other, 0)).toEqual(['stop']);
  });

  it('that ran before goes on for a moment, and is not started in it', () => {
    expect(limits(exclusive, reach({ lenient: new Map([[key, up(5_000)]]) }), 4_999, 5_000)).toEqual(['hold', 'stop']);
  });
});

describe('beats', () => {
  it('are four in the shortest time, one each second while a copy waits, and as usual else', () => {
    expect(beatFor([], new Map(), 5_000)).toBe(5_000);
    expect(beatFor([plain], new Map(), 5_000)).toBe(2_500);
    expect(beatFor([{ ...plain, away: { stop_after: 600_000 } }], new Map(), 5_000)).toBe(5_000);
    expect(beatFor([exclusive], new Map([[key, 'stop']]), 5_000)).toBe(1_000);
    expect(beatFor([exclusive], new Map([[key, 'stop']]), 500)).toBe(500);
    expect(beatFor([{ ...plain, away: { stop_after: 1 } }], new Map(), 5_000)).toBe(200);
  });
});
