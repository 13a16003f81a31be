/** All instances of a wanted service: first what runs and what is on its way, then what is missing, then the next to update. */
import type { ServiceName } from '../../schemas/names.ts';
import type { Mono, Now } from '../../schemas/ports.ts';
import type { Hold, HoldCode } from '../../schemas/status.ts';
import type { Action } from './action.ts';
import { allPrepared, createBudget, createNotice } from './availability.ts';
import { awayOf } from './away.ts';
import type { Bucket, Filed } from './buckets.ts';
import { type Canary, canaryHold } from './canary.ts';
import { earliest, type Seen, type SlotState, type Target } from './classify.ts';
import {
  type Decision,
  decideSlot,
  drop,
  queuedHold,
  type Rules,
  stillNeeded,
  waitsForApproval,
  waitsForImages,
} from './decide.ts';
import type { Awaited } from './dependencies.ts';
import { holdOf } from './health.ts';
import { leaseHold, waitOf } from './leases.ts';
import type { Desired, Policy, Rollout, RolloutSeen, View } from './model.ts';
import { awayHold, massLossHold, unheardHold } from './node-holds.ts';
import { createPlacer, type Placer } from './place.ts';
import { presenceOf } from './presence.ts';
import { massLoss } from './signs.ts';
import { oustedOf, placeMissing, placeUpdate, targetOfMissing } from './start.ts';
import { suspendedUnheard } from './suspended.ts';
import { deadlineOf } from './timeout.ts';
import { unfitHold } from './unfit.ts';
import { atHome, elsewhereHold, whereItsDataIs } from './volumes.ts';

export interface SlotsContext {
  readonly view: View;
  readonly desired: Desired;
  readonly policy: Policy;
  readonly now: Now;
  readonly rollout: Rollout;
  /** From when the deadlines of the rollout count. */
  readonly seen: RolloutSeen;
  readonly target: Target;
  /** Present while the canary pool is updated and watched. */
  readonly canary?: Canary;
  /** Present while others have to be healthy before the service starts for the first time. */
  readonly awaited?: Awaited;
  /** False while copies of another version run that must not run beside the target. */
  readonly mayStart: boolean;
  /** The update does not wait any longer for this copy of the target. */
  readonly isOver: (target: Seen) => boolean;
}

export interface Decided {
  readonly actions: readonly Action[];
  readonly holds: readonly Hold[];
  /** Slots that are as wanted, and slots that are not and could be. */
  readonly settled: number;
  readonly open: number;
  /** Copies that are about to be stopped. */
  readonly noticed: readonly Seen[];
  readonly wakeAt?: Mono;
}

/** Decides every instance by its bucket; starts come in slot order. */
export function decideSlots(context: SlotsContext, filed: readonly Filed[]): Decided {
  const { view, desired, policy, now, canary } = context;
  const { name } = desired.spec;
  const placer = createPlacer(view, name, policy, now);
  const inBucket = (...buckets: readonly Bucket[]): SlotState[] =>
    filed.flatMap(({ bucket, slot }) => (buckets.includes(bucket) ? [slot] : []));
  const elsewhere = (slot: SlotState): Hold | undefined => elsewhereHold(view, desired, slot, context.target.run);
  const ousted = oustedOf(context, filed, placer);
  const isMissing = ({ bucket, slot }: Filed): boolean => bucket === 'lost' || bucket === 'missing' || ousted.has(slot);
  const missing = tiedFirst(
    filed.filter(isMissing).map(({ slot }) => slot),
    (slot) => {
      const hold = elsewhere(slot);
      return hold ? { actions: [], holds: [hold] } : withoutOld(name, slot, startMissing(context, slot, placer));
    },
  );
  const nowhere = missing.filter(({ part }) => part.actions.length === 0).map(({ slot }) => slot.slot);

  const slots = filed.map(({ slot }) => slot);
  const rules = rulesOf(context, stopRule(context, slots, new Set(nowhere)));
  const decisions = filed.flatMap((one) => (ousted.has(one.slot) ? [] : [decideSlot(name, one, rules)]));
  const counted = (as: Decision['counts']): readonly Decision[] => decisions.filter(({ counts }) => counts === as);
  const settled = counted('settled').length;
  const updating = counted('updating');
  // Prepared, and waiting for others to serve: such a turn must not keep those others from theirs.
  const queued = updating.filter(({ holds }) => holds.some(({ code }) => code === 'UPDATE_QUEUED'));
  const turns = { taken: updating.length, queued: queued.length };
  const outdated = inBucket('outdated').map((slot) => ({ slot, hold: elsewhere(slot) }));
  const movable = outdated.flatMap(({ slot, hold }) => (hold ? [] : [slot]));
  const updates = updateNext(context, movable, turns, placer);

  const unfit = inBucket('settled', 'relieved').flatMap((slot) => unfitHold(view, desired, slot, placer) ?? []);

  const all = [...decisions, ...missing.map(({ part }) => part), updates];
  const wakeAt = earliest(canary?.passesAt, ...all.map((part) => part.wakeAt));
  const excused = missing.filter(({ part }) => part.excused).length;
  return {
    actions: all.flatMap((part) => part.actions),
    holds: [...all.flatMap((part) => part.holds), ...outdated.flatMap(({ hold }) => hold ?? []), ...unfit],
    settled,
    open: filed.length - settled - excused,
    noticed: decisions.flatMap(({ noticed }) => noticed ?? []),
    ...(wakeAt === undefined ? {} : { wakeAt }),
  };
}

