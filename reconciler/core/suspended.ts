/** The plan of what is suspended: it stays as it is, whatever is wanted of it. A crash is healed by its node all the same. */
import { compareCopyIds, type InstanceName, type ServiceName } from '../../schemas/names.ts';
import type { Now } from '../../schemas/ports.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Action, ServicePlan } from './action.ts';
import { bury } from './buried.ts';
import { earliest, type Sight, type SlotState, seeCopies, survey } from './classify.ts';
import { drop } from './decide.ts';
import type { Suspend } from './deviations.ts';
import { withDone } from './done.ts';
import type { Copy, Desired, Policy, Rollout, View } from './model.ts';
import { targetOf } from './rollout.ts';
import { wantedSlots } from './slots.ts';
import { suspendedHold, suspendedNode, suspendOfNode } from './suspends.ts';
import { wantedOf } from './wanted.ts';

/**
 * Two kinds of copies go all the same: what somebody deleted, and a second copy of the wanted version beside a healthy one, after a
 * lost node is back. What is known of updates and of the schedule stays; a run that comes to its end meanwhile is counted afterwards, and for due
 * times that passed nothing is made up.
 */
export function planSuspended(
  view: View,
  service: ServiceName,
  suspend: Suspend,
  policy: Policy,
  now: Now,
): ServicePlan {
  const desired = wantedOf(view, service);
  const all = seeCopies(view, service, policy, now, desired?.spec.update.settle);
  const { living, burial } = bury(view, service, all);
  const slots = desired ? slotsNow(view, desired, living, now) : [];
  const rollout = view.rollouts.get(service);
  const schedule = view.schedules.get(service);
  const held = view.held.get(service);
  const wakeAt = earliest(...living.seen.map(({ settlesAt }) => settlesAt));
  const isNothing = !desired && living.seen.length + living.unread.length === 0;
  return {
    actions: [...burial, ...slots.flatMap((slot) => seconds(service, slot))],
    holds: [...(held ? [held] : []), ...(isNothing ? [] : [suspendedHold(view, service, suspend)])],
    settled: slots.filter(({ target, current }) => target?.healthy && !current).length,
    rests: true,
    ...(rollout ? { rollout: desired ? withDone(rollout, slots, desired) : rollout } : {}),
    ...(schedule ? { schedule: { ...schedule, suspended: true } } : {}),
    ...(wakeAt === undefined ? {} : { wakeAt }),
  };
}

function slotsNow(view: View, desired: Desired, living: Sight, now: Now): readonly SlotState[] {
  const { digest } = desired.spec;
  const none: Rollout = { digest, phase: 'progressing', started: now.wall };
  const known = view.rollouts.get(desired.spec.name);
  const target = targetOf(desired, known?.digest === digest ? known : none);
  return survey(wantedSlots(view, desired), living, target).slots;
}

/** Where nobody stopped it: an instance has one copy, and the one that counts is well. */
function seconds(service: ServiceName, { target, extra }: SlotState): Action[] {
  if (!target?.healthy) return [];
  return extra
    .filter(({ job }) => job.want === 'run')
    .map((seen) => drop(service, seen, 'another copy of this instance is kept'));
}

/** What keeps an instance from any change: a copy of it is on a suspended node, as far as anybody ever heard. */
export function freezesOn(view: View, service: ServiceName): (slot: Pick<SlotState, 'slot'>) => Hold | undefined {
  const frozen = new Map<number, Hold>();
  if (view.suspends.size > 0) {
    const tombstone = view.tombstones.get(service);
    for (const copy of view.copies.get(service)?.values() ?? []) {
      const isBuried = tombstone !== undefined && compareCopyIds(copy.copy, tombstone) <= 0;
      const hold = isBuried ? undefined : heldOn(view, copy);
      if (hold) frozen.set(copy.slot, hold);
    }
  }
  return ({ slot }) => frozen.get(slot);
}

/** After a start nobody knows what is on a suspended node that was not heard since: what seems to be missing may be there. */
export function suspendedUnheard(view: View, instance: InstanceName): Hold | undefined {
  for (const suspend of view.suspends.values()) {
    const node = view.nodes.get(suspendedNode(suspend.subject) ?? '');
    if (node && !node.adopted) return suspendedHold(view, instance, suspend);
  }
  return undefined;
}

/** Its node is suspended. */
export function heldOn(view: View, { instance, node }: Copy): Hold | undefined {
  const suspend = suspendOfNode(view, node);
  return suspend && suspendedHold(view, instance, suspend);
}
