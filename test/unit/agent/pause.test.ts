import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { pause } from '../../../agent/pause.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

it('ends with its time or with the abort, and leaves nothing behind', async () => {
  const clock = createVirtualClock();
  const life = new AbortController();
  const ended: string[] = [];
  const begin = (name: string, ms: number): void => void pause(clock, ms, life.signal).then(() => ended.push(name));
  begin('short', 1_000);
  begin('long', 60_000);
  await clock.advance(2_000);
  expect(ended).toEqual(['short']);
  expect(getEventListeners(life.signal, 'abort')).toHaveLength(1);
  life.abort();
  begin('late', 60_000);
  await clock.settle();
  expect(ended).toEqual(['short', 'long', 'late']);
  expect(getEventListeners(life.signal, 'abort')).toHaveLength(0);
});
