import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { View, World } from '../../../../reconciler/core/model.ts';
import type { Plan } from '../../../../reconciler/core/plan.ts';
import { planAll } from '../../../../reconciler/core/plan.ts';
import { presenceOf } from '../../../../reconciler/core/presence.ts';
import { wantedSlots } from '../../../../reconciler/core/slots.ts';
import { apply, cloneWorld } from '../../../../reconciler/core/world.ts';
import { aRun, aService, at, wanted } from '../../../support/builders.ts';
import { aFleet, type Fleet } from '../../../support/fleet.ts';

const names = ['a.default.web.default', 'a.default.db.default', 'b.default.web.default'];

interface Wish {
  readonly service: number;
  readonly replicas: number | 'every';
  readonly version: number;
  readonly memory: number;
  readonly port: boolean;
  readonly order: 'start_first' | 'stop_first';
  readonly max: number;
}

type Step =
  | { readonly kind: 'want'; readonly wish: Wish }
  | { readonly kind: 'unwant'; readonly service: number }
  | { readonly kind: 'kill' | 'cut' | 'revive' | 'cordon'; readonly node: number }
  | { readonly kind: 'run'; readonly ms: number };

const wish: fc.Arbitrary<Wish> = fc.record({
  service: fc.nat(2),
  replicas: fc.oneof(fc.nat(4), fc.constant('every' as const)),
  version: fc.integer({ min: 1, max: 4 }),
  memory: fc.constantFrom(0, 100, 400),
  port: fc.boolean(),
  order: fc.constantFrom('start_first', 'stop_first'),
  max: fc.integer({ min: 1, max: 2 }),
});

const change: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('want' as const), wish }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unwant' as const), service: fc.nat(2) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('run' as const), ms: fc.constantFrom(1_000, 4_000, 15_000) }) },
);
const loss: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('kill' as const, 'cut' as const, 'revive' as const),
  node: fc.integer({ min: 1, max: 4 }),
});
const calm = fc.array(change, { minLength: 1, maxLength: 12 });
const rough = fc.array(fc.oneof({ weight: 3, arbitrary: change }, { weight: 1, arbitrary: loss }), {
  minLength: 1,
  maxLength: 20,
});

function desire(fleet: Fleet, { service, replicas, version, memory, port, order, max }: Wish): void {
  const ports = port ? { ports: [{ host: 8080 + service, container: 80, protocol: 'tcp' as const }] } : {};
  const run = aRun(version === 4 ? 'bad:4' : `app:${version}`, { memory, ...ports });
  const name = names[service] ?? '';
  fleet.want(wanted(aService({ name, run, replicas, update: { order, max_unavailable: max, timeout: 60_000 } })));
}

/** Carries a step out; answers the plans that were made. */
function take(fleet: Fleet, step: Step): Plan[] {
  if (step.kind === 'want') desire(fleet, step.wish);
  else if (step.kind === 'unwant') unwant(fleet, names[step.service] ?? '');
  else if (step.kind === 'run') return fleet.run(step.ms);
  else if (step.kind === 'kill') fleet.kill(step.node);
  else if (step.kind === 'cut') fleet.cut(step.node);
  else if (step.kind === 'revive') fleet.revive(step.node);
  return [];
}

function unwant(fleet: Fleet, service: string): void {
  apply(fleet.world, { kind: 'desired', service });
  apply(fleet.world, { kind: 'head', source: 'main', commit: 'c2' });
  apply(fleet.world, { kind: 'ancestry', source: 'main', commit: 'c1', ancestor: true });
}

/** The same world with every map in another order. */
function shuffled(world: World): World {
  const turned = cloneWorld(world) as unknown as Record<string, unknown>;
  const reverse = (map: Map<unknown, unknown>): Map<unknown, unknown> =>
    new Map([...map].reverse().map(([key, value]) => [key, value instanceof Map ? reverse(value) : value]));
  for (const [key, value] of Object.entries(turned)) if (value instanceof Map) turned[key] = reverse(value);
  return turned as unknown as World;
}

