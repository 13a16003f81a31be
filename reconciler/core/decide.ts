/** What to do about one instance, by its bucket. Every instance ends as wanted, with an action, or with a hold that says why not. */
import type { Job } from '../../schemas/messages.ts';
import { type CopyId, compareCopyIds } from '../../schemas/names.ts';
import type { Mono, Now } from '../../schemas/ports.ts';
import type { JobSource } from '../../schemas/spec.ts';
import type { Hold, Want } from '../../schemas/status.ts';
import type { Action } from './action.ts';
import type { Notice } from './availability.ts';
import { isSameAway } from './away.ts';
import type { Filed, Frozen, WithTarget } from './buckets.ts';
import { earliest, runsUnseen, type Seen, type SlotState } from './classify.ts';
import { holdOf, isPrepared, isUndone, isUp, seconds } from './health.ts';
import type { leaseHold } from './leases.ts';
import { silentHold, unreadHold } from './node-holds.ts';

export interface Decision {
  /** What it counts as: as wanted; one of those that may be on their way at once; or neither. */
  readonly counts: 'settled' | 'updating' | 'neither';
  readonly actions: readonly Action[];
  readonly holds: readonly Hold[];
  /** Goes on for a moment, off the list of healthy copies, before it is stopped. */
  readonly noticed?: Seen;
  readonly wakeAt?: Mono;
}

export interface Rules {
  readonly now: Now;
  /** When a copy on its way will have failed. */
  readonly deadline: (target: Seen) => Mono | undefined;
  /** The source that the service belongs to. */
  readonly source: JobSource;
  /** How its copies depend on contact. */
  readonly away: Job['away'];
  /** Undefined: the copy has its lease, or needs none. */
  readonly waitsForLease: (target: Seen) => ReturnType<typeof leaseHold>;
  readonly notice: Notice;
  /** Undefined: the current copy may stop, now that its replacement is prepared. */
  readonly waitsToStop: (slot: SlotState) => Hold | undefined;
  /** False while copies of another version run that must not run beside the target. */
  readonly mayStart: boolean;
}

/** Decides without placing anything: `outdated`, `lost` and `missing` are the caller's to go on with. */
export function decideSlot(service: string, filed: Filed, rules: Rules): Decision {
  if (filed.bucket === 'frozen') return leaveAlone(service, filed);
  const { extra, target } = filed.slot;
  const drops = extra.map((seen) => drop(service, seen, 'another copy of this instance is kept'));
  const decision = decideBucket(service, filed, rules);
  const claims = target ? claim(service, target, decision.actions, rules) : [];
  return { ...decision, actions: [...drops, ...decision.actions, ...claims] };
}

/**
 * Nothing happens to it, but for copies that must not be: a second one that runs beside the one that counts, after a lost node is
 * back, does harm for as long as it goes on.
 */
function leaveAlone(service: string, { slot, hold }: Frozen): Decision {
  const { target, current, done } = slot;
  if (done) return { counts: 'settled', actions: [], holds: [] };
  const second = target?.healthy ? slot.extra.filter(({ job }) => job.want === 'run') : [];
  const actions = second.map((seen) => drop(service, seen, 'another copy of this instance is kept'));
  if (!target?.healthy || current) return { counts: 'neither', actions, holds: [hold] };
  return asWanted(target, actions);
}

function decideBucket(service: string, filed: Exclude<Filed, Frozen>, rules: Rules): Decision {
  switch (filed.bucket) {
    case 'settled':
      return asWanted(filed.slot.target, []);
    case 'done': {
      const { current } = filed.slot;
      const actions = current ? [drop(service, current, 'what is wanted is done already')] : [];
      return { counts: 'settled', actions, holds: [] };
    }
    case 'relieved':
      return relieve(service, filed.slot, rules);
    case 'starting':
      return wait(service, filed.slot, rules);
    case 'failed':
      return goOn(service, filed.slot, rules);
    case 'prepared':
      return swap(service, filed.slot, rules);
    case 'stopped':
      return revert(service, filed.slot, rules);
    case 'silent':
      return waitForNode(filed.slot, rules);
    case 'unread':
      return {
        counts: 'neither',
        actions: [],
        holds: filed.slot.unread.slice(0, 1).map((copy) => unreadHold(filed.slot.instance, copy)),
      };
    case 'outdated':
    case 'lost':
    case 'missing':
      return { counts: 'neither', actions: [], holds: [] };
  }
}

/**
 * What changes nothing in the copy changes its job alone: another source that takes it over, or another word about nodes that are
 * out of reach (for an agent that knows it).
 */
function claim(service: string, target: Seen, planned: readonly Action[], { source, away }: Rules): Action[] {
  const { job, node } = target;
  if (planned.some((action) => action.kind === 'want')) return [];
  const isOurs = job.source.name === source.name;
  const knows = node.information?.fields.includes('away') ?? false;
  if (isOurs && (isSameAway(job.away, away) || !knows)) return [];
  const why = isOurs ? 'what holds out of reach is another' : `it belongs to ${source.name} now`;
  const action = want(service, target, job.want, why);
  return [{ ...action, ...(isOurs ? {} : { source }), ...(knows ? { away: away ?? 'always' } : {}) }];
}

