/** What is suspended stays as it is, whatever happens around it; what goes all the same is what harms. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Suspend } from '../../../../reconciler/core/deviations.ts';
import type { Plan } from '../../../../reconciler/core/plan.ts';
import { planAll } from '../../../../reconciler/core/plan.ts';
import { covers, suspendOf, suspendOfNode, suspendViews } from '../../../../reconciler/core/suspends.ts';
import { apply } from '../../../../reconciler/core/world.ts';
import { aRun, aService, at, wanted } from '../../../support/builders.ts';
import { aFleet, type Fleet } from '../../../support/fleet.ts';

const web = 'shop.default.web.default';
const subjects = ['cluster', 'shop.default', web] as const;

const asleep = (subject: string): Suspend => {
  return { subject, actor: 'ann', reason: 'repair', since: at(0).wall, until: at(3_600_000).wall };
};
const suspend = (fleet: Fleet, subject: string): void =>
  void apply(fleet.world, { kind: 'suspend', subject, suspend: asleep(subject), at: at(fleet.now()).mono });
const resume = (fleet: Fleet, subject: string): void =>
  void apply(fleet.world, { kind: 'suspend', subject, at: at(fleet.now()).mono });
const want = (fleet: Fleet, version: number, replicas = 3, update: object = {}): void =>
  fleet.want(
    wanted(
      aService({ replicas, run: aRun(version === 4 || version === 5 ? `bad:${version}` : `app:${version}`), update }),
    ),
  );
const actions = (plans: readonly Plan[]) => plans.flatMap((plan) => plan.actions);
const plan = (fleet: Fleet) => planAll(fleet.world, fleet.policy, at(fleet.now()));
/** Node of each copy that is to run, by instance. */
const places = (fleet: Fleet): string[] =>
  [...(fleet.world.copies.get(web)?.values() ?? [])]
    .flatMap(({ instance, copy, node, job }) => (job?.want === 'run' ? [`${instance}/${copy} ${node}`] : []))
    .sort();
const settledFleet = (nodes = 3, replicas = 3): Fleet => {
  const fleet = aFleet(nodes);
  want(fleet, 1, replicas);
  fleet.run(60_000);
  expect(plan(fleet).settled).toBe(replicas);
  return fleet;
};

describe('what suspends a service', () => {
  const view = (...names: string[]) => ({ suspends: new Map(names.map((name) => [name, asleep(name)])) });

  it('is the widest of those that reach it', () => {
    expect(suspendOf(view(), web)).toBeUndefined();
    expect(suspendOf(view(web), web)?.subject).toBe(web);
    expect(suspendOf(view(web, 'shop.default'), web)?.subject).toBe('shop.default');
    expect(suspendOf(view(web, 'shop.default', 'cluster'), web)?.subject).toBe('cluster');
    expect(suspendOf(view('shop.test', 'shop', 'node/node1'), web)).toBeUndefined();
    expect(suspendOfNode(view('node/node1'), 'node1')?.subject).toBe('node/node1');
    expect(suspendOfNode(view('node/node1', 'cluster'), 'node2')?.subject).toBe('cluster');
  });

  it('is told by names that begin alike', () => {
    expect(subjects.every((subject) => covers(subject, web))).toBe(true);
    expect(covers('shop.def', web)).toBe(false);
    expect(covers('shop.default', 'shop.default2.web.default')).toBe(false);
  });
});

describe.each(subjects)('with %s suspended', (subject) => {
  it('nothing changes by an update, another number, a removal or a loss, and all of it after that', () => {
    const fleet = settledFleet(4);
    const before = places(fleet);
    suspend(fleet, subject);
    want(fleet, 2, 5);
    expect(actions(fleet.run(120_000))).toEqual([]);
    fleet.kill(1);
    expect(actions(fleet.run(120_000))).toEqual([]);
    expect(places(fleet)).toEqual(before);
    expect(plan(fleet).holds).toEqual([
      {
        code: 'SUSPENDED',
        subject: web,
        message: expect.stringContaining('suspended by ann until 2023-11-14T23:13:20Z: repair'),
        hint: `oakctl resume ${subject}`,
      },
    ]);
    apply(fleet.world, { kind: 'desired', service: web });
    apply(fleet.world, { kind: 'head', source: 'main', commit: 'c2' });
    apply(fleet.world, { kind: 'ancestry', source: 'main', commit: 'c1', ancestor: true });
    expect(actions(fleet.run(60_000))).toEqual([]);
    want(fleet, 2, 5);
    fleet.run(10_000);
    resume(fleet, subject);
    fleet.run(300_000);
    expect(plan(fleet)).toMatchObject({ settled: 5, holds: [] });
  });

  it('it is not planned because of a node that has no copy of it', () => {
    const fleet = settledFleet(4);
    suspend(fleet, subject);
    want(fleet, 2, 5);
    fleet.run(30_000);
    const nodes = [1, 2, 3, 4].map((n) => `node${n}`);
    const away = nodes.filter((id) => !fleet.world.copiesOn.has(id));
    expect(away).toHaveLength(1);
    const isPlannedAfter = (node: string): boolean => {
      fleet.world.dirty.clear();
      apply(fleet.world, { kind: 'presence', node });
      return fleet.world.dirty.has(web);
    };
    expect(nodes.filter(isPlannedAfter)).toEqual(nodes.filter((id) => !away.includes(id)));
    resume(fleet, subject);
    fleet.run(300_000);
    expect(plan(fleet)).toMatchObject({ settled: 5, holds: [] });
  });

  it('an update in the middle waits, and its time does not run meanwhile', () => {
    const fleet = settledFleet(3, 1);
    want(fleet, 2, 1, { order: 'stop_first', timeout: 30_000 });
    fleet.tick(500);
    fleet.tick(500);
    suspend(fleet, subject);
    expect(actions(fleet.run(600_000))).toEqual([]);
    resume(fleet, subject);
    fleet.run(60_000);
    expect(fleet.world.rollouts.get(web)).toMatchObject({ phase: 'settled' });
    expect(plan(fleet).settled).toBe(1);
  });

  it('what was deleted goes, and the second copy of a node that is back', () => {
    const fleet = settledFleet(4);
    fleet.cut(1);
    fleet.run(60_000);
    expect(places(fleet)).toHaveLength(4);
    suspend(fleet, subject);
    fleet.revive(1);
    const gone = actions(fleet.run(30_000));
    expect(gone.map(({ kind }) => kind)).toEqual(['drop']);
    expect(places(fleet)).toHaveLength(3);
    apply(fleet.world, { kind: 'desired', service: web });
    apply(fleet.world, { kind: 'tombstone', service: web, copy: '99.1' });
    fleet.run(10_000);
    expect(places(fleet)).toEqual([]);
  });
});

