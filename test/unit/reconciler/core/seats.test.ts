import { expect, it } from 'vitest';
import { settleSeats } from '../../../../reconciler/core/seats.ts';
import { aRun, aService, at, wanted } from '../../../support/builders.ts';
import { aFleet } from '../../../support/fleet.ts';
import { jobs } from './plan-service-support.ts';

it('a move of what went back after a failed update ends when the last good version is healthy there', () => {
  const fleet = aFleet(2);
  const update = { settle: 2_000 };
  fleet.want(wanted(aService({ update })));
  fleet.run(10_000);
  const bad = wanted(aService({ run: aRun('bad:2'), update }));
  fleet.want(bad);
  fleet.run(20_000);
  expect(jobs(fleet)).toEqual(['0 run app:1 node1']);
  const seat = { to: 'node2', command: 'move', origin: 'node1' } as const;
  const moving = { ...bad, seats: { 0: seat } };
  fleet.want(moving);
  const changes = () => settleSeats(fleet.world, moving, fleet.policy, at(fleet.now()));
  expect(changes()).toEqual([]);
  fleet.run(20_000);
  expect(jobs(fleet)).toEqual(['0 run app:1 node2']);
  expect(changes()).toEqual([{ slot: 0, seat, outcome: 'arrived' }]);
});