/** Silent for now: it is told what to do when it is back, or replaced when it is lost. */
function waitForNode({ instance, silent }: SlotState, { now }: Rules): Decision {
  const wakeAt = earliest(...silent.map(({ presence }) => presence.changesAt));
  const holds = silent.slice(0, 1).map((seen) => silentHold(instance, seen, now.mono));
  return { counts: 'neither', actions: [], holds, ...(wakeAt === undefined ? {} : { wakeAt }) };
}

/** The replacement is healthy: the copy before it goes. */
function relieve(service: string, { current, target }: WithTarget['slot'], rules: Rules): Decision {
  // Should the new one fail at its end, nobody does again what was done.
  const isDone = current?.copy.report?.status === 'completed';
  if (isDone && isUndone(target.copy, target.run, target.node)) return asWanted(target, []);
  const left = current && leave(current, rules);
  if (left) return left;
  return asWanted(target, current ? [drop(service, current, 'its replacement is healthy')] : []);
}

/** A job that runs is healthy, so that others may go on, but only its end is what was asked for. */
function asWanted(target: Seen, actions: readonly Action[]): Decision {
  if (!isUndone(target.copy, target.run, target.node)) return { counts: 'settled', actions, holds: [] };
  return { counts: 'neither', actions, holds: [progress(target, 'runs, and has not come to its end,')] };
}

/** On its way up. */
function wait(service: string, { target, current }: WithTarget['slot'], rules: Rules): Decision {
  const given = current && isCancelled(current, target) ? current : undefined;
  const left = given && leave(given, rules);
  if (left) return left;
  const actions = given ? [drop(service, given, 'it was cancelled')] : [];
  return { counts: 'updating', actions, ...waiting(target, rules) };
}

/** It may still come, but nothing waits for it: the copy before it goes, as far as others serve meanwhile. */
function goOn(service: string, slot: WithTarget['slot'], rules: Rules): Decision {
  const { target, current } = slot;
  const queued = current?.healthy ? rules.waitsToStop(slot) : undefined;
  if (queued) {
    const still = waiting(target, rules);
    return { counts: 'neither', actions: [], ...still, holds: [...still.holds, queued] };
  }
  const left = current && leave(current, rules);
  if (left) return left;
  const actions = current ? [drop(service, current, 'the update goes on without waiting')] : [];
  return { counts: 'neither', actions, ...waiting(target, rules) };
}

function waiting(target: Seen, { now, deadline, waitsForLease }: Rules): Pick<Decision, 'holds' | 'wakeAt'> {
  const lease = waitsForLease(target);
  const wakeAt = earliest(target.settlesAt, deadline(target), lease?.changesAt);
  const settlesIn = (target.settlesAt ?? now.mono) - now.mono;
  const hold = lease?.hold ?? holdOf(target.copy, target.node.record.name, settlesIn);
  return { holds: [hold], ...(wakeAt === undefined ? {} : { wakeAt }) };
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
  return { counts: 'updating', actions: [], holds: [hold], noticed: current, wakeAt: until };
}

/** Back to a copy that was stopped for another one, unless one may run where nobody can look. */
function revert(service: string, slot: WithTarget['slot'], { mayStart, now }: Rules): Decision {
  const { target, current, instance, silent, unread } = slot;
  if (runsUnseen(slot)) {
    const [first] = silent;
    const holds = first ? [silentHold(instance, first, now.mono)] : unread.map((copy) => unreadHold(instance, copy));
    return { counts: 'updating', actions: [], holds: holds.slice(0, 1) };
  }
  const makeRoom = current ? [drop(service, current, 'the copy before it runs again')] : [];
  if (!mayStart) return { counts: 'updating', actions: makeRoom, holds: [waitsForOthers(target)] };
  const run = want(service, target, 'run', 'it is wanted again');
  const hold = progress(target, 'starts again');
  return { counts: 'updating', actions: [...makeRoom, run], holds: [hold] };
}

/** Stop before start: once the new copy is prepared the old one stops, then the new one runs. */
function swap(service: string, slot: WithTarget['slot'], rules: Rules): Decision {
  const { target, current } = slot;
  const [silent] = slot.silent;
  const runs = current?.job.want === 'run';
  if (silent) return { counts: 'updating', actions: [], holds: [silentHold(slot.instance, silent, rules.now.mono)] };
  if (runs && !isPrepared(target.copy)) {
    const wakeAt = rules.deadline(target);
    const hold = holdOf(target.copy, target.node.record.name);
    return { counts: 'updating', actions: [], holds: [hold], ...(wakeAt === undefined ? {} : { wakeAt }) };
  }
  const queued = runs ? rules.waitsToStop(slot) : undefined;
  if (queued) return { counts: 'updating', actions: [], holds: [queued] };
  const left = current && runs && leave(current, rules);
  if (left) return left;
  const stop = current && runs ? [want(service, current, 'stopped', 'its replacement is prepared')] : [];
  // One node stops before it starts by itself; two nodes know nothing of each other.
  if (current && current.node.record.id !== target.node.record.id && (runs || isUp(current.copy))) {
    return { counts: 'updating', actions: stop, holds: [progress(current, 'stops, for its replacement,')] };
  }
  if (!rules.mayStart) return { counts: 'updating', actions: stop, holds: [waitsForOthers(target)] };
  const start = want(service, target, 'run', runs ? 'it is prepared' : 'nothing else runs');
  return { counts: 'updating', actions: [...stop, start], holds: [progress(target, 'starts')] };
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
  const message = `the old copy goes on until at most ${limit - 1} of the others do not serve`;
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
