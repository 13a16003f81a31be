import { expect, it } from 'vitest';
import type { Context } from '../../../reconciler/context.ts';
import { apply } from '../../../reconciler/core/world.ts';
import type { WorldEvent } from '../../../reconciler/core/world-event.ts';
import { createJournal } from '../../../reconciler/journal.ts';
import type { Overrides } from '../../../reconciler/overrides.ts';
import { createRetirements } from '../../../reconciler/retirements.ts';
import type { Wall } from '../../../schemas/ports.ts';
import { aCluster, aService, wanted } from '../../support/builders.ts';
import { countedRecords } from '../../support/counted-records.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const noOverrides = { forget: () => undefined } as unknown as Overrides;

/** How often the records change while a source removes so many services, and their time ends. */
async function changesFor(count: number): Promise<number> {
  const clock = createVirtualClock();
  const { keeper, changes } = await countedRecords();
  const { world } = aCluster();
  const fatal: Error[] = [];
  const context = {
    deps: { clock, log: () => undefined, fatal: (error: Error) => void fatal.push(error) },
    ...{ world, keeper, journal: createJournal({ clock, run: 'r1' }) },
    apply: (event: WorldEvent) => void apply(world, event),
  } as unknown as Context;
  const retirements = createRetirements(context, noOverrides);
  const { wall } = clock.now();
  const retired = { commit: 'c2', since: wall, until: (wall + 1_000) as Wall };
  const events = Array.from({ length: count }, (_, number) => {
    const service = `shop.default.web${number}.default`;
    return { kind: 'desired' as const, service, desired: wanted(aService({ name: service }), { retired }) };
  });
  for (const event of events) apply(world, event);
  retirements.heard(events);
  expect(Object.keys(keeper.now.retired)).toHaveLength(count);
  await clock.advance(500);
  retirements.tick();
  expect(Object.keys(keeper.now.retired)).toHaveLength(count);
  await clock.advance(500);
  retirements.tick();
  await clock.settle();
  expect(keeper.now.retired).toEqual({});
  expect(Object.keys(keeper.now.tombstones)).toHaveLength(count);
  expect(world.desired.size).toBe(0);
  expect(fatal).toEqual([]);
  return changes();
}

/** Each change copies all that is there: ten thousand of them for ten thousand services hold the loop up for a minute. */
it('services that are removed together change the records as often as one', async () => {
  expect(await changesFor(100)).toBe(await changesFor(1));
});
