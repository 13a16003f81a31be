/** What to do about one slot. Every slot ends as wanted, with an action, or with a hold that says why not. */
import { type CopyId, compareCopyIds } from '../../schemas/names.ts';
import type { Mono, Now } from '../../schemas/ports.ts';
import type { JobSource } from '../../schemas/spec.ts';
import type { Hold, Want } from '../../schemas/status.ts';
import type { Action } from './action.ts';
import type { Notice } from './availability.ts';
import { earliest, type Seen, type SlotState } from './classify.ts';
import { holdOf, isPrepared, isUp, seconds } from './health.ts';
import { silentHold, unreadHold } from './node-holds.ts';

export type Verdict =
  /** The target runs and is healthy. */
  | 'settled'
  /** A target copy is on its way. */
  | 'updating'
  /** Only another digest runs: wants its turn. */
  | 'outdated'
  /** Nothing runs that we know of: wants a place. */
  | 'missing'
  /** Wait, the hold says for what. */
  | 'waiting';

export interface Decision {
  readonly verdict: Verdict;
  readonly actions: readonly Action[];
  readonly holds: readonly Hold[];
  /** Goes on for a moment, off the list of healthy copies, before it is stopped. */
  readonly noticed?: Seen;
  readonly wakeAt?: Mono;
}

/** How failed target copies are treated: `isOver` says that one will not become healthy and that the update goes on. */
export interface Rules {
  readonly now: Now;
  readonly isOver: (target: Seen) => boolean;
  readonly deadline: (target: Seen) => Mono | undefined;
  /** The source that the service belongs to. */
  readonly source: JobSource;
  readonly notice: Notice;
  /** Undefined: the current copy may stop, now that its replacement is prepared. */
  readonly waitsToStop: (slot: SlotState) => Hold | undefined;
  /** False while copies of another version run that must not run beside the target. */
  readonly mayStart: boolean;
}

/** Decides a slot without placing anything: `outdated` and `missing` are the caller's to go on with. */
export function decideSlot(service: string, slot: SlotState, rules: Rules): Decision {
  const drops = slot.extra.map((seen) => drop(service, seen, 'another copy of this instance is kept'));
  const decision = slot.target ? decideTarget(service, slot, slot.target, rules) : decideWithout(slot, rules);
  const claims = slot.target ? claim(service, slot.target, decision.actions, rules.source) : [];
  return { ...decision, actions: [...drops, ...decision.actions, ...claims] };
}

/** A copy that another source started is taken over as it is: only its job says from now on whose it is. */
function claim(service: string, target: Seen, planned: readonly Action[], source: JobSource): Action[] {
  const isBusy = planned.some((action) => action.kind === 'want');
  if (isBusy || target.job.source.name === source.name) return [];
  return [{ ...want(service, target, target.job.want, `it belongs to ${source.name} now`), source }];
}

function decideWithout(slot: SlotState, { now }: Rules): Decision {
  const none = { actions: [], holds: [] };
  if (slot.done && !slot.current) return { verdict: 'settled', ...none };
  const [silent] = slot.silent;
  if (slot.current && !silent) return { verdict: 'outdated', ...none };
  if (silent) {
    const wakeAt = earliest(...slot.silent.map(({ presence }) => presence.changesAt));
    const hold = silentHold(slot.instance, silent, now.mono);
    return { verdict: 'waiting', actions: [], holds: [hold], ...(wakeAt === undefined ? {} : { wakeAt }) };
  }
  const [unread] = slot.unread;
  if (unread) return { verdict: 'waiting', actions: [], holds: [unreadHold(slot.instance, unread)] };
  return { verdict: 'missing', ...none };
}

function decideTarget(service: string, slot: SlotState, target: Seen, rules: Rules): Decision {
  const { current } = slot;
  if (target.healthy) {
    const left = current && leave(current, rules);
    if (left) return left;
    const actions = current ? [drop(service, current, 'its replacement is healthy')] : [];
    return { verdict: 'settled', actions, holds: [] };
  }
  if (target.job.want === 'stopped') return revert(service, target, current, rules);
  if (target.job.want === 'prepared') return swap(service, slot, target, rules);
  const hold = holdOf(target.copy, target.node.record.name, (target.settlesAt ?? rules.now.mono) - rules.now.mono);
  const wakeAt = earliest(target.settlesAt, rules.deadline(target));
  const given = current && (isCancelled(current, target) || rules.isOver(target));
  const left = current && given && leave(current, rules);
  if (left) return left;
  const why = rules.isOver(target) ? 'the update goes on without waiting' : 'it was cancelled';
  return {
    verdict: rules.isOver(target) ? 'settled' : 'updating',
    actions: given ? [drop(service, current, why)] : [],
    holds: [hold],
    ...(wakeAt === undefined ? {} : { wakeAt }),
  };
}

