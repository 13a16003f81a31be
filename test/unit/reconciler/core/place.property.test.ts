import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Action } from '../../../../reconciler/core/action.ts';
import type { World } from '../../../../reconciler/core/model.ts';
import { indexNode } from '../../../../reconciler/core/node-index.ts';
import { createPlacer } from '../../../../reconciler/core/place.ts';
import { planAll } from '../../../../reconciler/core/plan.ts';
import { wantedSlots } from '../../../../reconciler/core/slots.ts';
import { cloneWorld } from '../../../../reconciler/core/world.ts';
import { aCluster, aPolicy, at } from '../../../support/builders.ts';
import { plannedLife, take } from '../../../support/cluster-life.ts';

const step = plannedLife(8);

/** The same content in a world whose index knows no label: every choice is a look at all nodes. */
function unindexed(world: World): World {
  const blind = cloneWorld(world);
  blind.index.keys.clear();
  for (const id of blind.nodes.keys()) indexNode(blind, id);
  return blind;
}

const starts = (actions: readonly Action[]) => actions.filter((action) => action.kind === 'start');

describe('placement', () => {
  const policies = fc.constantFrom(aPolicy(), aPolicy({ placement: 'best_fit' }));

  it('by index chooses the node that a look at all nodes ranks first, and refuses what that refuses', () => {
    let placed = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), policies, (steps, policy) => {
        const made = aCluster();
        steps.forEach((one, n) => void take(made, one, n * 200, policy));
        const now = at(steps.length * 200);
        for (const [name, { spec }] of made.world.desired) {
          const placer = createPlacer(made.world, name, policy, now);
          for (const slot of [0, 1, 2, 9, 10, 11, 12]) {
            const { run, digest, placement, needs } = spec;
            const request = { instance: `${name}.instance.${slot}`, run, digest, placement, needs };
            const ranked = placer.rank(request);
            const found = placer.place(request);
            if ('hold' in ranked) expect(found).toEqual({ kind: 'refused', hold: ranked.hold });
            else expect(found).toMatchObject({ kind: 'placed', node: ranked.nodes[0]?.record.id });
            if (found.kind === 'placed') placed += 1;
          }
        }
      }),
      { numRuns: 400 },
    );
    expect(placed).toBeGreaterThan(500);
  });

  it('is the same for an index that cannot tell nodes apart, and looks at each of them', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), policies, (steps, policy) => {
        const made = aCluster();
        steps.forEach((one, n) => void take(made, one, n * 200, policy));
        const now = at(steps.length * 200);
        const blind = unindexed(made.world);
        for (const [name, { spec }] of made.world.desired) {
          const { run, digest, placement, needs } = spec;
          const [sees, looks] = [made.world, blind].map((world) => createPlacer(world, name, policy, now));
          for (const slot of [0, 1, 2, 9, 10, 11, 12]) {
            const request = { instance: `${name}.instance.${slot}`, run, digest, placement, needs };
            expect(sees?.place(request)).toEqual(looks?.place(request));
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('says of every wanted instance that has no copy what is done or in the way, and gives no slot another number', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), policies, (steps, policy) => {
        const made = aCluster();
        steps.forEach((one, n) => void take(made, one, n * 200, policy));
        const plan = planAll(made.world, policy, at(steps.length * 200));
        for (const [name, desired] of made.world.desired) {
          const has = new Set([...(made.world.copies.get(name)?.values() ?? [])].map(({ instance }) => instance));
          const own = plan.services.get(name);
          const said = new Set([...(own?.actions ?? []), ...[]].map(({ instance }) => instance));
          for (const { subject } of own?.holds ?? []) said.add(subject);
          const instances = wantedSlots(made.world, desired).map(({ instance }) => instance);
          expect(instances.filter((one) => !has.has(one) && !said.has(one))).toEqual([]);
          for (const { instance } of starts(own?.actions ?? [])) expect(instances).toContain(instance);
        }
      }),
      { numRuns: 100 },
    );
  });
});
