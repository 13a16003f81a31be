/** The plan of a service that somebody stopped: nothing of it runs, and what it had stays where it is, ready to start again. */
import type { Now } from '../../schemas/ports.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Action, ServicePlan } from './action.ts';
import { shown } from './admit.ts';
import { bury } from './buried.ts';
import { earliest, type Seen, seeCopies } from './classify.ts';
import { drop, want } from './decide.ts';
import type { Retired } from './deviations.ts';
import type { Desired, Policy, View } from './model.ts';
import { silentHold, unreadHold } from './node-holds.ts';
import { wantedSlots } from './slots.ts';
import { withheld } from './suspends.ts';

/** Stops what runs on nodes that are there; a silent node is told when it is back. Updates wait. */
export function planStopped(view: View, desired: Desired, policy: Policy, now: Now): ServicePlan {
  const { name } = desired.spec;
  const all = seeCopies(view, name, policy, now, desired.spec.update.settle);
  const { living, burial } = bury(view, name, all);
  const { seen, unread } = living;
  const slots = new Set(wantedSlots(view, desired).map(({ slot }) => slot));
  const silent = seen.filter(({ presence, job }) => presence.state === 'suspect' && job.want === 'run');
  const rollout = view.rollouts.get(name);
  const wakeAt = earliest(...silent.map(({ presence }) => presence.changesAt));
  const stops = seen
    .filter(({ presence }) => presence.state === 'online')
    .flatMap((one) => stopOf(name, one, slots.has(one.copy.slot)));
  const { actions, holds } = withheld(view, stops);
  return {
    actions: [...actions, ...burial],
    holds: [
      ...(desired.stopped ? [stoppedHold(name, desired.stopped)] : []),
      ...holds,
      ...silent.map((one) => silentHold(one.copy.instance, one, now.mono)),
      ...unread.map((copy) => unreadHold(copy.instance, copy)),
    ],
    settled: 0,
    ...(rollout ? { rollout } : {}),
    ...(wakeAt === undefined ? {} : { wakeAt }),
  };
}

/** What never ran goes: its turn comes again. A one-shot copy that is done stays as it is. */
function stopOf(service: string, seen: Seen, isWanted: boolean): Action[] {
  if (!isWanted) return [drop(service, seen, 'the slot is no longer wanted')];
  if (seen.job.want === 'prepared') return [drop(service, seen, 'the service is stopped')];
  if (seen.job.want === 'stopped' || seen.copy.report?.status === 'completed') return [];
  return [want(service, seen, 'stopped', 'the service is stopped')];
}

/** Its source removed it, and nobody stopped it. */
export function isRetired(stopped: NonNullable<Desired['stopped']>): stopped is Retired {
  return !('change' in stopped);
}

function stoppedHold(subject: string, stopped: NonNullable<Desired['stopped']>): Hold {
  const message = stoppedText(stopped);
  if (isRetired(stopped)) return { code: 'REMOVED_BY_GIT', subject, message, hint: `oakctl undelete ${subject}` };
  return { code: 'STOPPED', subject, message, hint: `oakctl start ${subject}` };
}

/** By whom, until when, and why. */
export function stoppedText(stopped: NonNullable<Desired['stopped']>): string {
  if (isRetired(stopped))
    return `removed by git at ${shown(stopped.commit)}: stopped, and gone ${stopped.until === undefined ? 'later' : `at ${moment(stopped.until)}`}`;
  const { actor, reason, until } = stopped;
  const why = reason === undefined ? '' : `: ${reason}`;
  const ends = until === undefined ? 'until it is started' : `until ${moment(until)}`;
  return `stopped by ${actor} ${ends}${why}`;
}

function moment(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}
