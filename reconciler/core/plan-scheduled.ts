/**
 * The plan of a job with a schedule. A run is a set of new copies, placed, watched and healed as those of any one-shot service;
 * between two runs nothing is wanted, and the copies of the last one are kept, stopped, for their logs.
 */
import { copyId, type ServiceName } from '../../schemas/names.ts';
import type { Now } from '../../schemas/ports.ts';
import type { Schedule } from '../../schemas/spec.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Action, ServicePlan } from './action.ts';
import { classify } from './buckets.ts';
import { bury } from './buried.ts';
import { earliest, type Seen, type Sight, seeCopies, survey, type Target } from './classify.ts';
import { copyKey } from './copy-index.ts';
import { drop, want } from './decide.ts';
import { decideSlots, type SlotsContext } from './decide-slots.ts';
import { awaitedBy } from './dependencies.ts';
import { type Followed, followSchedule, stateFor, suspend } from './follow-schedule.ts';
import { isUp } from './health.ts';
import type { Copy, Desired, Policy, Rollout, View } from './model.ts';
import { isOf, progressOf, type RunCopies } from './run-progress.ts';
import { formatWall, type JobRun, type ScheduleState } from './runs.ts';
import { type WantedSlot, wantedSlots } from './slots.ts';
import { planStopped } from './stopped.ts';
import { freezesOn } from './suspended.ts';
import { withheld } from './suspends.ts';

type Job = Omit<SlotsContext, 'rollout' | 'seen' | 'target' | 'mayStart' | 'isOver'>;

/** Plans one service that has this schedule. */
export function planScheduled(view: View, desired: Desired, schedule: Schedule, policy: Policy, now: Now): ServicePlan {
  const { name, digest } = desired.spec;
  const known = view.schedules.get(name);
  const asks = { schedule, source: desired.source.name };
  const begun = stateFor(known, asks, now, () => isBehind(view, now));
  if (desired.stopped) {
    const { state, news } = suspend(known ?? begun, schedule, now);
    return { ...planStopped(view, desired, policy, now), schedule: state, news };
  }
  const wanted = wantedSlots(view, desired).map(withoutWay);
  const all = seeCopies(view, name, policy, now, desired.spec.update.settle);
  const { living, burial } = bury(view, name, all);
  const state = withFound(begun, known === undefined, living, now);
  const sight = state.current && progressOf(wanted, ofRun(state.current, living), now);
  const asked = { ...asks, digest, instances: wanted.length, mark: copyId(view.fence) };
  const followed = followSchedule(state, asked, sight?.progress, now);
  const { current } = followed.state;
  const job = { view, desired, policy, now };
  const part = current ? planRun(job, current, wanted, living) : planRest(job, wanted, living);
  const { actions, holds: suspended } = withheld(view, part.actions);
  const held = view.held.get(name);
  const wakeAt = earliest(part.wakeAt, followed.wakeAt, sight?.wakeAt);
  return {
    ...part,
    actions: [...actions, ...burial],
    holds: [
      ...(held ? [held] : []),
      ...(current ? [] : [scheduledHold(name, schedule, followed)]),
      ...part.holds,
      ...suspended,
    ],
    schedule: current
      ? { ...followed.state, current: { ...current, digest: part.digest ?? current.digest } }
      : followed.state,
    news: followed.news,
    ...(followed.next === undefined ? {} : { nextRun: followed.next }),
    ...(wakeAt === undefined ? {} : { wakeAt }),
  };
}

/** The clock says a time before any node joined. */
function isBehind({ nodes }: View, { wall }: Now): boolean {
  for (const { record } of nodes.values()) if (record.joined <= wall) return false;
  return true;
}

/** A run is not moved while it goes on; where it was told to be counts for the next one, with its `to`. */
function withoutWay({ moving: _moving, after: _after, ...slot }: WantedSlot): WantedSlot {
  return slot;
}