describe('with a node suspended', () => {
  const node = 'node/node1';

  it('its copies stay as they are, also while it is lost, and the others are updated', () => {
    const fleet = settledFleet(4);
    const here = places(fleet).filter((line) => line.endsWith('node1'));
    expect(here).toHaveLength(1);
    suspend(fleet, node);
    want(fleet, 2);
    fleet.run(300_000);
    expect(places(fleet)).toHaveLength(3);
    expect(places(fleet)).toEqual(expect.arrayContaining(here));
    expect(fleet.world.rollouts.get(web)?.phase).toBe('progressing');
    expect(plan(fleet)).toMatchObject({ settled: 2, holds: [{ code: 'SUSPENDED' }] });
    fleet.kill(1);
    fleet.run(300_000);
    expect(places(fleet)).toHaveLength(3);
    expect(places(fleet)).toEqual(expect.arrayContaining(here));
    fleet.revive(1);
    resume(fleet, node);
    fleet.run(300_000);
    expect(plan(fleet)).toMatchObject({ settled: 3, holds: [] });
  });

  it('nothing new comes, and what is surplus or unwanted there stays', () => {
    const fleet = settledFleet(3);
    suspend(fleet, node);
    want(fleet, 1, 6);
    fleet.run(120_000);
    expect(places(fleet).filter((line) => line.endsWith('node1'))).toHaveLength(1);
    want(fleet, 1, 0);
    fleet.run(120_000);
    expect(places(fleet).map((line) => line.slice(-5))).toEqual(['node1']);
    expect(plan(fleet).holds.map(({ code }) => code)).toEqual(['SUSPENDED']);
    apply(fleet.world, { kind: 'desired', service: web });
    apply(fleet.world, { kind: 'head', source: 'main', commit: 'c2' });
    apply(fleet.world, { kind: 'ancestry', source: 'main', commit: 'c1', ancestor: true });
    fleet.run(10_000);
    expect(places(fleet)).toHaveLength(1);
    resume(fleet, node);
    fleet.run(10_000);
    expect(places(fleet)).toEqual([]);
  });

  it('is shown by its name', () => {
    const fleet = aFleet(1);
    suspend(fleet, node);
    suspend(fleet, web);
    expect(suspendViews(fleet.world).map(({ subject }) => subject)).toEqual(['node/pi1', web]);
  });
});

describe('law', () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('want' as const),
      version: fc.integer({ min: 1, max: 5 }),
      replicas: fc.nat(4),
      order: fc.constantFrom('start_first', 'stop_first', 'recreate'),
    }),
    fc.record({ kind: fc.constantFrom('kill', 'cut', 'revive'), n: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant('sleep' as const), what: fc.constantFrom(...subjects, 'node/node1', 'node/node2') }),
    fc.record({ kind: fc.constant('wake' as const), what: fc.constantFrom(...subjects, 'node/node1', 'node/node2') }),
    fc.record({ kind: fc.constant('run' as const), ms: fc.constantFrom(1_000, 5_000, 20_000) }),
  );

  it('no copy starts or stops that is suspended, but second ones; and all comes to rest once nothing is', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 3, maxLength: 25 }), (steps) => {
        const fleet = aFleet(4);
        want(fleet, 1);
        fleet.run(30_000);
        for (const one of steps) {
          if (one.kind === 'want') want(fleet, one.version, one.replicas, { order: one.order, timeout: 60_000 });
          else if (one.kind === 'sleep') suspend(fleet, one.what);
          else if (one.kind === 'wake') resume(fleet, one.what);
          else if (one.kind === 'run') {
            const done = actions(fleet.run(one.ms));
            const moved = done.filter(
              (action) => suspendOf(fleet.world, web) ?? suspendOfNode(fleet.world, action.node),
            );
            expect(moved.every(({ why }) => why === 'another copy of this instance is kept')).toBe(true);
          } else fleet[one.kind](one.n);
        }
        for (const what of [...fleet.world.suspends.keys()]) resume(fleet, what);
        for (let n = 1; n <= 4; n += 1) fleet.revive(n);
        want(fleet, 9, 3);
        fleet.run(600_000, 2_500);
        expect(plan(fleet)).toMatchObject({ actions: [], settled: 3, holds: [] });
      }),
      { numRuns: 60 },
    );
  });
});
