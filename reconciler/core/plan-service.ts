/**
 * The plan of one service: what is done now, what waits and why. The same input gives the same plan. In this order: its copies are
 * seen and sorted by slot (classify.ts); each instance goes into one bucket (buckets.ts); what is missing is placed (place.ts),
 * each bucket is decided (decide.ts), and as many updates begin as may (decide-slots.ts); what is surplus leaves (surplus.ts).
 */
import type { ServiceName } from '../../schemas/names.ts';
import type { Now } from '../../schemas/ports.ts';
import type { Hold, HoldCode } from '../../schemas/status.ts';
import type { ServicePlan } from './action.ts';
import { createNotice, type Notice, onlyRuns } from './availability.ts';
import { classify } from './buckets.ts';
import { bury } from './buried.ts';
import { canaryOf } from './canary.ts';
import { earliest, type Seen, type SlotState, seeCopies, survey } from './classify.ts';
import { copyKey } from './copy-index.ts';
import { type Decided, decideSlots, type SlotsContext } from './decide-slots.ts';
import { awaitedBy } from './dependencies.ts';
import { withDone } from './done.ts';
import type { Desired, Policy, Rollout, View } from './model.ts';
import { planScheduled } from './plan-scheduled.ts';
import { afterFailure, afterSlots, courseOf, goesOn, rolloutHolds, targetOf } from './rollout.ts';
import { wantedSlots } from './slots.ts';
import { planStopped } from './stopped.ts';
import { judgeMoves } from './stuck-moves.ts';
import { removeSurplus, type Surplus } from './surplus.ts';
import { freezesOn, heldOn, planSuspended } from './suspended.ts';
import { suspendOf } from './suspends.ts';
import { countWaiting, failureOf } from './timeout.ts';
import { mustSpread } from './unfit.ts';
import { planUnwanted } from './unwanted.ts';
import { wantedOf } from './wanted.ts';

/** Plans one service. Changes nothing; the caller applies the actions before it plans the next service. */
export function planService(view: View, service: ServiceName, policy: Policy, now: Now): ServicePlan {
  const desired = wantedOf(view, service);
  const rollout = view.rollouts.get(service);
  if (view.recovering) {
    const hold: Hold = {
      code: 'RECOVERING',
      subject: service,
      message: 'nothing is planned until the nodes have reported',
    };
    const schedule = view.schedules.get(service);
    return {
      actions: [],
      holds: [hold],
      settled: 0,
      ...(rollout ? { rollout } : {}),
      ...(schedule ? { schedule } : {}),
    };
  }
  const suspend = suspendOf(view, service);
  if (suspend) return planSuspended(view, service, suspend, policy, now);
  if (!desired) return planUnwanted(view, service, policy, now);
  const { schedule } = desired.spec;
  if (schedule) return planScheduled(view, desired, schedule, policy, now);
  return desired.stopped ? planStopped(view, desired, policy, now) : planWanted(view, desired, policy, now);
}

function planWanted(view: View, desired: Desired, policy: Policy, now: Now): ServicePlan {
  const { spec } = desired;
  const wanted = wantedSlots(view, desired);
  const all = seeCopies(view, spec.name, policy, now, spec.update.settle);
  const { living, burial } = bury(view, spec.name, all);
  const course = courseOf(view, desired, wanted.length, now);
  const hasFailed = (one: Seen): boolean => failureOf(one, spec, course.seen, now) !== undefined;
  const first = survey(wanted, living, targetOf(desired, course.rollout), hasFailed);
  const failed = afterFailure(course, first.slots, desired, now);
  const target = targetOf(desired, failed);
  const surveyed = failed === course.rollout ? first : survey(wanted, living, target, hasFailed);
  const { slots } = surveyed;
  const canary = canaryOf(view, desired, failed, slots, now);
  const rollout: Rollout = canary === 'passed' ? { ...failed, canary } : failed;
  const isOver = (one: Seen): boolean => goesOn(desired, rollout) && hasFailed(one);
  const buckets = classify(surveyed, { isOver, freezes: freezesOn(view, spec.name) });

  const awaited = awaitedBy(view, desired, rollout, policy, now);
  const context: SlotsContext = {
    ...{ view, desired, policy, now, rollout, seen: course.seen, target, isOver },
    mayStart: mayStart({ view, desired, target }, all.seen),
    ...(awaited ? { awaited } : {}),
    ...(canary && canary !== 'passed' ? { canary } : {}),
  };
  const decided = decideSlots(context, buckets.wanted);
  const surplus = buckets.surplus.flatMap(({ copies }) => copies);
  const leaving = {
    copies: surplus,
    notice: noticeOf(desired, wanted.length, policy, now),
    keep: keptSurplus(desired, { slots, surplus, decided }),
    freezes: ({ copy }: Seen) => heldOn(view, copy),
  };
  const removal = removeSurplus({ service: spec.name, ...leaving }, now);
  const waiting = countWaiting(rollout, slots, spec, course.seen, now);
  const held = view.held.get(spec.name);
  const moves = judgeMoves(slots, desired, { rollout, seen: course.seen }, now);
  // Old copies that have run for long enough by then let others stop.
  const serves = slots.map(({ current }) => current?.settlesAt);
  const wakeAt = earliest(decided.wakeAt, removal.wakeAt, waiting.wakeAt, moves.wakeAt, awaited?.wakeAt, ...serves);
  return {
    actions: [...decided.actions, ...removal.actions, ...burial],
    holds: [...rolloutHolds(desired, rollout), ...(held ? [held] : []), ...decided.holds, ...removal.holds],
    settled: decided.settled,
    noticed: [...decided.noticed, ...removal.noticed].map(({ copy }) => copyKey(copy.instance, copy.copy)),
    rollout: withDone(
      afterSlots(waiting.rollout, desired, { proven: decided.settled, open: decided.open, wanted: wanted.length }, now),
      slots,
      desired,
    ),
    ...(wakeAt === undefined ? {} : { wakeAt }),
    // What has its copies waits for nobody, and tells those who wait for it.
    ...(awaited && decided.holds.some(({ code }) => code === 'DEPENDENCY_WAITING') ? { waitsFor: awaited.names } : {}),
    ...(moves.stuck.length > 0 ? { stuck: moves.stuck } : {}),
    ...(mustSpread(spec) ? { spreads: true } : {}),
  };
}