/** Its own copies. What it did is on the record of runs. */
function ofRun(run: JobRun, { seen, unread, ended }: Sight): RunCopies {
  const isOwn = (copy: Copy): boolean => isOf(run, copy);
  return { seen: seen.filter(({ copy }) => isOwn(copy)), unread: unread.filter(isOwn), ended: ended.filter(isOwn) };
}

/** Nothing is on record, and a job runs: it ran once, without a schedule, or the record was lost. It goes on as a run. */
function withFound(state: ScheduleState, isNew: boolean, { seen }: Sight, now: Now): ScheduleState {
  const found = isNew && seen.find(({ copy, job, run }) => run.one_shot && job.want === 'run' && !hasEnded(copy));
  if (!found) return state;
  const { digest } = found.job;
  return {
    ...state,
    current: { due: now.wall, cause: 'asked', started: now.wall, digest, after: copyId({ epoch: 0, gen: 0 }) },
  };
}

function hasEnded({ report }: Copy): boolean {
  return report?.status === 'completed' || (report?.status === 'failed' && report.exit_code !== undefined);
}

type Part = ServicePlan & { readonly digest?: string };

/** The copies of the run are decided as those of any service that is through with its update: nothing is rolled back. */
function planRun(job: Job, current: JobRun, wanted: readonly WantedSlot[], copies: Sight): Part {
  const { view, desired, now } = job;
  const { name } = desired.spec;
  const own = ofRun(current, copies);
  const { open } = progressOf(wanted, own, now);
  const old = clearOld(
    job,
    copies.seen.filter(({ copy }) => !isOf(current, copy)),
  );
  const slots = wanted.filter(({ slot }) => open.has(slot) && !old.blocked.has(slot));
  const target = targetOf(desired, current, own);
  const context = contextOf(job, target);
  const present = own.seen.filter(({ presence }) => presence.state === 'online');
  const stays = slots.map((slot) => (present.some(({ copy }) => copy.slot === slot.slot) ? withoutSeat(slot) : slot));
  const unread = copies.unread.filter((copy) => isOf(current, copy) || isUp(copy));
  const found = survey(stays, { seen: [...own.seen, ...old.silent], unread }, target);
  const decided = decideSlots(
    context,
    classify(found, { isOver: context.isOver, freezes: freezesOn(view, name) }).wanted,
  );
  const isWaiting = decided.holds.some(({ code }) => code === 'DEPENDENCY_WAITING');
  const wakeAt = earliest(decided.wakeAt, context.awaited?.wakeAt);
  return {
    actions: [...old.actions, ...decided.actions, ...dropSurplus(name, present, wanted, open)],
    holds: [...old.holds, ...decided.holds],
    settled: decided.settled + wanted.length - open.size,
    digest: target.digest,
    noticed: decided.noticed.map(({ copy }) => copyKey(copy.instance, copy.copy)),
    ...(context.awaited && isWaiting ? { waitsFor: context.awaited.names } : {}),
    ...(wakeAt === undefined ? {} : { wakeAt }),
  };
}

function withoutSeat({ to: _to, ...slot }: WantedSlot): WantedSlot {
  return slot;
}

/** A run goes on with the version with which it began, as long as anybody knows that. */
function targetOf({ spec }: Desired, { digest }: JobRun, { seen }: Pick<Sight, 'seen'>): Target {
  const run = digest === spec.digest ? undefined : seen.find(({ job }) => job.digest === digest)?.run;
  return run ? { digest, run } : { digest: spec.digest, run: spec.run };
}

function contextOf(job: Job, target: Target): SlotsContext {
  const { view, desired, policy, now } = job;
  const hasCompleted = view.schedules.get(desired.spec.name)?.runs.some(({ outcome }) => outcome === 'completed');
  const rollout: Rollout = {
    digest: target.digest,
    phase: 'settled',
    started: now.wall,
    ...(hasCompleted ? { good: target } : {}),
  };
  const awaited = awaitedBy(view, desired, rollout, policy, now);
  const seen = { digest: target.digest, at: now.mono };
  const isOver = (): boolean => false;
  return { ...job, rollout, seen, target, isOver, mayStart: true, ...(awaited ? { awaited } : {}) };
}

