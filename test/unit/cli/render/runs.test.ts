import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { renderService } from '../../../../cli/render/details.ts';
import { serviceListing } from '../../../../cli/render/listings.ts';
import { createPaint } from '../../../../cli/render/paint.ts';
import type { ScheduleView } from '../../../../schemas/views.ts';
import { fakeService } from '../../../support/fake-control-plane.ts';

const paint = createPaint(false);
const now = Date.UTC(2026, 0, 1, 0, 20);
const minute = 60_000;
const run = { cause: 'due', due: now - 5 * minute, started: now - 5 * minute, digest: '1:x' } as const;
const failed = { ...run, ended: now - 3 * minute, outcome: 'failed', exit_code: 3, node: 'pi1' } as const;
const schedule: ScheduleView = {
  cron: '*/15 * * * *',
  time_zone: 'UTC',
  concurrency: 'skip',
  next: now + 10 * minute,
  runs: [failed],
  skipped: 2,
};
const job = (given: Partial<ScheduleView> = {}) => ({
  ...fakeService('shop.default.job.default'),
  schedule: { ...schedule, ...given },
});

beforeEach(() => {
  vi.useFakeTimers({ now });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a job with a schedule', () => {
  it('says in a listing when it runs next, and how the last run ended', () => {
    const message = serviceListing.columns(paint).find(({ title }) => title === 'MESSAGE');
    expect(message?.value(job())).toBe('next run in 10m; last failed, exit code 3, 3m ago');
    expect(message?.value(job({ runs: [] }))).toBe('next run in 10m; none so far');
    expect(message?.value(job({ current: run }))).toBe('next run in 10m; last under way, for 5m');
  });

  it('shows its runs, the last one first', () => {
    const text = renderService(job({ current: { ...run, due: now } }), paint);
    expect(text).toMatch(/schedule +\*\/15 \* \* \* \* in UTC/);
    expect(text).toMatch(/next run +2026-01-01T00:30:00Z, in 10m/);
    expect(text).toMatch(/skipped +2/);
    expect(text).toMatch(/2026-01-01T00:20:00Z +under way[\s\S]+2026-01-01T00:15:00Z +failed +3 +2 min 0 s +pi1 +due/);
  });
});