/** `recreate`: copies of two versions never run at once, as far as we can see. */
function mayStart(
  { view, desired, target }: Pick<SlotsContext, 'view' | 'desired' | 'target'>,
  seen: readonly Seen[],
): boolean {
  if (desired.spec.update.order !== 'recreate') return true;
  const online = new Set(seen.filter(({ presence }) => presence.state === 'online').map(({ copy }) => copy.node));
  return onlyRuns(view, desired.spec.name, target.digest, (node) => online.has(node));
}

interface Found {
  readonly slots: readonly SlotState[];
  readonly surplus: readonly Seen[];
  readonly decided: Decided;
}

/** Nobody takes over from what is scaled to nothing: it need not wait. */
function noticeOf({ spec }: Desired, slots: number, policy: Policy, now: Now): Notice {
  return createNotice(slots === 0 ? {} : spec.update, policy, now);
}

/**
 * After a change of the source, or between a number and `every`, the new slots start before the old ones stop. Where they have no room
 * beside each other, the old ones make some. Nobody waits for nodes that are away or closed, unless nothing runs yet. A slot that
 * serves in an old version until its update needs nobody else.
 */
function keptSurplus({ spec, source }: Desired, { slots, surplus, decided }: Found): Surplus['keep'] {
  const own = new Set(slots.map(({ instance }) => instance));
  const isCramped = decided.holds.some(({ code, subject }) => roomCodes.has(code) && own.has(subject));
  const serving = slots.filter(({ current }) => current?.healthy).length;
  const due = (decided.settled === 0 ? slots.length : decided.open) - serving;
  const isOne = spec.exclusive !== undefined || spec.update.order === 'recreate';
  const isByNode = ({ copy, node }: Seen): boolean => copy.slot === node.record.ordinal;
  const isEvery = spec.replicas === 'every';
  // A numbered one may have the number of its node by chance: not all that is old has.
  const wasEvery = [...surplus, ...slots.flatMap(({ current }) => current ?? [])].every(isByNode);
  return {
    isReplaced: (one) => one.job.source.name !== source.name || (isEvery ? !isByNode(one) : wasEvery),
    count: isCramped || isOne ? 0 : Math.max(0, due),
  };
}

const roomCodes: ReadonlySet<HoldCode> = new Set<HoldCode>([
  'NO_CAPACITY',
  'PORT_CONFLICT',
  'KEPT_APART',
  'SPREAD_REQUIRED',
]);

/** Holds that a change of the nodes, or of what is free on them, could end. */
const nodeCodes: ReadonlySet<HoldCode> = new Set<HoldCode>([
  'NO_NODE',
  'NO_RUNTIME',
  'NO_ARCHITECTURE',
  'NO_CAPACITY',
  'KEPT_APART',
  'SPREAD_REQUIRED',
  'NODES_TAINTED',
  'PORT_CONFLICT',
  'DIRECT_NODE_UNKNOWN',
  'DIRECT_NODE_AMBIGUOUS',
  'LABEL_MISMATCH',
  'NODES_AWAY',
  'NODES_CORDONED',
  'NODES_DUPLICATED',
  'VERSION_SKEW',
  'NODES_UNWRITABLE',
  'AGENT_TOO_OLD',
  'HOST_NOT_GRANTED',
  'IMAGE_NOT_ALLOWED',
  'SECRET_NOT_FOR_NODE',
  'ASSIGNMENT_FULL',
  'VOLUME_ON_LOST_NODE',
  // It may be a stopped copy that others left no room, and that runs again without waiting once there is.
  'DEPENDENCY_WAITING',
  'PLACEMENT_CHANGED',
  'LEDGER_UNREAD',
  'MASS_LOSS',
  'SUSPENDED',
]);

/** Must the service be planned again when something about the nodes changes? */
export function waitsForNodes(plan: Pick<ServicePlan, 'holds' | 'spreads' | 'rests'>): boolean {
  if (plan.rests) return false;
  return plan.spreads === true || plan.holds.some((hold) => nodeCodes.has(hold.code));
}