/** Copies that nodes were told to run, per instance. */
function running(view: View, service: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { instance, job } of view.copies.get(service)?.values() ?? []) {
    if (job?.want === 'run') counts.set(instance, (counts.get(instance) ?? 0) + 1);
  }
  return counts;
}

const options = { numRuns: 60 };

describe('plans', () => {
  it('settle: in the end nothing is left to do, and every wanted instance has one healthy copy or a reason', () => {
    fc.assert(
      fc.property(rough, (steps) => {
        const fleet = aFleet(4);
        for (const step of steps) take(fleet, step);
        for (const n of [1, 2, 3, 4]) fleet.revive(n);
        fleet.run(150_000, 2_500);
        const plan = planAll(fleet.world, fleet.policy, at(fleet.now()));
        expect(plan.actions).toEqual([]);
        for (const [service, desired] of fleet.world.desired) {
          const slots = wantedSlots(fleet.world, desired).map(({ instance }) => instance);
          const held = new Set(plan.services.get(service)?.holds.map((hold) => hold.subject));
          const counts = running(fleet.world, service);
          // What others were to take over from goes on where those others failed, and there is no version to go back to.
          const isFailed = fleet.world.rollouts.get(service)?.phase === 'failed';
          const surplus = [...counts.keys()].filter((instance) => !slots.includes(instance));
          expect(surplus.filter((instance) => !isFailed || !held.has(instance))).toEqual([]);
          for (const instance of slots) {
            expect(counts.get(instance) ?? 0).toBe(held.has(instance) ? (counts.get(instance) ?? 0) : 1);
          }
        }
        for (const service of fleet.world.copies.keys()) expect(fleet.world.desired.has(service)).toBe(true);
      }),
      options,
    );
  });

  it('are the same for the same input, whatever its order, and change nothing', () => {
    fc.assert(
      fc.property(rough, (steps) => {
        const fleet = aFleet(4);
        for (const step of steps) {
          take(fleet, step);
          const before = JSON.stringify([...fleet.world.copies.values()].map((copies) => [...copies]));
          const plan = planAll(fleet.world, fleet.policy, at(fleet.now()));
          expect(planAll(fleet.world, fleet.policy, at(fleet.now()))).toEqual(plan);
          expect(planAll(shuffled(fleet.world), fleet.policy, at(fleet.now()))).toEqual(plan);
          expect(JSON.stringify([...fleet.world.copies.values()].map((copies) => [...copies]))).toBe(before);
        }
      }),
      options,
    );
  });

  it('give every wanted instance that is not as wanted an action or a reason', () => {
    fc.assert(
      fc.property(rough, (steps) => {
        const fleet = aFleet(4);
        for (const step of steps) {
          take(fleet, step);
          const plan = planAll(fleet.world, fleet.policy, at(fleet.now()));
          for (const [service, desired] of fleet.world.desired) {
            const of = plan.services.get(service);
            const said = new Set([
              ...(of?.actions ?? []).map((a) => a.instance),
              ...(of?.holds ?? []).map((h) => h.subject),
            ]);
            const slots = wantedSlots(fleet.world, desired);
            const silent = slots.filter(({ instance }) => !said.has(instance) && !said.has(service));
            expect(silent.length).toBeLessThanOrEqual(of?.settled ?? 0);
          }
        }
      }),
      options,
    );
  });

  it('act on nodes that are there and adopted, and name wanted or existing instances only', () => {
    fc.assert(
      fc.property(rough, (steps) => {
        const fleet = aFleet(4);
        for (const step of steps) {
          take(fleet, step);
          const now = at(fleet.now());
          const plan = planAll(fleet.world, fleet.policy, now);
          for (const action of plan.actions) {
            const node = fleet.world.nodes.get(action.node);
            expect(node?.adopted).toBe(true);
            expect(node && presenceOf(node, fleet.policy, now).state).toBe('online');
            if (action.kind !== 'start') continue;
            const desired = fleet.world.desired.get(action.service);
            const slots = desired ? wantedSlots(fleet.world, desired).map(({ instance }) => instance) : [];
            expect(slots).toContain(action.instance);
          }
        }
      }),
      options,
    );
  });

  it('never run more copies than wanted plus what may be updated at once', () => {
    fc.assert(
      fc.property(calm, (steps) => {
        const fleet = aFleet(4);
        const most = new Map<string, number>();
        for (const step of steps) {
          if (step.kind === 'want') most.set(names[step.wish.service] ?? '', Math.max(2, step.wish.max));
          take(fleet, step);
          if (step.kind !== 'run') continue;
          const plan = planAll(fleet.world, fleet.policy, at(fleet.now()));
          for (const [service, desired] of fleet.world.desired) {
            const counts = running(fleet.world, service);
            expect(Math.max(0, ...counts.values())).toBeLessThanOrEqual(2);
            const slots = wantedSlots(fleet.world, desired);
            const own = slots.reduce((sum, { instance }) => sum + (counts.get(instance) ?? 0), 0);
            expect(own).toBeLessThanOrEqual(slots.length + (most.get(service) ?? 1));
            // Slots between a number and `every` go on until others serve in their place, and then for the second of their notice.
            const { noticed = [], actions = [] } = plan.services.get(service) ?? {};
            const leaving = noticed.length + actions.filter(({ kind }) => kind === 'drop').length;
            const others = [...counts.values()].reduce((sum, count) => sum + count, 0) - own;
            expect(others - leaving).toBeLessThanOrEqual(slots.length);
          }
        }
      }),
      options,
    );
  });

  it('leave a copy alone whose digest did not change, whatever else of the service does', () => {
    const harmless = fc.array(
      fc.record({
        priority: fc.nat(5),
        commit: fc.constantFrom('c1', 'c2', 'c3'),
        order: fc.constantFrom('start_first' as const, 'stop_first' as const),
        replicas: fc.integer({ min: 2, max: 4 }),
        wait: fc.constantFrom(1_000, 20_000),
        cut: fc.option(fc.integer({ min: 1, max: 3 })),
      }),
      { maxLength: 10 },
    );
    fc.assert(
      fc.property(harmless, (changes) => {
        const fleet = aFleet(3);
        fleet.want(wanted(aService({ replicas: 2 })));
        fleet.run(30_000);
        const first = [...fleet.world.copies.values()].flatMap((copies) => [...copies.keys()]);
        for (const { priority, commit, order, replicas, wait, cut } of changes) {
          const spec = aService({ replicas, priority, update: { order } });
          fleet.want(wanted(spec, { source: { name: 'main', commit } }));
          if (cut !== null) fleet.cut(cut);
          const touched = fleet.run(cut === null ? wait : 3_000).flatMap((plan) => plan.actions);
          if (cut !== null) fleet.revive(cut);
          const ids = touched.flatMap((a) => (a.kind === 'start' ? [] : [`${a.instance}/${a.copy}`]));
          expect(ids.filter((id) => first.includes(id))).toEqual([]);
        }
      }),
      options,
    );
  });

  it('go back to the last good version when the wanted one fails, and stay there', () => {
    fc.assert(
      fc.property(wish, fc.constantFrom('start_first' as const, 'stop_first' as const), (base, order) => {
        const fleet = aFleet(4);
        const replicas = base.replicas === 'every' || base.replicas === 0 ? 2 : base.replicas;
        const good = { ...base, version: 1, order, replicas, memory: 100 };
        desire(fleet, good);
        fleet.run(60_000);
        const name = names[base.service] ?? '';
        const wantedDigest = fleet.world.desired.get(name)?.spec.digest;
        const run = { ...(fleet.world.desired.get(name)?.spec.run ?? aRun()), code: 'bad:1' };
        fleet.want(wanted(aService({ name, run, replicas, update: { order, max_unavailable: base.max } })));
        fleet.run(120_000);
        expect(fleet.world.rollouts.get(name)).toMatchObject({ phase: 'rolled_back', good: { digest: wantedDigest } });
        const jobs = [...(fleet.world.copies.get(name)?.values() ?? [])].map(({ job }) => [job?.digest, job?.want]);
        expect(jobs).toEqual(Array.from({ length: replicas }, () => [wantedDigest, 'run']));
        expect(fleet.run(600_000, 5_000).flatMap((plan) => plan.actions)).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });
});
