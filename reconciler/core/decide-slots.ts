/** All slots of a wanted service: first what runs and what is on its way, then what is missing, then the next to update. */
import type { Mono, Now } from '../../schemas/ports.ts';
import type { Hold, HoldCode } from '../../schemas/status.ts';
import { earliest, type Seen, type SlotState, type Target } from './classify.ts';
import { type Decision, decideSlot, queuedHold, type Rules } from './decide.ts';
import { holdOf } from './health.ts';
import type { Action, Desired, Policy, Rollout, View } from './model.ts';
import { awayHold, massLossHold } from './node-holds.ts';
import { createPlacer, type Placer } from './place.ts';
import { massLoss, presenceOf } from './presence.ts';
import { deadlineOf, failureOf } from './rollout.ts';
import { placeMissing, placeUpdate } from './start.ts';

export interface SlotsContext {
  readonly view: View;
  readonly desired: Desired;
  readonly policy: Policy;
  readonly now: Now;
  readonly rollout: Rollout;
  /** Since when this process has seen the rollout: its deadlines do not begin before. */
  readonly seenAt: Mono;
  readonly target: Target;
}

export interface Decided {
  readonly actions: readonly Action[];
  readonly holds: readonly Hold[];
  /** Slots that are as wanted, and slots that are not and could be. */
  readonly settled: number;
  readonly open: number;
  readonly wakeAt?: Mono;
}

/** Decides every slot; starts come in slot order. */
export function decideSlots(context: SlotsContext, slots: readonly SlotState[]): Decided {
  const { view, desired, policy, now } = context;
  const rules = rulesOf(context);
  const decisions = slots.map((slot) => ({ slot, decision: decideSlot(desired.spec.name, slot, rules) }));
  const placer = createPlacer(view, desired.spec.name, policy, now);
  const having = (verdict: Decision['verdict']) => decisions.filter(({ decision }) => decision.verdict === verdict);

  const missing = having('missing').map(({ slot }) => startMissing(context, slot, placer));
  const outdated = having('outdated').map(({ slot }) => slot);
  const updates = updateNext(context, outdated, having('updating').length, placer);
  const all = [...decisions.map(({ decision }) => decision), ...missing, updates];
  const wakeAt = earliest(...all.map((part) => part.wakeAt));
  const settled = decisions.filter(({ decision, slot }) => decision.verdict === 'settled' && isProven(slot));
  const excused = missing.filter((part) => part.excused).length;
  return {
    actions: all.flatMap((part) => part.actions),
    holds: all.flatMap((part) => part.holds),
    settled: settled.length,
    open: slots.length - settled.length - excused,
    ...(wakeAt === undefined ? {} : { wakeAt }),
  };
}

function rulesOf({ desired: { spec, source }, now, rollout, seenAt }: SlotsContext): Rules {
  const goesOn = rollout.phase === 'failed' && spec.update.on_failure === 'continue';
  return {
    now,
    source,
    isOver: (target: Seen) => goesOn && failureOf(target, spec, seenAt, now) !== undefined,
    deadline: (target: Seen) => {
      const deadline = rollout.phase === 'settled' ? undefined : deadlineOf(target, spec, seenAt);
      return deadline !== undefined && deadline > now.mono ? deadline : undefined;
    },
  };
}

/** Healthy, or done before its node went away. */
function isProven({ target, done }: SlotState): boolean {
  return target ? target.healthy : done !== undefined;
}

interface Part {
  readonly actions: readonly Action[];
  readonly holds: readonly Hold[];
  readonly wakeAt?: Mono;
  /** Its node is away or closed and nobody else can take it: the rollout does not wait for it. */
  readonly excused?: boolean;
}

/** Nothing new may be placed on the nodes that would fit. */
const closedCodes: ReadonlySet<HoldCode> = new Set<HoldCode>([
  'NODES_CORDONED',
  'NODES_DUPLICATED',
  'NODES_UNWRITABLE',
  'NODES_AWAY',
]);

function startMissing(context: SlotsContext, slot: SlotState, placer: Placer): Part {
  const { view, policy, now } = context;
  const bound = slot.bound === undefined ? undefined : view.nodes.get(slot.bound);
  if (bound && presenceOf(bound, policy, now).state === 'lost') {
    return { actions: [], holds: [awayHold(slot.instance, bound)], excused: true };
  }
  if ((slot.lost.length > 0 || mayRunUnseen(context)) && massLoss(view, policy, now)) {
    return { actions: [], holds: [massLossHold(slot.instance, view, policy, now)] };
  }
  const part = placeMissing(context, slot, placer);
  const closed = part.holds.some(({ code }) => closedCodes.has(code));
  return bound && closed ? { ...part, excused: true } : part;
}

/**
 * After a restart the copies of nodes that never spoke to this process are unknown: a service that was through with its update has
 * a copy of the slot on one of them, most likely.
 */
function mayRunUnseen({ view, rollout }: SlotsContext): boolean {
  return rollout.phase !== 'progressing' && [...view.nodes.values()].some((node) => node.heard === undefined);
}

/** Begins as many updates as may be under way at once: what is not healthy first, then by slot. */
function updateNext(context: SlotsContext, outdated: readonly SlotState[], updating: number, placer: Placer): Part {
  if (context.rollout.phase === 'paused') return { actions: [], holds: outdated.flatMap(currentHolds) };
  const limit = Math.max(1, context.desired.spec.update.max_unavailable);
  const order = [...outdated].sort((a, b) => Number(isFine(a)) - Number(isFine(b)) || a.slot - b.slot);
  const actions: Action[] = [];
  const holds: Hold[] = [];
  let underWay = updating;
  for (const slot of order) {
    if (underWay >= limit) {
      holds.push(queuedHold(slot, underWay, limit));
      continue;
    }
    const part = placeUpdate(context, slot, placer);
    if (part.actions.length > 0) underWay += 1;
    actions.push(...part.actions);
    holds.push(...part.holds);
  }
  return { actions, holds };
}

function isFine({ current }: SlotState): boolean {
  return current?.healthy ?? false;
}

/** A paused update leaves the old copy; if that is not well either, it says so. */
function currentHolds({ current }: SlotState): Hold[] {
  return current && !current.healthy ? [holdOf(current.copy, current.node.record.name)] : [];
}
