import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { within } from '../../../../reconciler/time-limit.ts';
import { withEither } from '../../../../schemas/io/either-signal.ts';
import { createVirtualClock } from '../../../support/virtual-clock.ts';

/** What is kept on a signal by others: its listeners, and the signals that Node remembers as made of it. */
function keptOn(signal: AbortSignal): number {
  const inside = Object.getOwnPropertySymbols(signal).map((key) => (signal as unknown as Record<symbol, unknown>)[key]);
  const sizes = inside.map((value) => (value as { readonly size?: unknown } | undefined)?.size);
  const kept = sizes.filter((size) => typeof size === 'number').reduce((sum, size) => sum + size, 0);
  return getEventListeners(signal, 'abort').length + kept;
}

describe('a signal of several', () => {
  it('aborts with the first of them, and at once when one has', async () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const reasons: unknown[] = [];
    const work = withEither([one.signal, other.signal], async (either) => {
      expect(either.aborted).toBe(false);
      other.abort('over');
      reasons.push(either.reason);
    });
    await work;
    await withEither([one.signal, other.signal], async (either) => void reasons.push(either.reason));
    expect(reasons).toEqual(['over', 'over']);
  });

  it('leaves nothing behind on those that go on, also where the work fails', async () => {
    const life = new AbortController();
    const before = keptOn(life.signal);
    for (let round = 0; round < 10; round += 1) {
      await withEither([life.signal, new AbortController().signal], async () => undefined);
      await withEither([life.signal], () => Promise.reject(new Error('no'))).catch(() => undefined);
      await within(createVirtualClock(), 1_000, async () => undefined, life.signal);
    }
    expect(keptOn(life.signal)).toBe(before);
  });
});
