/** Laws of plans while people intervene: moves, restarts, drains, stops, another number; with data and without, over losses of nodes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Action } from '../../../../reconciler/core/action.ts';
import type { Deviation, Override, OverrideChange } from '../../../../reconciler/core/deviations.ts';
import { healthOf } from '../../../../reconciler/core/health.ts';
import type { Desired } from '../../../../reconciler/core/model.ts';
import { type Plan, planAll } from '../../../../reconciler/core/plan.ts';
import { wantedSlots } from '../../../../reconciler/core/slots.ts';
import { wantedOf } from '../../../../reconciler/core/wanted.ts';
import { apply } from '../../../../reconciler/core/world.ts';
import { copyId } from '../../../../schemas/names.ts';
import { aNodeRecord, aRun, aService, at, wanted } from '../../../support/builders.ts';
import { aFleet, type Fleet } from '../../../support/fleet.ts';

const web = 'shop.default.web.default';
const nodes = 4;

interface Wish {
  readonly replicas: number;
  /** 4 and up fail. */
  readonly version: number;
  readonly order: 'start_first' | 'stop_first';
  readonly max: number;
  readonly notice: 0 | 2_000;
  readonly volumes: boolean;
  readonly after: 'rollback' | 'pause' | 'continue';
}

type Step =
  | { readonly kind: 'want'; readonly wish: Wish }
  | { readonly kind: 'move'; readonly slot: number; readonly node: number }
  | { readonly kind: 'scale'; readonly replicas: number }
  | { readonly kind: 'renew' | 'stop' | 'clear' }
  | { readonly kind: 'drain' | 'open' | 'kill' | 'cut' | 'revive'; readonly node: number }
  | { readonly kind: 'run'; readonly ms: number };

const node = fc.integer({ min: 1, max: nodes });
const wishOf = (replicas: fc.Arbitrary<number>, volumes: fc.Arbitrary<boolean>): fc.Arbitrary<Wish> =>
  fc.record({
    replicas,
    version: fc.integer({ min: 1, max: 5 }),
    order: fc.constantFrom('start_first', 'stop_first'),
    max: fc.integer({ min: 1, max: 2 }),
    notice: fc.constantFrom(0, 2_000),
    volumes,
    after: fc.constantFrom('rollback', 'rollback', 'pause', 'continue'),
  });
const run = fc.record({ kind: fc.constant('run' as const), ms: fc.constantFrom(1_000, 4_000, 15_000) });
const verb: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('move' as const), slot: fc.nat(3), node }),
  fc.record({ kind: fc.constantFrom('renew' as const, 'clear' as const) }),
  fc.record({ kind: fc.constantFrom('drain' as const, 'open' as const), node }),
);
const number: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('scale' as const), replicas: fc.nat(4) }),
  fc.record({ kind: fc.constant('stop' as const) }),
);
const loss: fc.Arbitrary<Step> = fc.record({ kind: fc.constantFrom('kill', 'cut', 'revive'), node });
const want = (wish: fc.Arbitrary<Wish>): fc.Arbitrary<Step> => fc.record({ kind: fc.constant('want' as const), wish });

function desire({ replicas, version, order, max, notice, volumes, after }: Wish): Desired {
  const data = volumes ? { volumes: [{ name: 'data', mount_path: '/data' }] } : {};
  const update = {
    order: volumes ? ('stop_first' as const) : order,
    max_unavailable: max,
    on_failure: after,
    timeout: 60_000,
    ...(notice > 0 && { notice }),
  };
  return wanted(aService({ replicas, run: aRun(version > 3 ? `bad:${version}` : `app:${version}`, data), update }));
}

function deviate(fleet: Fleet, change: (old: Deviation) => Deviation): void {
  const old = fleet.world.deviations.get(web) ?? { overrides: [], renew: {} };
  apply(fleet.world, { kind: 'deviation', service: web, deviation: change(old) });
}

function override(fleet: Fleet, change: OverrideChange): void {
  const isSame = (old: Override): boolean =>
    old.change.kind === change.kind &&
    (old.change.kind !== 'move' || change.kind !== 'move' || old.change.slot === change.slot);
  const one = { id: 'o', service: web, change, actor: 'ann', since: at(0).wall, base: '' };
  deviate(fleet, (old) => ({ ...old, overrides: [...old.overrides.filter((other) => !isSame(other)), one] }));
}

/** Carries a step out; answers the plans that were made. */
function take(fleet: Fleet, step: Step): Plan[] {
  const record = 'node' in step ? aNodeRecord(step.node) : undefined;
  if (step.kind === 'want') fleet.want(desire(step.wish));
  else if (step.kind === 'run') return fleet.run(step.ms);
  else if (step.kind === 'move')
    override(fleet, { kind: 'move', slot: step.slot, seat: { to: `node${step.node}`, command: 'move' } });
  else if (step.kind === 'scale') {
    const slots = Array.from({ length: step.replicas }, (_, slot) => slot);
    override(fleet, { kind: 'scale', slots, counter: 9 });
  } else if (step.kind === 'stop') override(fleet, { kind: 'stop' });
  else if (step.kind === 'clear') deviate(fleet, () => ({ overrides: [], renew: {} }));
  else if (step.kind === 'renew') {
    const mark = copyId(fleet.world.fence);
    deviate(fleet, (old) => ({ ...old, renew: Object.fromEntries([0, 1, 2, 3].map((slot) => [slot, mark])) }));
  } else if (step.kind === 'drain' && record)
    apply(fleet.world, { kind: 'node', record: { ...record, cordon: { cause: 'ann', drain: { stays: {} } } } });
  else if (step.kind === 'open' && record) apply(fleet.world, { kind: 'node', record });
  else if (step.kind === 'kill') fleet.kill(step.node);
  else if (step.kind === 'cut') fleet.cut(step.node);
  else if (step.kind === 'revive') fleet.revive(step.node);
  return [];
}

