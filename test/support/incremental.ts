/** Holds what is kept from event to event against a full pass over a world that is built anew. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Action, ServicePlan } from '../../reconciler/core/action.ts';
import { filters } from '../../reconciler/core/filters.ts';
import type { Copy, World } from '../../reconciler/core/model.ts';
import { compareRank, indexNode } from '../../reconciler/core/node-index.ts';
import { sizeOf } from '../../reconciler/core/part-size.ts';
import { carryOut, foldPlans, takeDirty } from '../../reconciler/core/plan.ts';
import { planService, waitsForNodes } from '../../reconciler/core/plan-service.ts';
import { presenceOf } from '../../reconciler/core/presence.ts';
import { reservedBy } from '../../reconciler/core/reserved.ts';
import { noteSigns } from '../../reconciler/core/signs.ts';
import { wantedOf } from '../../reconciler/core/wanted.ts';
import { apply, cloneWorld, createWorld } from '../../reconciler/core/world.ts';
import type { Now } from '../../schemas/ports.ts';
import { aCluster, aPolicy, at } from './builders.ts';
import { busyLife, take } from './cluster-life.ts';

const policy = aPolicy();

/** The same facts in a world whose indexes were built from nothing. */
function rebuilt(world: World): World {
  const fresh = createWorld({ cluster: world.cluster, fence: world.fence });
  fresh.recovering = world.recovering;
  fresh.listed = world.listed;
  // Labels stay told apart when nobody speaks of them any more.
  for (const label of world.index.keys) fresh.index.keys.add(label);
  for (const [service, desired] of world.desired) apply(fresh, { kind: 'desired', service, desired });
  const facts = [
    'deviations',
    'suspends',
    'held',
    'rollouts',
    'rolloutSeen',
    'schedules',
    'tombstones',
    'homes',
    'ancestry',
    'heads',
  ] as const;
  for (const name of [...facts, 'nodes', 'failures'] as const) {
    const to = fresh[name] as Map<unknown, unknown>;
    for (const [key, value] of world[name]) to.set(key, value);
  }
  for (const service of fresh.desired.keys()) if (wantedOf(fresh, service)?.seats) fresh.seated.add(service);
  for (const [service, copies] of world.copies) {
    fresh.copies.set(service, new Map(copies));
    for (const [key, copy] of copies) {
      const there = fresh.copiesOn.get(copy.node) ?? new Map<string, Copy>();
      fresh.copiesOn.set(copy.node, there.set(key, copy));
    }
  }
  const used = new Set([...world.nodes.values()].map(({ listing }) => listing?.name));
  for (const [name, listing] of world.listed.byName) if (!used.has(name)) fresh.expected.set(name, listing);
  for (const [id, node] of world.nodes) {
    fresh.names.set(node.record.name, id);
    fresh.sizes.set(id, sizeOf(node.part));
    fresh.reserved.set(id, reservedBy(fresh.copiesOn.get(id)?.values() ?? [], node.part.documents));
    indexNode(fresh, id);
    noteSigns(fresh, id);
  }
  return fresh;
}

/** Everything in a world that follows from the rest of it, without the chunks of its lists. */
function derived(world: World): unknown {
  const groups = [...world.index.groups].map(
    ([key, { chunks }]) => [key, chunks.flatMap(({ items }) => items)] as const,
  );
  for (const [, items] of groups) expect(isDeepStrictEqual([...items].sort(compareRank), items)).toBe(true);
  const { names, copiesOn, reserved, sizes, shunnedBy, everywhere, seated, signs, expected } = world;
  const { spots, addresses, aliases } = world.index;
  const index = { spots, addresses, aliases, groups: new Map(groups) };
  return { names, copiesOn, reserved, sizes, shunnedBy, everywhere, seated, signs, expected, index };
}

function expectSame(found: unknown, wanted: unknown): void {
  // The usual comparison takes a hundred times as long; it is for those who have to read what differs.
  if (!isDeepStrictEqual(found, wanted)) expect(found).toEqual(wanted);
}