/** What starts anew leaves a stopped copy behind that has no room any more. */
function withoutOld(service: ServiceName, { target }: SlotState, part: Part): Part {
  if (!target || part.actions.length === 0) return part;
  return { ...part, actions: [drop(service, target, 'others have its room by now'), ...part.actions] };
}

/** What may go to one node only has its place before the others, which can go elsewhere, take it or its ports. Given in slot order. */
function tiedFirst(
  missing: readonly SlotState[],
  place: (slot: SlotState) => Part,
): readonly { readonly slot: SlotState; readonly part: Part }[] {
  const parts = new Map(missing.filter(isTied).map((slot) => [slot, place(slot)]));
  return missing.map((slot) => ({ slot, part: parts.get(slot) ?? place(slot) }));
}

/** It may go to one node only. */
function isTied({ bound, to }: SlotState): boolean {
  return (bound ?? to) !== undefined;
}

/** Instances that may be on their way at once. */
function limitOf({ desired: { spec } }: SlotsContext): number {
  return spec.update.order === 'recreate' ? Number.POSITIVE_INFINITY : Math.max(1, spec.update.max_unavailable);
}

/** Which current copies may stop. `nowhere`: slots that have no copy, and get none. A paused update stops nothing. */
function stopRule(
  context: SlotsContext,
  slots: readonly SlotState[],
  nowhere: ReadonlySet<number>,
): Rules['waitsToStop'] {
  const rule = orderRule(context, slots, nowhere);
  if (context.rollout.phase !== 'paused') return rule;
  return (slot) => (slot.current?.job.digest === context.target.digest ? rule(slot) : waitsForApproval(slot));
}

function orderRule(
  context: SlotsContext,
  slots: readonly SlotState[],
  nowhere: ReadonlySet<number>,
): Rules['waitsToStop'] {
  if (context.desired.spec.update.order === 'recreate') {
    const ready = allPrepared(slots, context.isOver);
    return (slot) => (ready ? undefined : waitsForImages(slot));
  }
  const limit = limitOf(context);
  const budget = createBudget(limit, slots, nowhere);
  return (slot) => (budget.mayStop(slot) ? undefined : stillNeeded(slot, limit));
}

function rulesOf(context: SlotsContext, waitsToStop: Rules['waitsToStop']): Rules {
  const { desired, policy, now, rollout, seen, mayStart } = context;
  const { spec, source } = desired;
  return {
    now,
    source,
    mayStart,
    waitsToStop,
    away: awayOf(spec),
    waitsForLease: ({ copy, job, run }) => {
      if (!spec.exclusive) return undefined;
      return leaseHold(context.view, { ...copy, wait: job.away ? waitOf(job.away, run) : 0 }, policy, now);
    },
    notice: createNotice(spec.update, policy, now),
    deadline: (target: Seen) => {
      const deadline = rollout.phase === 'settled' ? undefined : deadlineOf(target, spec, seen);
      return deadline !== undefined && deadline > now.mono ? deadline : undefined;
    },
  };
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
  'NODES_TAINTED',
  'NODES_DUPLICATED',
  'VERSION_SKEW',
  'NODES_UNWRITABLE',
  'NODES_AWAY',
]);

