import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { World } from '../../../../reconciler/core/model.ts';
import { planAll } from '../../../../reconciler/core/plan.ts';
import { members, restoreWorld, saveWorld } from '../../../../reconciler/core/saved-world.ts';
import { apply } from '../../../../reconciler/core/world.ts';
import type { Mono } from '../../../../schemas/ports.ts';
import { aRun, aService, at, wanted } from '../../../support/builders.ts';
import { aFleet, type Fleet } from '../../../support/fleet.ts';

const names = ['a.default.web.default', 'a.default.db.default'];

type Step =
  | { readonly kind: 'want'; readonly service: number; readonly replicas: number | 'every'; readonly version: number }
  | { readonly kind: 'kill' | 'cut' | 'revive' | 'stranger'; readonly node: number }
  | { readonly kind: 'run'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('want' as const),
    service: fc.nat(1),
    replicas: fc.oneof(fc.nat(4), fc.constant('every' as const)),
    version: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({
    kind: fc.constantFrom('kill' as const, 'cut' as const, 'revive' as const, 'stranger' as const),
    node: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({ kind: fc.constant('run' as const), ms: fc.constantFrom(1_000, 4_000, 15_000) }),
);

function take(fleet: Fleet, one: Step): void {
  if (one.kind === 'run') fleet.run(one.ms);
  else if (one.kind === 'want') {
    const run = aRun(`app:${one.version}`, {
      memory: 100,
      ports: [{ host: 8080 + one.service, container: 80, protocol: 'tcp' }],
    });
    fleet.want(wanted(aService({ name: names[one.service] ?? '', run, replicas: one.replicas })));
  } else if (one.kind === 'stranger') {
    apply(fleet.world, { kind: 'stranger', node: `far${one.node}`, at: at(fleet.now()).mono });
  } else fleet[one.kind](one.node);
}

/** As it is read from a file. */
const onDisk = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** What is in a map, whatever its order. */
const sorted = (value: unknown): unknown =>
  value instanceof Map
    ? [...value].map(([key, one]) => [key, sorted(one)]).sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
    : value;

/** Nodes without what only the loop reads. */
function planned(world: World): World {
  const nodes = [...world.nodes].map(([id, { online: _online, record, ...node }]) => {
    const { id: _id, name, ordinal, joined, cordon, dialect } = record;
    return [
      id,
      {
        ...node,
        record: { id, name, ordinal, joined, serial: 0, ...(cordon && { cordon }), ...(dialect && { dialect }) },
      },
    ] as const;
  });
  return { ...world, nodes: new Map(nodes) };
}

describe('a saved world', () => {
  it('is the same world again: what it knows, every index, and every plan', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 15 }), (steps) => {
        const fleet = aFleet(4);
        for (const one of steps) take(fleet, one);
        const now = at(fleet.now());
        // The same clock: so that moments can be compared as they are.
        const restored = restoreWorld(onDisk(saveWorld(fleet.world, now.mono)), now.mono);
        const before = planned(fleet.world);
        for (const [member, fate] of Object.entries(members) as [keyof World, string][]) {
          if (fate === 'of the loop alone' || member === 'index') continue;
          expect(sorted(restored[member]), member).toEqual(sorted(onDiskMap(before[member])));
        }
        const [old, again] = [fleet.world, restored].map((world) => planAll(world, fleet.policy, now));
        expect(again).toEqual(old);
      }),
      { numRuns: 60 },
    );
  });

  it('plans the same on another clock', () => {
    const fleet = aFleet(4);
    fleet.want(wanted(aService({ name: names[0] ?? '', run: aRun('app:1'), replicas: 3 })));
    fleet.run(20_000);
    fleet.want(wanted(aService({ name: names[0] ?? '', run: aRun('app:2'), replicas: 4 })));
    fleet.cut(2);
    fleet.run(3_000);
    const { mono, wall } = at(fleet.now());
    const restored = restoreWorld(onDisk(saveWorld(fleet.world, mono)), 0 as Mono);
    const policy = { ...fleet.policy, graceUntil: (fleet.policy.graceUntil - mono) as Mono };
    const plan = planAll(fleet.world, fleet.policy, { mono, wall });
    const again = planAll(restored, policy, { mono: 0 as Mono, wall });
    expect(again.actions).toEqual(plan.actions);
    expect(again.holds).toEqual(plan.holds);
    expect(plan.actions.length + plan.holds.length).toBeGreaterThan(0);
  });

  it('holds nothing that admits anybody', () => {
    const fleet = aFleet(1);
    const [node] = fleet.world.nodes.values();
    const secret = 'c0ffee'.repeat(8);
    const record = {
      ...(node as NonNullable<typeof node>).record,
      serial: 4711,
      unheard: { token: secret, attempt: secret },
      registered: { ip: '10.0.0.1', port: 1, token: { id: 't', hash: secret, expires: 1 as never } },
    };
    apply(fleet.world, { kind: 'node', record });
    const text = JSON.stringify(saveWorld(fleet.world, 0 as Mono));
    expect(text).not.toContain(secret);
    expect(text).not.toContain('4711');
  });
});

/** As {@link onDisk} for a map of the world. */
function onDiskMap(value: unknown): unknown {
  return value instanceof Map ? new Map([...value].map(([key, one]) => [key, onDiskMap(one)])) : value;
}