/** What the loop does after an event: it plans what is dirty until nothing is, and keeps the last plan of each service. */
function createLoop(world: World) {
  const plans = new Map<string, ServicePlan>();
  /** Services whose last plan changed nothing. */
  const still = new Set<string>();
  const states = new Map<string, string>();
  /** Time alone: nodes that fell silent, and services that wanted to be looked at. */
  const look = (now: Now): void => {
    for (const [id, node] of world.nodes) {
      const { state } = presenceOf(node, policy, now);
      if (states.get(id) !== state) apply(world, { kind: 'presence', node: id });
      states.set(id, state);
    }
    for (const [service, { wakeAt }] of plans) {
      if (wakeAt !== undefined && wakeAt <= now.mono) world.dirty.add(service);
    }
  };
  const planOne = (service: string, now: Now): readonly Action[] => {
    const plan = planService(world, service, policy, now);
    plans.set(service, plan);
    const isSame = isDeepStrictEqual(plan.rollout, world.rollouts.get(service)) && !plan.noticed?.length;
    if (isSame && plan.actions.length === 0) still.add(service);
    else still.delete(service);
    carryOut(world, service, plan, now.mono);
    // The nodes that were told will report, and then it is looked at again.
    if (plan.actions.length > 0) world.dirty.add(service);
    return plan.actions;
  };
  const settle = (now: Now): readonly Action[] => {
    const actions: Action[] = [];
    for (let rounds = 0; world.dirty.size > 0; rounds += 1) {
      expect(rounds).toBeLessThan(10);
      for (const service of takeDirty(world)) actions.push(...planOne(service, now));
    }
    return actions;
  };
  return { plans, still, look, settle };
}

/** Full passes over everything, until one finds nothing to do. */
function settleAll(world: World, now: Now): readonly Action[] {
  const actions: Action[] = [];
  for (let passes = 0; ; passes += 1) {
    expect(passes).toBeLessThan(10);
    const more = foldPlans(world, policy, now).actions;
    if (more.length === 0) return actions;
    actions.push(...more);
  }
}

const placing: ReadonlySet<string> = new Set([...filters.map(({ code }) => code), 'DEPENDENCY_WAITING', 'MASS_LOSS']);

/**
 * What a plan says of a service, but for what changes with each moment. Which of several reasons to find no place is said first may
 * change while others take what is left, or while those are gone that it depends on; it is told anew when something is freed.
 */
function gist({ holds, settled, rollout }: ServicePlan): unknown {
  const said = holds.map(({ code, subject }) => `${placing.has(code) ? 'no place' : code} ${subject}`);
  return { holds: said.sort(), settled, rollout };
}

/** After each of so many random events: index, world, actions and holds. Answers what was met on the way. */
export function compareWithFullPasses(events: number, seed: number): { acted: number; held: Set<string> } {
  const made = aCluster();
  const { world } = made;
  const loop = createLoop(world);
  const met = { acted: 0, held: new Set<string>() };
  fc.sample(busyLife(10), { numRuns: events, seed }).forEach((event, n) => {
    const now = at(n * 300);
    take(made, event, n * 300, policy);
    loop.look(now);
    if (world.dirty.size > 0) {
      const whole = settleAll(cloneWorld(world), now);
      const actions = loop.settle(now);
      expectSame(actions, whole);
      met.acted += actions.length;
    }
    const fresh = rebuilt(world);
    expectSame(derived(world), derived(fresh));
    const full = foldPlans(fresh, policy, now);
    expectSame(full.actions, []);
    for (const [service, plan] of full.services) {
      for (const { code } of plan.holds) met.held.add(code);
      const kept = loop.plans.get(service);
      expect(kept, service).toBeDefined();
      // What a plan changed is seen by the next one.
      if (!kept || !loop.still.has(service)) continue;
      expectSame(gist(kept), gist(plan));
      if (waitsForNodes(plan)) expect(world.waiting).toContain(service);
      expect(world.waiting.has(service)).toBe(waitsForNodes(kept));
    }
  });
  return met;
}
