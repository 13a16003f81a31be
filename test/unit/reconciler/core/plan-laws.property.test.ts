/** Laws of plans that are about rest, numbers and order. Those about losses, updates and people are in the files beside. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Action } from '../../../../reconciler/core/action.ts';
import { type Plan, planAll } from '../../../../reconciler/core/plan.ts';
import { parseInstanceName } from '../../../../schemas/names.ts';
import { aPolicy, aRun, aService, at, wanted } from '../../../support/builders.ts';
import { aFleet, type Fleet } from '../../../support/fleet.ts';

const names = ['a.default.web.default', 'a.default.db.default', 'b.default.web.default'];
const nodes = 4;

interface Want {
  readonly service: number;
  readonly slots: readonly number[] | 'every';
  readonly version: number;
  readonly order: 'start_first' | 'stop_first' | 'recreate';
  readonly max: number;
}

const slots = fc.uniqueArray(fc.nat(9), { maxLength: 4 });
const want: fc.Arbitrary<Want> = fc.record({
  service: fc.nat(2),
  slots: fc.oneof({ weight: 4, arbitrary: slots }, { weight: 1, arbitrary: fc.constant('every' as const) }),
  version: fc.integer({ min: 1, max: 3 }),
  order: fc.constantFrom('start_first', 'stop_first', 'recreate'),
  max: fc.integer({ min: 1, max: 2 }),
});

function ask(fleet: Fleet, { service, slots: numbers, version, order, max }: Want): void {
  const spec = aService({
    name: names[service] ?? '',
    replicas: numbers === 'every' ? 'every' : numbers.length,
    run: aRun(`app:${version}`, { memory: 50 }),
    update: { order, max_unavailable: max, timeout: 60_000 },
  });
  fleet.want(wanted(spec, { slots: numbers === 'every' ? [] : numbers }));
}

/** Slots that should be there: those that were asked for, or the ordinals of all nodes. */
function numbersOf(fleet: Fleet, service: string): readonly number[] {
  const desired = fleet.world.desired.get(service);
  if (desired?.spec.replicas === 'every') return [...fleet.world.nodes.values()].map(({ record }) => record.ordinal);
  return [...(desired?.slots ?? [])].sort((a, b) => a - b);
}

function running(fleet: Fleet, service: string): readonly number[] {
  return [...(fleet.world.copies.get(service)?.values() ?? [])]
    .flatMap(({ slot, job }) => (job?.want === 'run' ? [slot] : []))
    .sort((a, b) => a - b);
}

const slotOf = ({ instance }: Action): number => parseInstanceName(instance)?.slot ?? -1;
const options = { numRuns: 40 };

describe('a plan', () => {
  it('of a settled world is empty, at any later time', () => {
    fc.assert(
      fc.property(fc.array(want, { minLength: 1, maxLength: 6 }), fc.nat(3_600_000), (wants, later) => {
        const fleet = aFleet(nodes);
        for (const one of wants) {
          ask(fleet, one);
          fleet.run(2_000);
        }
        fleet.run(120_000, 2_500);
        fleet.tick(later);
        const plan = planAll(fleet.world, fleet.policy, at(fleet.now()));
        expect({ actions: plan.actions, holds: plan.holds }).toEqual({ actions: [], holds: [] });
        const all = [...fleet.world.desired.keys()].flatMap((service) => numbersOf(fleet, service));
        expect(plan.settled).toBe(all.length);
        expect(planAll(fleet.world, fleet.policy, at(fleet.now() + 1_000)).actions).toEqual([]);
      }),
      options,
    );
  });

  it('gives every slot its own number back, and touches no other when the numbers change', () => {
    const hurt = fc.record({
      kind: fc.constantFrom('kill' as const, 'cut' as const),
      node: fc.integer({ min: 1, max: 4 }),
    });
    const life = fc.array(fc.oneof(want, hurt), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(life, slots, slots, (steps, before, after) => {
        const fleet = aFleet(nodes, aPolicy({ massLoss: 1 }));
        const starts: Action[] = [];
        const collect = (plans: readonly Plan[]): void => {
          for (const action of plans.flatMap(({ actions }) => actions)) {
            if (action.kind !== 'start') continue;
            expect(numbersOf(fleet, action.service)).toContain(slotOf(action));
            starts.push(action);
          }
        };
        for (const step of steps) {
          if ('slots' in step) ask(fleet, step);
          else fleet[step.kind](step.node);
          collect(fleet.run(18_000, 3_000));
          if (!('slots' in step)) fleet.revive(step.node);
        }
        collect(fleet.run(150_000, 2_500));
        for (const service of fleet.world.desired.keys()) {
          expect(running(fleet, service)).toEqual([...numbersOf(fleet, service)].sort((a, b) => a - b));
        }
        const same = { service: 0, version: 1, order: 'start_first', max: 1 } as const;
        ask(fleet, { ...same, slots: before });
        fleet.run(150_000, 2_500);
        ask(fleet, { ...same, slots: after });
        const touched = fleet.run(60_000, 2_500).flatMap(({ actions }) => actions);
        const changed = [...before.filter((n) => !after.includes(n)), ...after.filter((n) => !before.includes(n))];
        expect([...new Set(touched.map(slotOf))].sort()).toEqual([...new Set(changed)].sort());
      }),
      options,
    );
  });

  it('does not depend on the order in which the world came to be known', () => {
    const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 });
    fc.assert(
      fc.property(fc.array(want, { minLength: 1, maxLength: 6 }), order, order, (wants, one, other) => {
        const known = [...new Map(wants.map((wish) => [wish.service, wish])).values()];
        const plans = [one, other].map((turn) => {
          const fleet = aFleet(0);
          for (const n of turn) fleet.join(n + 1, 0);
          for (const n of turn) {
            const wish = known[n];
            if (wish) ask(fleet, wish);
          }
          return planAll(fleet.world, fleet.policy, at(0));
        });
        expect(plans[0]?.actions).toEqual(plans[1]?.actions);
        expect(plans[0]?.holds).toEqual(plans[1]?.holds);
      }),
      options,
    );
  });
});
