import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Action } from '../../../../reconciler/core/action.ts';
import type { Policy, World } from '../../../../reconciler/core/model.ts';
import { compareRank } from '../../../../reconciler/core/node-index.ts';
import { createPlacer } from '../../../../reconciler/core/place.ts';
import { foldPlans, planAll } from '../../../../reconciler/core/plan.ts';
import { wantedSlots } from '../../../../reconciler/core/slots.ts';
import { apply, cloneWorld } from '../../../../reconciler/core/world.ts';
import {
  aCluster,
  aNodeRecord,
  aPolicy,
  aRun,
  aService,
  at,
  type TestCluster,
  wanted,
} from '../../../support/builders.ts';

const names = ['a', 'b', 'c', 'd'].map((service) => `shop.default.${service}.default`);

/** One event of a cluster's life. */
type Step =
  | { readonly kind: 'join' | 'beat' | 'cordon' | 'duplicate'; readonly node: number; readonly n: number }
  | { readonly kind: 'list' | 'forget' | 'obey'; readonly node: number; readonly n: number }
  | { readonly kind: 'want' | 'plan'; readonly node: number; readonly n: number };

const kinds = [
  'join',
  'beat',
  'cordon',
  'duplicate',
  'list',
  'forget',
  'obey',
  'want',
  'want',
  'plan',
  'plan',
] as const;
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...kinds),
  node: fc.integer({ min: 1, max: 8 }),
  n: fc.nat(1_000),
});

/** What node `node` says of itself; `n` decides. */
function info(node: number, n: number) {
  const zones = [{}, { zone: 'a' }, { zone: 'b' }, { zone: 'c', disk: 'ssd' }];
  return {
    labels: zones[n % 4] ?? {},
    capacity: { cpu: 1 + (n % 3), memory: 300 + 100 * (n % 5), ...(n % 2 ? { storage: 500 } : {}) },
    arch: n % 7 === 0 ? 'arm64' : 'x64',
    ip: `10.0.0.${n % 11 === 0 ? 99 : node}`,
    ...(n % 13 === 0 ? { level: 'tainted' as const } : {}),
  };
}

/** A service; `n` decides what it asks for. */
function desire(made: TestCluster, n: number): void {
  const name = names[n % 4] ?? '';
  const rules = [
    {},
    { spread: [{ label: 'zone', required: n % 2 === 0 }] },
    { apart: [{ services: [name, names[(n + 1) % 4] ?? ''], ...(n % 3 ? {} : { label: 'zone' }) }] },
    { labels: [{ label: 'disk', op: 'exists' as const, values: [] }] },
    { arch: ['amd64'] },
  ];
  const ports = n % 5 === 0 ? { ports: [{ host: 80 + (n % 2), container: 80, protocol: 'tcp' as const }] } : {};
  const run = aRun(`app:${n % 3}`, { memory: 50 * (n % 4), vcpus: (n % 3) / 4, ...ports });
  const needs = { memory: 0, vcpus: 0, vgpus: 0, storage: n % 6 ? 0 : 200, bandwidth_in: 0, bandwidth_out: 0 };
  const replicas = n % 17 === 0 ? ('every' as const) : n % 7;
  made.want(wanted(aService({ name, run, replicas, needs, placement: rules[n % rules.length] ?? {} })));
}

function take(made: TestCluster, { kind, node, n }: Step, ms: number, policy: Policy): void {
  const { world } = made;
  const id = `node${node}`;
  const known = world.nodes.get(id);
  if (kind === 'join') made.join(node, ms, info(node, n));
  else if (kind === 'want') desire(made, n);
  else if (kind === 'plan') foldPlans(world, policy, at(ms));
  else if (kind === 'list') {
    const listing = { name: n % 3 ? `pi${node}` : 'gate', ip: `10.0.0.${node}`, labels: { zone: 'b' } };
    apply(world, { kind: 'listings', listings: n % 4 ? [listing] : [], removed: [] });
  } else if (!known) return;
  else if (kind === 'beat') made.beat(ms, node);
  else if (kind === 'obey') made.obey(node, ms, n % 5 ? 'running' : 'failed');
  else if (kind === 'forget') apply(world, { kind: 'node_forgotten', node: id });
  else if (kind === 'duplicate') apply(world, { kind: 'duplicate', node: id, ...(n % 2 ? { duplicate: {} } : {}) });
  else {
    const record = aNodeRecord(node, n % 2 ? { cordon: { cause: 'by hand' } } : {});
    apply(world, { kind: 'node', record });
  }
}

/** The same content in a world whose indexes were built from nothing. */
function rebuilt(world: World): World {
  const fresh = cloneWorld(world);
  const { index } = fresh;
  for (const map of [index.spots, index.groups, index.addresses, index.aliases]) map.clear();
  for (const [id, node] of world.nodes) {
    apply(fresh, { kind: 'node', record: node.record });
    expect(fresh.nodes.get(id)?.aliases).toEqual(node.aliases);
  }
  return fresh;
}

/** What an index says, without its chunks. */
function told({ index }: World): unknown {
  const groups = [...index.groups].map(([key, { chunks }]) => [key, chunks.flatMap(({ items }) => items)] as const);
  for (const [, items] of groups) expect([...items].sort(compareRank)).toEqual(items);
  return {
    groups: new Map(groups.filter(([, items]) => items.length > 0)),
    spots: index.spots,
    addresses: index.addresses,
    aliases: index.aliases,
  };
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
      { numRuns: 200 },
    );
    expect(placed).toBeGreaterThan(500);
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

describe('the index of nodes', () => {
  it('is after each of 10,000 events as if it had been built anew, and so are the plans', () => {
    const policy = aPolicy();
    const made = aCluster();
    const steps = fc.sample(step, { numRuns: 10_000, seed: 4 });
    steps.forEach((one, n) => {
      take(made, one, n * 200, policy);
      const fresh = rebuilt(made.world);
      expect(told(made.world)).toEqual(told(fresh));
      if (n % 10 !== 0) return;
      const now = at(n * 200);
      expect(planAll(made.world, policy, now).actions).toEqual(planAll(fresh, policy, now).actions);
    });
    expect(made.world.fence.gen).toBeGreaterThan(500);
  }, 120_000);
});
