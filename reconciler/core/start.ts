/** Starts of copies: where, and whether at once or prepared for a swap. */
import type { NodeId } from '../../schemas/names.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Action } from './action.ts';
import { asksOf, isPlaced, optionalAway } from './away.ts';
import type { Filed } from './buckets.ts';
import type { PlaceRequest } from './candidates.ts';
import { runsUnseen, type SlotState, type Target } from './classify.ts';
import type { SlotsContext } from './decide-slots.ts';
import { isLeaving } from './drain.ts';
import type { Placed, Placer } from './place.ts';
import { isIdle, portKeys } from './reserved.ts';
import { optionalContent, tagHold } from './tags.ts';

interface Outcome {
  readonly actions: readonly Action[];
  readonly holds: readonly Hold[];
}

/** What a slot gets that nothing runs for. */
export function targetOfMissing({ rollout, canary, target }: SlotsContext): Target {
  // A paused update starts nothing new, nor does one that watches its canary: what is missing comes back as the last good version.
  const isHeld = rollout.phase === 'paused' || canary !== undefined;
  return isHeld && rollout.good ? rollout.good : target;
}

/**
 * Instances whose copy was stopped and is to run again, on a node that gave its ports or its room to others meanwhile. Where there is
 * room it is taken: what is missing goes elsewhere.
 */
export function oustedOf(context: SlotsContext, filed: readonly Filed[], placer: Placer): ReadonlySet<SlotState> {
  // While copies of another version have to go first, their ports are no conflict.
  if (!context.mayStart) return new Set();
  const ousted = filed.flatMap(({ bucket, slot }) => {
    if (bucket !== 'stopped' || slot.current || runsUnseen(slot) || !isIdle(slot.target.copy)) return [];
    const { run, job, node } = slot.target;
    return placer.resume(requestOf(context, slot, { run, digest: job.digest }), node.record.id) ? [] : [slot];
  });
  return new Set(ousted);
}

/** A slot that nothing runs for. */
export function placeMissing(context: SlotsContext, slot: SlotState, placer: Placer): Outcome {
  const target = targetOfMissing(context);
  const lost = slot.lost[0];
  const why = lost ? `${lost.node.record.name} is lost` : 'the instance is missing';
  const how = { want: 'run', why, ...(lost && { replaces: lost.node.record.id }) } as const;
  return outcome(context, slot, target, placer.place(requestOf(context, slot, target)), how);
}

/** A slot that runs another digest. Side by side if there is room, else prepared first and swapped. */
export function placeUpdate(context: SlotsContext, slot: SlotState, placer: Placer): Outcome {
  const { target, desired, canary } = context;
  const { current } = slot;
  if (!current) return placeMissing(context, slot, placer);
  const runs = current.job.want === 'run';
  const isElsewhere = (slot.bound ?? slot.to ?? current.node.record.id) !== current.node.record.id;
  if (runs && slot.moving && isElsewhere) return placeMove(context, slot, placer, 'it is moved');
  if (runs && slot.bound === undefined && isLeaving(current.node, current.copy)) {
    return placeMove(context, slot, placer, `${current.node.record.name} is drained`);
  }
  const isSame = current.job.digest === target.digest;
  const why =
    isSame && slot.after !== undefined
      ? 'it is restarted'
      : isSame
        ? 'it moves to its own node'
        : `update to ${target.digest.slice(0, 10)}`;
  const wanted = requestOf(context, slot, target);
  const only = canary && !wanted.only ? { only: canary.nodes } : {};
  const request: PlaceRequest = { ...wanted, ...only, prefer: current.node.record.id };
  if (!runs || desired.spec.update.order === 'start_first') {
    const placed = placer.place(request);
    const swapped =
      placed.kind === 'refused' && runs && noRoom(placed.hold) ? placeSwap(request, current, placer) : placed;
    const want = swapped === placed ? 'run' : 'prepared';
    return outcome(context, slot, target, swapped.kind === 'placed' ? swapped : placed, { want, why });
  }
  const swapped = placeSwap(request, current, placer);
  const placed = swapped.kind === 'placed' ? swapped : placer.place(request);
  return outcome(context, slot, target, placed, { want: 'prepared', why });
}

/**
 * To another node. Make before break: the copy there is healthy before this one goes. What cannot run twice (its order says so
 * though it publishes nothing, or the other node publishes on the same address) is prepared there and freed here first.
 */
function placeMove(context: SlotsContext, slot: SlotState, placer: Placer, why: string): Outcome {
  const { target, desired } = context;
  const request = requestOf(context, slot, target);
  const { exclusive, update } = desired.spec;
  const isAlone = exclusive !== undefined || (update.order !== 'start_first' && portKeys(target.run).length === 0);
  const beside = isAlone ? undefined : placer.place(request);
  if (beside && (beside.kind === 'placed' || beside.hold.code !== 'PORT_CONFLICT')) {
    return outcome(context, slot, target, beside, { want: 'run', why });
  }
  return outcome(context, slot, target, placer.place({ ...request, yields: true }), { want: 'prepared', why });
}

/** On the node of the old copy, which stops before the new one starts and leaves its room and ports to it. */
function placeSwap(request: PlaceRequest, current: NonNullable<SlotState['current']>, placer: Placer): Placed {
  const id = current.node.record.id;
  if (request.only && !request.only.has(id)) return placer.place(request);
  const { reserves } = current.job;
  const releases = { node: id, run: current.run, ...(reserves && { reserves }) };
  return placer.place({ ...request, only: new Set([id]), releases });
}

function noRoom(hold: Hold): boolean {
  return hold.code === 'NO_CAPACITY' || hold.code === 'PORT_CONFLICT';
}

function requestOf({ desired, view }: SlotsContext, slot: SlotState, target: Target): PlaceRequest {
  const only = slot.bound ?? slot.to;
  const prefer = view.inherited.get(slot.instance);
  return {
    instance: slot.instance,
    run: target.run,
    digest: target.digest,
    placement: desired.spec.placement,
    needs: desired.spec.needs,
    asks: asksOf(desired.spec),
    sealed: desired.sealed,
    ...(only === undefined ? {} : { only: new Set([only]) }),
    ...(prefer === undefined ? {} : { prefer }),
  };
}

function outcome(
  { view, desired, policy, mayStart }: SlotsContext,
  slot: SlotState,
  target: Target,
  placed: Placed,
  how: { readonly want: 'run' | 'prepared'; readonly why: string; readonly replaces?: NodeId },
): Outcome {
  if (placed.kind === 'refused') return { actions: [], holds: [placed.hold] };
  const { name: service } = desired.spec;
  const asks = policy.isDryRun ? undefined : tagHold(view, service, target.digest, slot.instance);
  if (asks) return { actions: [], holds: [asks] };
  const node = view.nodes.get(placed.node);
  const action: Action = {
    kind: 'start',
    service,
    instance: slot.instance,
    node: placed.node,
    want: mayStart ? how.want : 'prepared',
    digest: target.digest,
    run: target.run,
    runtime: placed.runtime,
    source: desired.source,
    ...placed.beside,
    ...optionalAway(desired.spec),
    ...optionalContent(view, { service, digest: target.digest, node }),
    ...(isPlaced(desired.spec, target.run) ? { placed: true } : {}),
    ...(how.replaces === undefined ? {} : { replaces: how.replaces }),
    why: `${how.why}; ${placed.why}`,
  };
  const hold: Hold = { code: 'IN_PROGRESS', subject: slot.instance, message: how.why };
  return { actions: [action], holds: [hold] };
}
