import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldPlans } from '../../../reconciler/core/plan.ts';
import { apply } from '../../../reconciler/core/world.ts';
import { orphanSlots, resize } from '../../../reconciler/direct.ts';
import { readDescriptors } from '../../../reconciler/read-descriptors.ts';
import { isProblemError } from '../../../schemas/problem.ts';
import { aCluster, aPolicy, aService, at, wanted } from '../../support/builders.ts';
import { descriptor } from '../../support/descriptors.ts';

describe('slots of a direct deployment', () => {
  it('begin at 0, go highest first, and no number comes twice', () => {
    const three = resize(undefined, 3);
    expect(three).toEqual({ slots: [0, 1, 2], counter: 3 });
    const one = resize(three, 1);
    expect(one).toEqual({ slots: [0], counter: 3 });
    expect(resize(one, 2)).toEqual({ slots: [0, 3], counter: 4 });
    expect(resize(resize(one, 'every'), 1)).toEqual({ slots: [3], counter: 4 });
  });

  it('are as many as asked for, all different, below the counter, and old ones stay as long as there is room', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(8), { minLength: 1, maxLength: 12 }), (sizes) => {
        let now: { readonly slots: readonly number[]; readonly counter: number } | undefined;
        const dropped = new Set<number>();
        for (const size of sizes) {
          const before = now?.slots ?? [];
          now = resize(now, size);
          expect(new Set(now.slots).size).toBe(size);
          for (const slot of now.slots) expect(dropped.has(slot) || slot >= now.counter).toBe(false);
          expect(now.slots.filter((slot) => before.includes(slot))).toHaveLength(Math.min(size, before.length));
          for (const slot of before) if (!now.slots.includes(slot)) dropped.add(slot);
        }
      }),
    );
  });
});

describe('orphans', () => {
  const name = 'shop.default.web.default';
  const orphaned = (replicas: number) => {
    const cluster = aCluster();
    cluster.join(1, 0);
    cluster.want({ ...wanted(aService({ name, replicas })), source: { name: 'direct' } });
    foldPlans(cluster.world, aPolicy(), at(10));
    apply(cluster.world, { kind: 'desired', service: name });
    return cluster.world;
  };

  it('give a new deployment their slots', () => {
    const world = orphaned(3);
    expect(orphanSlots(world, name)).toEqual({ slots: [0, 1, 2], counter: 3 });
    expect(orphanSlots(world, 'shop.default.other.default')).toBeUndefined();
  });

  it('that were deleted, or are wanted, give none', () => {
    const world = orphaned(2);
    apply(world, { kind: 'tombstone', service: name, copy: `${world.fence.epoch}.${world.fence.gen}` });
    expect(orphanSlots(world, name)).toBeUndefined();
    const other = orphaned(2);
    apply(other, { kind: 'desired', service: name, desired: wanted(aService({ name, replicas: 2 })) });
    expect(orphanSlots(other, name)).toBeUndefined();
  });
});

describe('descriptors of a request', () => {
  const read = (...texts: string[]) =>
    readDescriptors(
      texts.map((text, i) => ({ file: `${i}.yaml`, text })),
      { limits: 'none' },
    );
  const codesOf = (work: () => unknown): string[] => {
    try {
      work();
    } catch (error) {
      if (isProblemError(error)) return error.problems.map(({ code }) => code);
      throw error;
    }
    return [];
  };

  it('are read together', () => {
    const { services } = read(descriptor('a', { x: { code: 'i:1' } }), descriptor('b', { y: { code: 'i:1' } }));
    expect(services.map(({ spec }) => spec.name)).toEqual(['a.test.x.test', 'b.test.y.test']);
  });

  it('without a service, broken, or with one name twice are refused', () => {
    expect(codesOf(() => read())).toEqual(['DESCRIPTOR_INVALID']);
    expect(codesOf(() => read('{'))).not.toEqual([]);
    const twice = descriptor('a', { x: { code: 'i:1' } });
    expect(codesOf(() => read(twice, twice))).not.toEqual([]);
  });
});