function startMissing(context: SlotsContext, missing: SlotState, placer: Placer): Part {
  const { view, policy, now } = context;
  const { slot, hold } = whereItsDataIs(context, missing, targetOfMissing(context).run);
  if (hold) return { actions: [], holds: [hold], excused: true };
  const bound = slot.bound === undefined ? undefined : view.nodes.get(slot.bound);
  if (bound && presenceOf(bound, policy, now).state === 'lost') {
    return { actions: [], holds: [awayHold(slot.instance, bound)], excused: true };
  }
  const unheard = waitsForPlace(context, slot);
  if (unheard) return unheard;
  const asleep = context.rollout.phase === 'progressing' ? undefined : suspendedUnheard(view, slot.instance);
  if (asleep) return { actions: [], holds: [asleep] };
  if ((slot.lost.length > 0 || mayRunUnseen(context)) && massLoss(view, policy, now)) {
    return { actions: [], holds: [massLossHold(slot.instance, view, now)] };
  }
  if (context.awaited) {
    const { message } = context.awaited;
    return { actions: [], holds: [{ code: 'DEPENDENCY_WAITING', subject: slot.instance, message }] };
  }
  const part = placeMissing(context, slot, placer);
  const closed = part.holds.some(({ code }) => closedCodes.has(code));
  return bound && closed ? { ...part, excused: true } : part;
}

/** `replace_after` over a restart of the reconciler: where it was started last it may run, until its node spoke or time is up. */
function waitsForPlace({ view, policy, now, desired }: SlotsContext, { instance, to }: SlotState): Part | undefined {
  const patience = desired.spec.disconnect?.replace_after;
  const place = view.homes.get(instance);
  const node = patience === undefined || place === undefined ? undefined : view.nodes.get(place);
  if (!node || node.adopted || to !== undefined) return undefined;
  const { state, changesAt } = presenceOf(node, policy, now, patience);
  if (state === 'lost') return undefined;
  const hold = unheardHold(instance, node, changesAt, now.mono);
  return { actions: [], holds: [hold], ...(changesAt === undefined ? {} : { wakeAt: changesAt }) };
}

/**
 * After a restart the copies of nodes that never spoke to this process are unknown: a service that was through with its update has
 * a copy of the slot on one of them, most likely.
 */
function mayRunUnseen({ view, rollout }: SlotsContext): boolean {
  return rollout.phase !== 'progressing' && view.signs.unheard.size > 0;
}

/** Slots that are being updated; `queued`: those of them that go on with the old copy until other slots serve. */
interface Turns {
  readonly taken: number;
  readonly queued: number;
}

/** Begins as many updates as may be under way at once: what is not healthy first, then what may go to one node only, then by slot. */
function updateNext(context: SlotsContext, outdated: readonly SlotState[], turns: Turns, placer: Placer): Part {
  if (context.rollout.phase === 'paused') return { actions: [], holds: outdated.flatMap(currentHolds) };
  const limit = limitOf(context);
  const { canary } = context;
  const waiting = canary ? outdated.filter(({ slot }) => !canary.slots.has(slot)) : [];
  const order = outdated
    .filter((slot) => !waiting.includes(slot))
    .sort((a, b) => Number(isFine(a)) - Number(isFine(b)) || Number(isTied(b)) - Number(isTied(a)) || a.slot - b.slot);
  const actions: Action[] = [];
  const holds: Hold[] = canary ? waiting.map((slot) => canaryHold(slot, canary)) : [];
  let underWay = turns.taken;
  for (const slot of order) {
    if (underWay - (isFine(slot) ? 0 : turns.queued) >= limit) {
      holds.push(queuedHold(slot, underWay, limit));
      continue;
    }
    const part = updateOne(context, slot, placer);
    if (part.actions.length > 0) underWay += 1;
    actions.push(...part.actions);
    holds.push(...part.holds);
  }
  return { actions, holds };
}

/** What runs the target beside its lost data is no update: it goes on as it is, and waits for its data. */
function updateOne(context: SlotsContext, slot: SlotState, placer: Placer): Part {
  const { view, target } = context;
  const home =
    slot.current?.job.digest === target.digest
      ? { slot: atHome(view, slot, target.run) }
      : whereItsDataIs(context, slot, target.run);
  return home.hold ? { actions: [], holds: [home.hold] } : placeUpdate(context, home.slot, placer);
}

function isFine({ current }: SlotState): boolean {
  return current?.healthy ?? false;
}

/** A paused update leaves the old copy; if that is not well either, it says so. */
function currentHolds({ current }: SlotState): Hold[] {
  return current && !current.healthy ? [holdOf(current.copy, current.node.record.name)] : [];
}
