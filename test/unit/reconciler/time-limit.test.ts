import { describe, expect, it } from 'vitest';
import { within } from '../../../reconciler/time-limit.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));

describe('within', () => {
  it('ends work that takes longer, on the clock it was given', async () => {
    const clock = createVirtualClock();
    let ended = '';
    within(clock, 1_000, untilAborted).catch((error: unknown) => {
      ended = String(error);
    });
    await clock.advance(999);
    expect(ended).toBe('');
    await clock.advance(1);
    expect(ended).toContain('TimeoutError');
  });

  it('answers what the work answers, and ends it with the outer signal', async () => {
    const clock = createVirtualClock();
    expect(await within(clock, 1_000, () => Promise.resolve(7))).toBe(7);
    const outer = new AbortController();
    const work = within(clock, 1_000, untilAborted, outer.signal);
    outer.abort(new Error('the end'));
    await expect(work).rejects.toThrow('the end');
  });
});
