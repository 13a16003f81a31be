/** The plan of everything: the fold of `planService` that the loop does over time, at once and on a world of its own. */
import type { ServiceName } from '../../schemas/names.ts';
import type { Mono, Now } from '../../schemas/ports.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Action, ServicePlan } from './action.ts';
import { earliest } from './classify.ts';
import { copyKey } from './copy-index.ts';
import type { Policy, View, World } from './model.ts';
import { planService, waitsForNodes } from './plan-service.ts';
import { atOnce, type Steps } from './steps.ts';
import { apply, cloneWorld } from './world.ts';
import type { Promised } from './world-event.ts';

export interface Plan {
  readonly services: ReadonlyMap<ServiceName, ServicePlan>;
  readonly actions: readonly Action[];
  readonly holds: readonly Hold[];
  readonly settled: number;
  readonly wakeAt?: Mono;
}

/** Services in the order in which they are planned: higher priority first, then by name. */
function planOrder(view: Pick<View, 'desired'>, names: Iterable<ServiceName>): ServiceName[] {
  return [...new Set(names)].sort((a, b) => compareTurns(view, a, b));
}

function compareTurns({ desired }: Pick<View, 'desired'>, a: ServiceName, b: ServiceName): number {
  const order = (desired.get(b)?.spec.priority ?? 0) - (desired.get(a)?.spec.priority ?? 0);
  return order || (a < b ? -1 : a > b ? 1 : 0);
}

/**
 * Takes what is dirty, service by service in the order of a pass over everything. What the plan of one makes dirty has its turn in the same
 * pass if it comes later, as it would there; else it stays dirty for the next one.
 */
export function* takeDirty(world: Pick<World, 'desired' | 'dirty' | 'awaited'>): Iterable<ServiceName> {
  const { dirty, awaited } = world;
  // What makes a service dirty may have made it healthy: who waits for that may come before it.
  for (const name of [...dirty]) for (const waiter of awaited.get(name) ?? []) dirty.add(waiter);
  let queue = planOrder(world, dirty);
  dirty.clear();
  for (let turn = 0, known = 0; turn < queue.length; turn += 1) {
    const name = queue[turn] as ServiceName;
    yield name;
    if (dirty.size === known) continue;
    const later = [...dirty].filter((one) => compareTurns(world, one, name) > 0);
    for (const one of later) dirty.delete(one);
    if (later.length > 0) {
      queue = planOrder(world, [...queue.slice(turn + 1), ...later]);
      turn = -1;
    }
    known = dirty.size;
  }
}

/** Plans every service that is wanted or has copies. `world` stays as it is. */
export function planAll(world: View, policy: Policy, now: Now, planned?: Planned): Plan {
  return foldPlans(cloneWorld(world), policy, now, planned);
}

/** Hears of the plan of each service with the world for which it was made, before it counts as done. */
export type Planned = (view: View, service: ServiceName, plan: ServicePlan) => void;

/** As {@link planAll}, on a world that becomes what the plan makes of it. */
export function foldPlans(world: World, policy: Policy, now: Now, planned?: Planned): Plan {
  return atOnce(foldSteps(world, policy, now, planned));
}

/** As {@link foldPlans}, a service a step. Nobody else may change the world meanwhile. */
export function* foldSteps(world: World, policy: Policy, now: Now, planned?: Planned): Steps<Plan> {
  const services = new Map<ServiceName, ServicePlan>();
  for (const service of planOrder(world, [...world.desired.keys(), ...world.copies.keys()])) {
    const plan = planService(world, service, policy, now);
    services.set(service, plan);
    planned?.(world, service, plan);
    carryOut(world, service, policy.isDryRun ? atFirst(world, service, plan, policy, now) : plan, now.mono);
    yield;
  }
  const plans = [...services.values()];
  const wakeAt = plans.reduce<Mono | undefined>((first, plan) => earliest(first, plan.wakeAt), undefined);
  return {
    services,
    actions: plans.flatMap((plan) => plan.actions),
    holds: plans.flatMap((plan) => plan.holds),
    settled: plans.reduce((sum, plan) => sum + plan.settled, 0),
    ...(wakeAt === undefined ? {} : { wakeAt }),
  };
}

/** Of a dry run: what would get notice goes on for now, and takes its room from the services that are planned after it. */
function atFirst(world: World, service: ServiceName, plan: ServicePlan, policy: Policy, now: Now): ServicePlan {
  if (plan.actions.every(({ kind }) => kind === 'start')) return plan;
  const { isDryRun: _shown, ...live } = policy;
  const { noticed = [] } = planService(world, service, live, now);
  const goesOn = (action: Action): boolean =>
    action.kind !== 'start' && noticed.includes(copyKey(action.instance, action.copy));
  return { ...plan, noticed, actions: plan.actions.filter((action) => !goesOn(action)) };
}

/** An action that counts, and what it made of its node. */
export interface Carried {
  readonly action: Action;
  readonly promised: Promised;
}

/**
 * Lets the plan of one service count: from now on the world is as it says. Who waits for the service is dirty then. Answers what the
 * nodes have to be told.
 */
export function carryOut(world: World, service: ServiceName, plan: ServicePlan, at: Mono): readonly Carried[] {
  apply(world, { kind: 'rollout', service, ...(plan.rollout ? { rollout: plan.rollout } : {}), at });
  apply(world, { kind: 'schedule', service, ...(plan.schedule ? { state: plan.schedule } : {}) });
  apply(world, { kind: 'noticed', service, copies: plan.noticed ?? [], at });
  // Before the actions: what they free may be what it waits for itself.
  apply(world, { kind: 'waiting', service, waits: waitsForNodes(plan), for: plan.waitsFor ?? [] });
  const carried = plan.actions.flatMap((action): Carried[] => {
    const promised = apply(world, { kind: 'promised', action, at });
    return promised ? [{ action, promised }] : [];
  });
  // Who waits looks again; what waits itself frees nobody, so circles come to rest.
  if (!plan.waitsFor) for (const waiter of world.awaited.get(service) ?? []) world.dirty.add(waiter);
  return carried;
}
