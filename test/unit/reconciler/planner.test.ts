import { expect, it } from 'vitest';
import type { Context } from '../../../reconciler/context.ts';
import { apply } from '../../../reconciler/core/world.ts';
import type { WorldEvent } from '../../../reconciler/core/world-event.ts';
import type { Dispatcher } from '../../../reconciler/dispatch.ts';
import { createJournal } from '../../../reconciler/journal.ts';
import { createPlanner, type Notices } from '../../../reconciler/planner.ts';
import { aCluster, aPolicy, aService, wanted } from '../../support/builders.ts';
import { countedRecords } from '../../support/counted-records.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const nobody: Notices = { before: () => undefined, replacing: () => undefined, gaveUp: () => undefined };

/** How often the records change while so many services that are new are planned together. */
async function changesFor(count: number): Promise<number> {
  const clock = createVirtualClock();
  const { keeper, changes } = await countedRecords();
  const cluster = aCluster();
  cluster.join(1, 0);
  const names = Array.from({ length: count }, (_, number) => `shop.default.web${number}.default`);
  for (const name of names) cluster.want(wanted(aService({ name })));
  const { world } = cluster;
  const fatal: Error[] = [];
  const context = {
    deps: { clock, log: () => undefined, fatal: (error: Error) => void fatal.push(error) },
    ...{ world, keeper, plans: new Map(), journal: createJournal({ clock, run: 'r1' }) },
    policy: () => aPolicy(),
    apply: (event: WorldEvent) => void apply(world, event),
  } as unknown as Context;
  const told: string[] = [];
  const dispatcher = {
    queue: ({ action }) => void told.push(action.service),
    flush: () => expect(Object.keys(keeper.now.rollouts)).toHaveLength(count),
  } as Partial<Dispatcher> as Dispatcher;
  const planner = createPlanner(context, dispatcher, nobody);
  planner.wake();
  await clock.settle();
  await planner.stop();
  expect(told.sort()).toEqual([...names].sort());
  expect(Object.keys(keeper.now.rollouts).sort()).toEqual([...names].sort());
  expect(keeper.trouble).toBeUndefined();
  expect(fatal).toEqual([]);
  return changes();
}

/** Each change copies all rollouts that there are: a first sync of ten thousand services would copy them ten thousand times. */
it('services that are planned together change the records as often as one', async () => {
  expect(await changesFor(100)).toBe(await changesFor(1));
});
