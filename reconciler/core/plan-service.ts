/** The plan of one service: what is done now, what waits and why. The same input gives the same plan. */
import { type CopyId, compareCopyIds, type ServiceName } from '../../schemas/names.ts';
import type { Mono, Now } from '../../schemas/ports.ts';
import type { Hold, HoldCode } from '../../schemas/status.ts';
import { earliest, type Seen, seeCopies, survey } from './classify.ts';
import { decideSlots } from './decide-slots.ts';
import type { Desired, Policy, ServicePlan, View } from './model.ts';
import { afterFailure, afterSlots, courseOf, rolloutHolds, targetOf } from './rollout.ts';
import { wantedSlots } from './slots.ts';
import { judgeMoves } from './stuck-moves.ts';
import { removeSurplus } from './surplus.ts';
import { planUnwanted } from './unwanted.ts';

/** Plans one service. Changes nothing; the caller applies the actions before it plans the next service. */
export function planService(view: View, service: ServiceName, policy: Policy, now: Now): ServicePlan {
  const desired = view.desired.get(service);
  const rollout = view.rollouts.get(service);
  if (view.recovering) {
    const hold: Hold = {
      code: 'RECOVERING',
      subject: service,
      message: 'nothing is planned until the nodes have reported',
    };
    return { actions: [], holds: [hold], settled: 0, ...(rollout ? { rollout } : {}) };
  }
  return desired ? planWanted(view, desired, policy, now) : planUnwanted(view, service, policy, now);
}

function planWanted(view: View, desired: Desired, policy: Policy, now: Now): ServicePlan {
  const { spec } = desired;
  const wanted = wantedSlots(view, desired);
  const all = seeCopies(view, spec.name, policy, now, spec.update.settle);
  const { living: copies, buried } = bury(all, view.tombstones.get(spec.name));
  const course = courseOf(view, desired, wanted.length, now);
  const first = survey(wanted, copies, targetOf(desired, course.rollout));
  const rollout = afterFailure(course, first.slots, desired, now);
  const target = targetOf(desired, rollout);
  const { slots, surplus } = rollout === course.rollout ? first : survey(wanted, copies, target);
  const decided = decideSlots({ view, desired, policy, now, rollout, seenAt: course.seenAt, target }, slots);
  const removal = removeSurplus(spec.name, [...surplus, ...buried], now.mono);
  const held = view.held.get(spec.name);
  const moves = judgeMoves(slots, desired, { rollout, seenAt: course.seenAt }, now);
  const wakeAt = earliest(decided.wakeAt, removal.wakeAt, moves.wakeAt);
  return {
    actions: [...decided.actions, ...removal.actions],
    holds: [...rolloutHolds(desired, rollout), ...(held ? [held] : []), ...decided.holds, ...removal.holds],
    settled: decided.settled,
    rollout: afterSlots(rollout, desired, { proven: decided.settled, open: decided.open }, now),
    ...(wakeAt === undefined ? {} : { wakeAt: wakeAt as Mono }),
    ...(moves.stuck.length > 0 ? { stuck: moves.stuck } : {}),
  };
}

type Copies = ReturnType<typeof seeCopies>;

/** Copies from before a delete go whenever they appear, also when the service was deployed again since. */
function bury(copies: Copies, tombstone: CopyId | undefined): { living: Copies; buried: readonly Seen[] } {
  if (tombstone === undefined) return { living: copies, buried: [] };
  const isBuried = ({ copy }: Seen): boolean => compareCopyIds(copy.copy, tombstone) <= 0;
  return {
    living: { ...copies, seen: copies.seen.filter((one) => !isBuried(one)) },
    buried: copies.seen.filter(isBuried),
  };
}

/** Holds that a change of the nodes, or of what is free on them, could end. */
const nodeCodes: ReadonlySet<HoldCode> = new Set<HoldCode>([
  'NO_NODE',
  'NO_RUNTIME',
  'NO_CAPACITY',
  'PORT_CONFLICT',
  'DIRECT_NODE_UNKNOWN',
  'DIRECT_NODE_AMBIGUOUS',
  'LABEL_MISMATCH',
  'NODES_AWAY',
  'NODES_CORDONED',
  'NODES_DUPLICATED',
  'NODES_UNWRITABLE',
  'AGENT_TOO_OLD',
  'HOST_NOT_GRANTED',
  'ASSIGNMENT_FULL',
  'LEDGER_UNREAD',
  'MASS_LOSS',
]);

/** Must the service be planned again when something about the nodes changes? */
export function waitsForNodes(plan: Pick<ServicePlan, 'holds'>): boolean {
  return plan.holds.some((hold) => nodeCodes.has(hold.code));
}
