import { expect, test } from 'vitest';
import { createOutbox } from '../../../reconciler/outbox.ts';
import type { NodeId } from '../../../schemas/names.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const id = (n: number): NodeId => n.toString(16).padStart(16, '0') as NodeId;

/** A broker that acknowledges only when it is told to. */
function desk() {
  const clock = createVirtualClock();
  const told: string[] = [];
  let pending = 0;
  const bus = { pending: () => pending };
  const outbox = createOutbox({ bus, clock }, (node, controls) => {
    told.push([Number.parseInt(node, 16), ...controls].join(' '));
    pending += controls.length + 1;
  });
  const acknowledge = async (): Promise<void> => {
    pending = 0;
    await clock.advance(10);
  };
  return { outbox, told, acknowledge, clock };
}

test('what is decided goes before what is only repeated, and each node gets its controls in order', async () => {
  const { outbox, told, acknowledge } = desk();
  for (let n = 0; n < 1_000; n += 1) outbox.repeated(id(n));
  expect(told).toHaveLength(200);
  outbox.decided(id(900), ['first']);
  outbox.decided(id(901), ['other']);
  outbox.decided(id(900), ['second']);
  expect(told).toHaveLength(200);
  await acknowledge();
  expect(told.slice(200, 203)).toEqual(['900 first second', '901 other', '200']);
  for (let turn = 0; turn < 20; turn += 1) await acknowledge();
  expect(told.filter((line) => line.startsWith('900') || line.startsWith('901'))).toHaveLength(2);
  expect(told).toHaveLength(1_000);
});

test('a broker that acknowledges nothing gets nothing more, and neither does anybody after the end', async () => {
  const { outbox, told, acknowledge, clock } = desk();
  for (let n = 0; n < 300; n += 1) outbox.decided(id(n), []);
  await clock.advance(60_000);
  expect(told).toHaveLength(200);
  outbox.stop();
  await acknowledge();
  expect(told).toHaveLength(200);
});
