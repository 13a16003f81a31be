import { expect, it } from 'vitest';
import { presenceOf } from '../../../reconciler/core/presence.ts';
import { createGrace } from '../../../reconciler/grace.ts';
import { emptyPart } from '../../../schemas/assignment.ts';
import { aNodeRecord, aPolicy, information } from '../../support/builders.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

it('whoever hears nobody knows of no loss, however long', async () => {
  const clock = createVirtualClock();
  const { graceUntil: _none, ...base } = aPolicy();
  const grace = createGrace(clock, () => base);
  const node = {
    ...{ record: aNodeRecord(1), aliases: [], part: emptyPart, adopted: true },
    ...{ information: information(1, 1), heard: clock.now().mono },
  };
  const state = () => presenceOf(node, grace.policy(), clock.now()).state;
  grace.extend(false);
  await clock.advance(30 * 86_400_000);
  expect(state()).toBe('suspect');
  grace.extend(true);
  await clock.advance(14_999);
  expect(state()).toBe('suspect');
  await clock.advance(1);
  expect(state()).toBe('lost');
});