interface Cleared {
  readonly actions: readonly Action[];
  readonly holds: readonly Hold[];
  /** Slots that wait until a copy of an earlier run has stopped. */
  readonly blocked: ReadonlySet<number>;
  /** Copies of earlier runs that may go on where nobody hears them. */
  readonly silent: readonly Seen[];
}

/** Copies of earlier runs go before those of this one come: one at a time. */
function clearOld({ desired }: Job, old: readonly Seen[]): Cleared {
  const { name } = desired.spec;
  const here = old.filter(({ presence }) => presence.state === 'online');
  const up = here.filter(({ copy }) => isUp(copy));
  return {
    actions: here.flatMap((seen) => clear(name, seen, 'the next run begins')),
    holds: up.map(({ copy, node }) => ({
      code: 'IN_PROGRESS',
      subject: copy.instance,
      message: `the run before it stops first, on ${node.record.name}`,
    })),
    blocked: new Set(up.map(({ copy }) => copy.slot)),
    silent: old.filter(({ presence, copy, job }) => {
      return presence.state === 'suspect' && !hasEnded(copy) && (job.want === 'run' || isUp(copy));
    }),
  };
}

/** It stops, and goes when it has: until then it is known, and the next run waits for it. */
function clear(service: ServiceName, seen: Seen, reason: string): Action[] {
  if (!isUp(seen.copy)) return [drop(service, seen, reason)];
  return seen.job.want === 'stopped' ? [] : [want(service, seen, 'stopped', reason)];
}

/** Own copies that nothing is kept for: of slots that left, or beside the one that came to its end. */
function dropSurplus(
  service: ServiceName,
  present: readonly Seen[],
  wanted: readonly WantedSlot[],
  open: ReadonlySet<number>,
): Action[] {
  const slots = new Set(wanted.map(({ slot }) => slot));
  const left = present.filter(({ copy }) => !slots.has(copy.slot));
  const beside = wanted.flatMap(({ slot }) => {
    if (open.has(slot)) return [];
    const copies = present.filter(({ copy }) => copy.slot === slot);
    const kept = copies.find(({ copy }) => copy.report?.status === 'completed') ?? copies[0];
    return copies.filter((one) => one !== kept);
  });
  return [
    ...left.flatMap((seen) => clear(service, seen, 'the slot is no longer wanted')),
    ...beside.flatMap((seen) => clear(service, seen, 'the run has ended elsewhere')),
  ];
}

/** No run: the newest copy of each slot is kept, and stopped, so that nobody starts it again. */
function planRest({ desired }: Job, wanted: readonly WantedSlot[], { seen }: Sight): Part {
  const { name } = desired.spec;
  const slots = new Set(wanted.map(({ slot }) => slot));
  const here = seen.filter(({ presence }) => presence.state === 'online');
  const isKept = ({ copy, node, run }: Seen, index: number): boolean =>
    slots.has(copy.slot) &&
    run.one_shot === true &&
    node.record.cordon?.drain === undefined &&
    here.findIndex((other) => other.copy.slot === copy.slot) === index;
  return {
    actions: here.flatMap((one, index): Action[] => {
      if (!isKept(one, index)) return clear(name, one, 'no run needs it any more');
      return one.job.want === 'stopped' ? [] : [want(name, one, 'stopped', 'its run has ended')];
    }),
    holds: [],
    settled: wanted.length,
  };
}

function scheduledHold(subject: ServiceName, { cron, time_zone }: Schedule, { next }: Followed): Hold {
  const until = next === undefined ? 'and it has no next time' : `until ${formatWall(next)}`;
  const message = `waits for its schedule ${until} (${cron}, ${time_zone})`;
  return { code: 'SCHEDULED', subject, message, hint: `oakctl start ${subject} runs it now` };
}
