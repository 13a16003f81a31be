import { describe, expect, it } from 'vitest';
import { planAll } from '../../../../reconciler/core/plan.ts';
import { apply, createWorld } from '../../../../reconciler/core/world.ts';
import { aRun, aService, at, wanted } from '../../../support/builders.ts';
import { aFleet, type Fleet } from '../../../support/fleet.ts';

const web = 'shop.default.web.default';
const db = 'shop.default.db.default';
const ask = (fleet: Fleet, name: string, code: string, depends_on?: readonly string[]): void =>
  fleet.want(wanted(aService({ name, replicas: 2, run: aRun(code), ...(depends_on && { depends_on }) })));
const copiesOf = (fleet: Fleet, name: string): number => fleet.world.copies.get(name)?.size ?? 0;
const waits = (fleet: Fleet) =>
  planAll(fleet.world, fleet.policy, at(fleet.now())).holds.filter(({ code }) => code === 'DEPENDENCY_WAITING');

describe('a service that depends on another one', () => {
  it('starts for the first time once that is healthy, and says what it waits for', () => {
    const fleet = aFleet(2);
    ask(fleet, web, 'app:1', [db]);
    fleet.run(20_000);
    expect(copiesOf(fleet, web)).toBe(0);
    expect(waits(fleet)).toMatchObject([
      { subject: `${web}.instance.0`, message: `waits for ${db} (nobody asks for it)` },
      { subject: `${web}.instance.1` },
    ]);
    ask(fleet, db, 'db:1');
    fleet.run(8_000);
    expect(waits(fleet)[0]?.message).toBe(`waits for ${db} (0 of 2 healthy)`);
    fleet.run(40_000);
    expect(fleet.world.rollouts.get(web)?.phase).toBe('settled');
  });

  it('goes on when that fails later: nothing restarts, and what is missing comes back', () => {
    const fleet = aFleet(2);
    ask(fleet, db, 'db:1');
    ask(fleet, web, 'app:1', [db]);
    fleet.run(60_000);
    apply(fleet.world, { kind: 'desired', service: db });
    const actions = fleet.run(30_000).flatMap((plan) => plan.actions);
    expect(actions.filter(({ service }) => service === web)).toEqual([]);
    ask(fleet, web, 'app:2', [db]);
    fleet.run(60_000);
    expect(fleet.world.rollouts.get(web)).toMatchObject({ phase: 'settled', good: { run: { code: 'app:2' } } });
  });

  it('needs as many instances of that as are wanted now, whatever its source says', () => {
    const fleet = aFleet(2);
    ask(fleet, db, 'db:1');
    const change = { kind: 'scale', slots: [0], counter: 2 } as const;
    const override = { id: 'o1', service: db, change, actor: 'ann', since: at(0).wall, base: '' };
    apply(fleet.world, { kind: 'deviation', service: db, deviation: { overrides: [override], renew: {} } });
    ask(fleet, web, 'app:1', [db]);
    fleet.run(60_000);
    expect(copiesOf(fleet, db)).toBe(1);
    expect(fleet.world.rollouts.get(web)?.phase).toBe('settled');
  });

  it('waits for nothing any more once its instances are on their way', () => {
    const fleet = aFleet(2);
    ask(fleet, db, 'db:1');
    fleet.run(30_000);
    ask(fleet, web, 'app:1', [db]);
    const waitsFor = () => planAll(fleet.world, fleet.policy, at(fleet.now())).services.get(web)?.waitsFor;
    fleet.tick(1_000);
    expect(copiesOf(fleet, web)).toBe(2);
    ask(fleet, db, 'bad:1');
    apply(fleet.world, { kind: 'desired', service: db });
    expect(waitsFor()).toBeUndefined();
  });

  it('in a circle that no file shows waits, and says so', () => {
    const fleet = aFleet(1);
    ask(fleet, web, 'app:1', [db]);
    ask(fleet, db, 'db:1', [web]);
    fleet.run(10_000);
    expect(waits(fleet)).toHaveLength(4);
  });
});

describe('the index of what is waited for', () => {
  it('forgets who waits no more', () => {
    const world = createWorld({ cluster: 'test', fence: { epoch: 1, gen: 0, by: 'me' } });
    const waiting = (service: string, names: readonly string[]): void =>
      void apply(world, { kind: 'waiting', service, waits: false, for: names });
    waiting('a', ['x', 'y']);
    waiting('b', ['x']);
    waiting('a', ['y']);
    expect([...world.awaited].map(([name, by]) => [name, [...by]])).toEqual([
      ['x', ['b']],
      ['y', ['a']],
    ]);
    waiting('a', []);
    waiting('b', []);
    expect(world.awaited.size).toBe(0);
  });
});