/** The newer copy was on its way when the older digest became the target again. */
function isCancelled(current: Seen, target: Seen): boolean {
  return !current.healthy && compareCopyIds(current.copy.copy, target.copy.copy) > 0;
}

/** The copy is to stop, and serves: it leaves the list of healthy copies first. */
function leave(current: Seen, { notice, now }: Rules): Decision | undefined {
  const until = notice(current);
  if (until === undefined) return undefined;
  const hold = progress(current, `stops in ${seconds(until - now.mono)}`);
  return { verdict: 'updating', actions: [], holds: [hold], noticed: current, wakeAt: until };
}

/** Back to a copy that was stopped for another one. */
function revert(service: string, target: Seen, current: Seen | undefined, { mayStart }: Rules): Decision {
  const makeRoom = current ? [drop(service, current, 'the copy before it runs again')] : [];
  if (!mayStart) return { verdict: 'updating', actions: makeRoom, holds: [waitsForOthers(target)] };
  const run = want(service, target, 'run', 'it is wanted again');
  const hold = progress(target, 'starts again');
  return { verdict: 'updating', actions: [...makeRoom, run], holds: [hold] };
}

/** Stop before start: once the new copy is prepared the old one stops, then the new one runs. */
function swap(service: string, slot: SlotState, target: Seen, rules: Rules): Decision {
  const { current } = slot;
  const [silent] = slot.silent;
  const runs = current?.job.want === 'run';
  if (silent) return { verdict: 'updating', actions: [], holds: [silentHold(slot.instance, silent, rules.now.mono)] };
  if (runs && !isPrepared(target.copy)) {
    const wakeAt = rules.deadline(target);
    const hold = holdOf(target.copy, target.node.record.name);
    return { verdict: 'updating', actions: [], holds: [hold], ...(wakeAt === undefined ? {} : { wakeAt }) };
  }
  const queued = runs ? rules.waitsToStop(slot) : undefined;
  if (queued) return { verdict: 'updating', actions: [], holds: [queued] };
  const left = current && runs && leave(current, rules);
  if (left) return left;
  const stop = current && runs ? [want(service, current, 'stopped', 'its replacement is prepared')] : [];
  // One node stops before it starts by itself; two nodes know nothing of each other.
  if (current && current.node.record.id !== target.node.record.id && (runs || isUp(current.copy))) {
    return { verdict: 'updating', actions: stop, holds: [progress(current, 'stops, for its replacement,')] };
  }
  if (!rules.mayStart) return { verdict: 'updating', actions: stop, holds: [waitsForOthers(target)] };
  const start = want(service, target, 'run', runs ? 'it is prepared' : 'nothing else runs');
  return { verdict: 'updating', actions: [...stop, start], holds: [progress(target, 'starts')] };
}

function waitsForOthers(target: Seen): Hold {
  return progress(target, 'prepared, and starts once all instances of the other version have stopped,');
}

function progress({ copy, node }: Seen, what: string): Hold {
  return { code: 'IN_PROGRESS', subject: copy.instance, message: `${what} on ${node.record.name}` };
}

/** Removes a copy from its node's part. */
export function drop(service: string, { copy }: Seen, why: string): Action {
  return { kind: 'drop', service, ...subjectOf(copy), why };
}

/** Changes what is wanted of a copy. */
export function want(service: string, { copy }: Seen, wanted: Want, why: string): Extract<Action, { kind: 'want' }> {
  return { kind: 'want', service, ...subjectOf(copy), want: wanted, why };
}

function subjectOf(copy: Seen['copy']): { instance: string; copy: CopyId; node: string } {
  return { instance: copy.instance, copy: copy.copy, node: copy.node };
}

/** The old copy goes on: too many instances do not serve. */
export function stillNeeded({ instance }: SlotState, limit: number): Hold {
  const message = `prepared; the old copy goes on until at most ${limit - 1} of the others do not serve`;
  return { code: 'UPDATE_QUEUED', subject: instance, message };
}

/** `recreate`: what is not there yet keeps all old copies running. */
export function waitsForImages({ instance }: SlotState): Hold {
  const message = 'prepared; all old copies go on until every new one is';
  return { code: 'UPDATE_QUEUED', subject: instance, message };
}

/** The update is paused. */
export function waitsForApproval({ instance }: SlotState): Hold {
  return {
    code: 'UPDATE_QUEUED',
    subject: instance,
    message: 'prepared; the old copy goes on while the update is paused',
  };
}

/** Another slot of the service has its turn. */
export function queuedHold(slot: SlotState, updating: number, limit: number): Hold {
  const message = `waits for its turn: ${updating} of at most ${limit} being updated`;
  return { code: 'UPDATE_QUEUED', subject: slot.instance, message };
}