/** Slots with a copy that is healthy, as its node reported it. */
function serving(fleet: Fleet): number {
  const slots = [...(fleet.world.copies.get(web)?.values() ?? [])].flatMap((copy) =>
    copy.job && healthOf(copy, aRun(), 10_000, at(fleet.now()).mono).healthy ? [copy.slot] : [],
  );
  return new Set(slots).size;
}

describe('plans that people interfere with', () => {
  const anything = wishOf(fc.nat(4), fc.boolean());
  const rough = fc.array(
    fc.oneof(
      { weight: 3, arbitrary: run },
      { weight: 2, arbitrary: want(anything) },
      { weight: 3, arbitrary: verb },
      { weight: 1, arbitrary: number },
      { weight: 2, arbitrary: loss },
    ),
    { minLength: 1, maxLength: 25 },
  );

  it('come to rest: at each moment at once, and in the end with one copy or a reason for every instance', () => {
    fc.assert(
      fc.property(anything, rough, (first, steps) => {
        const fleet = aFleet(nodes);
        for (const step of [{ kind: 'want', wish: first } as const, ...steps]) {
          take(fleet, step);
          // The last plan of a tick finds nothing more to do.
          expect(fleet.tick(500).at(-1)?.actions).toEqual([]);
        }
        for (let n = 1; n <= nodes; n += 1) fleet.revive(n);
        fleet.run(400_000, 2_500);
        const plan = planAll(fleet.world, fleet.policy, at(fleet.now()));
        expect(plan.actions).toEqual([]);
        const desired = wantedOf(fleet.world, web);
        const slots = desired ? wantedSlots(fleet.world, desired).map(({ instance }) => instance) : [];
        const jobs = [...(fleet.world.copies.get(web)?.values() ?? [])].filter(({ job }) => job?.want === 'run');
        if (desired?.stopped) expect(jobs).toEqual([]);
        expect(jobs.filter(({ instance }) => !slots.includes(instance))).toEqual([]);
        const held = new Set(plan.holds.map(({ subject }) => subject));
        for (const instance of slots) {
          const count = jobs.filter((copy) => copy.instance === instance).length;
          expect(count <= 2 && (count === 1 || held.has(instance) || held.has(web))).toBe(true);
        }
      }),
      { numRuns: 25 },
    );
  });

  it('start an instance with data where its data is, and elsewhere only when it was moved there', () => {
    let kept = 0;
    fc.assert(
      fc.property(anything, rough, (first, steps) => {
        const fleet = aFleet(nodes);
        const homes = new Map<string, string>();
        for (const step of [{ kind: 'want', wish: { ...first, volumes: true } } as const, ...steps]) {
          const starts = [...take(fleet, step), ...fleet.tick(500)]
            .flatMap((plan) => plan.actions)
            .filter((action): action is Extract<Action, { kind: 'start' }> => action.kind === 'start')
            .filter((action) => action.run.volumes !== undefined);
          const seats = wantedOf(fleet.world, web)?.seats ?? {};
          for (const { instance, node: where } of starts) {
            const home = homes.get(instance);
            if (home !== undefined) kept += 1;
            const told = seats[instance.slice(instance.lastIndexOf('.') + 1)]?.to;
            if (home !== undefined && told !== where) expect(where).toBe(home);
            homes.set(instance, where);
          }
        }
      }),
      { numRuns: 80 },
    );
    expect(kept).toBeGreaterThan(0);
  });

  it('never leave fewer healthy instances than the update may take', () => {
    const steady = fc
      .record({ replicas: fc.integer({ min: 2, max: 4 }), max: fc.integer({ min: 1, max: 2 }), volumes: fc.boolean() })
      .chain((same) =>
        fc.record({
          same: fc.constant(same),
          steps: fc.array(
            fc.oneof(
              { weight: 3, arbitrary: run },
              { weight: 2, arbitrary: want(wishOf(fc.constant(same.replicas), fc.constant(same.volumes))) },
              { weight: 2, arbitrary: verb },
            ),
            { minLength: 1, maxLength: 12 },
          ),
        }),
      );
    fc.assert(
      fc.property(steady, ({ same, steps }) => {
        const fleet = aFleet(nodes);
        fleet.want(desire({ ...same, version: 1, order: 'start_first', notice: 0, after: 'rollback' }));
        fleet.run(60_000);
        expect(serving(fleet)).toBe(same.replicas);
        for (const step of steps) {
          // What an update goes on with although it fails is told to take more.
          const given =
            step.kind === 'want'
              ? { ...step, wish: { ...step.wish, max: same.max, after: 'rollback' as const } }
              : step;
          if (given.kind !== 'run') take(fleet, given);
          for (let ms = 0; ms < (given.kind === 'run' ? given.ms : 500); ms += 500) {
            fleet.tick(500);
            expect(serving(fleet)).toBeGreaterThanOrEqual(same.replicas - same.max);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});
