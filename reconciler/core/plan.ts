/** The plan of everything: the fold of `planService` that the loop does over time, at once and on a world of its own. */
import type { ServiceName } from '../../schemas/names.ts';
import type { Mono, Now } from '../../schemas/ports.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Action, ServicePlan } from './action.ts';
import { earliest } from './classify.ts';
import type { Policy, View, World } from './model.ts';
import { planService } from './plan-service.ts';
import { apply, cloneWorld } from './world.ts';

export interface Plan {
  readonly services: ReadonlyMap<ServiceName, ServicePlan>;
  readonly actions: readonly Action[];
  readonly holds: readonly Hold[];
  readonly settled: number;
  readonly wakeAt?: Mono;
}

/** Services in the order in which they are planned: higher priority first, then by name. */
export function planOrder(view: Pick<View, 'desired'>, names: Iterable<ServiceName>): ServiceName[] {
  const priority = (name: ServiceName): number => view.desired.get(name)?.spec.priority ?? 0;
  return [...new Set(names)].sort((a, b) => priority(b) - priority(a) || (a < b ? -1 : a > b ? 1 : 0));
}

/** Plans every service that is wanted or has copies. `world` stays as it is. */
export function planAll(world: View, policy: Policy, now: Now, planned?: Planned): Plan {
  return foldPlans(cloneWorld(world), policy, now, planned);
}

/** Hears of the plan of each service with the world for which it was made, before it counts as done. */
export type Planned = (view: View, service: ServiceName, plan: ServicePlan) => void;

/** As {@link planAll}, on a world that becomes what the plan makes of it. */
export function foldPlans(world: World, policy: Policy, now: Now, planned?: Planned): Plan {
  const services = new Map<ServiceName, ServicePlan>();
  for (const service of planOrder(world, [...world.desired.keys(), ...world.copies.keys()])) {
    const plan = planService(world, service, policy, now);
    services.set(service, plan);
    planned?.(world, service, plan);
    apply(world, { kind: 'rollout', service, ...(plan.rollout ? { rollout: plan.rollout } : {}), at: now.mono });
    apply(world, { kind: 'schedule', service, ...(plan.schedule ? { state: plan.schedule } : {}) });
    apply(world, { kind: 'noticed', service, copies: plan.noticed ?? [], at: now.mono });
    for (const action of plan.actions) apply(world, { kind: 'promised', action, at: now.mono });
  }
  const plans = [...services.values()];
  const wakeAt = earliest(...plans.map((plan) => plan.wakeAt));
  return {
    services,
    actions: plans.flatMap((plan) => plan.actions),
    holds: plans.flatMap((plan) => plan.holds),
    settled: plans.reduce((sum, plan) => sum + plan.settled, 0),
    ...(wakeAt === undefined ? {} : { wakeAt }),
  };
}
