import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cronFault, dueTimes, isTimeZone, mostCounted } from '../../../schemas/cron.ts';
import type { Wall } from '../../../schemas/ports.ts';

const wall = (text: string): Wall => Date.parse(text) as Wall;
const shown = (at: Wall | undefined): string | undefined => at && new Date(at).toISOString().slice(0, 16);

/** The next `count` due times after a moment. */
function following(cron: string, time_zone: string, after: string, count: number): (string | undefined)[] {
  const times = dueTimes({ cron, time_zone });
  const found: (string | undefined)[] = [];
  for (let at: Wall | undefined = wall(after); found.length < count && at !== undefined; ) {
    at = times.next(at);
    found.push(shown(at));
  }
  return found;
}

describe('expressions', () => {
  it.each([
    ['*/15 * * * *', 'UTC', ['2026-01-01T00:15', '2026-01-01T00:30']],
    ['30 3 * * *', 'Europe/Berlin', ['2026-01-01T02:30', '2026-01-02T02:30']],
    ['0 0 29 2 *', 'UTC', ['2028-02-29T00:00', '2032-02-29T00:00']],
    ['0 12 * * MON-FRI', 'UTC', ['2026-01-01T12:00', '2026-01-02T12:00']],
    ['0 0 13 * FRI', 'UTC', ['2026-01-02T00:00', '2026-01-09T00:00']],
    ['@daily', 'Asia/Kolkata', ['2026-01-01T18:30', '2026-01-02T18:30']],
    ['0 0 * JUL 0', 'UTC', ['2026-07-05T00:00', '2026-07-12T00:00']],
  ])('%s in %s', (cron, zone, expected) => {
    expect(cronFault(cron)).toBeUndefined();
    expect(following(cron, zone, '2026-01-01T00:00:00Z', 2)).toEqual(expected);
  });

  it.each([
    ['61 * * * *', 'minute `61`'],
    ['* 24 * * *', 'hour `24`'],
    ['* * 0 * *', 'day of month `0`'],
    ['* * * FOO *', 'month `FOO`'],
    ['* * * * 9', 'day of week `9`'],
    ['*/0 * * * *', 'minute `*/0`'],
    ['5-1 * * * *', 'minute `5-1`'],
    ['* * L * *', 'day of month `L`'],
    ['* * ? * *', 'day of month `?`'],
    ['* * * *', 'has 4 fields, not 5'],
    ['0 * * * * *', 'has 6 fields, not 5'],
    ['', 'has 0 fields'],
    ['@often', 'there is no `@often`'],
    ['0 0 31 2 *', 'never comes'],
    ['0 0 31 4,6,9,11 *', 'never comes'],
    ['2026-01-01T00:00:00 1 2 3 4', 'minute'],
  ])('%j is refused', (cron, message) => expect(cronFault(cron)).toContain(message));

  it('any text is a fault or has due times', () => {
    const sign = fc.constantFrom('*', '1', '5', '59', '/', '-', ',', ' ', 'MON', 'L', '@daily', '\n', '#', ':');
    fc.assert(
      fc.property(fc.array(sign, { maxLength: 14 }), (signs) => {
        const cron = signs.join('');
        if (cronFault(cron) === undefined)
          expect(dueTimes({ cron, time_zone: 'UTC' }).next(0 as Wall)).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });

  it('time zones are those that there are', () => {
    expect(['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires'].every(isTimeZone)).toBe(true);
    expect(['Mars/Phobos', '+02:00', '', 'Europe/Berlin '].some(isTimeZone)).toBe(false);
  });
});

describe('the night in which the clock is changed', () => {
  it('an hour is left out: a time in it comes right after it, once', () => {
    expect(following('30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', 2)).toEqual([
      '2026-03-29T01:00',
      '2026-03-30T00:30',
    ]);
  });

  it('an hour comes twice: a fixed time comes once, every hour means every hour', () => {
    expect(following('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ]);
    expect(following('30 2,14 * * *', 'Europe/Berlin', '2026-10-24T13:00:00Z', 2)).toEqual([
      '2026-10-25T00:30',
      '2026-10-25T13:30',
    ]);
    expect(following('30 * * * *', 'Europe/Berlin', '2026-10-24T23:45:00Z', 3)).toEqual([
      '2026-10-25T00:30',
      '2026-10-25T01:30',
      '2026-10-25T02:30',
    ]);
  });
});

describe('around every change of the clock', () => {
  /** Moments at which the offset of a zone changed, in these years, to the hour. */
  function changesOf(zone: string): number[] {
    const format = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' });
    const offset = (at: number) => format.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value;
    const found: number[] = [];
    const hour = 3_600_000;
    for (let day = Date.UTC(2025, 0, 1); day < Date.UTC(2027, 0, 1); day += 24 * hour) {
      if (offset(day) === offset(day + 24 * hour)) continue;
      for (let at = day; at < day + 24 * hour; at += hour) if (offset(at) !== offset(at + hour)) found.push(at);
    }
    return found;
  }

  it.each(['Europe/Berlin', 'Australia/Lord_Howe', 'Antarctica/Troll', 'Africa/Cairo', 'America/New_York'])(
    '%s: each due time comes after the one before, from wherever one looks',
    (time_zone) => {
      const changes = changesOf(time_zone);
      expect(changes.length).toBeGreaterThanOrEqual(4);
      for (const cron of ['*/20 * * * *', '30 2 * * *', '0 0 * * *', '30 * * * *', '30 2,14 * * *', '15 1-3 * * *']) {
        const times = dueTimes({ cron, time_zone });
        for (const change of changes) {
          let at = (change - 4 * 3_600_000) as Wall;
          for (let count = 0; count < 25; count += 1) {
            const next = times.next(at) ?? at;
            expect(next, `${cron} after ${shown(at)}`).toBeGreaterThan(at);
            if (next - at > 2_000)
              expect(times.next(((at + next) / 2) as Wall), `${cron} after ${shown(at)}`).toBe(next);
            at = next;
          }
        }
      }
    },
  );
});

describe('what was missed', () => {
  const every = dueTimes({ cron: '* * * * *', time_zone: 'UTC' });

  it('is the last due time, and how many were before it', () => {
    const last = every.last(wall('2026-01-01T00:00:00Z'), wall('2026-01-01T00:05:30Z'));
    expect([shown(last?.due), last?.earlier]).toEqual(['2026-01-01T00:05', 4]);
    expect(every.last(wall('2026-01-01T00:00:00Z'), wall('2026-01-01T00:00:59Z'))).toBeUndefined();
  });

  it('is found at once after a year of minutes', () => {
    const last = every.last(wall('2026-01-01T00:00:00Z'), wall('2027-01-01T00:00:30Z'));
    expect([shown(last?.due), last?.earlier]).toEqual(['2027-01-01T00:00', mostCounted]);
    const december = dueTimes({ cron: '* * * 1 *', time_zone: 'UTC' });
    expect(shown(december.last(wall('2026-01-01T00:00:00Z'), wall('2026-12-24T00:00:00Z'))?.due)).toBe(
      '2026-01-31T23:59',
    );
  });
});
