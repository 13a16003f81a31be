/** The plan of a service that somebody stopped: nothing of it runs, and what it had stays where it is, ready to start again. */
import type { Now } from '../../schemas/ports.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Action, ServicePlan } from './action.ts';
import { earliest, type Seen, seeCopies } from './classify.ts';
import { drop, want } from './decide.ts';
import type { Override } from './deviations.ts';
import type { Desired, Policy, View } from './model.ts';
import { silentHold, unreadHold } from './node-holds.ts';
import { wantedSlots } from './slots.ts';
import { withheld } from './suspends.ts';

/** Stops what runs on nodes that are there; a silent node is told when it is back. Updates wait. */
export function planStopped(view: View, desired: Desired, policy: Policy, now: Now): ServicePlan {
  const { name } = desired.spec;
  const { seen, unread } = seeCopies(view, name, policy, now, desired.spec.update.settle);
  const slots = new Set(wantedSlots(view, desired).map(({ slot }) => slot));
  const silent = seen.filter(({ presence, job }) => presence.state === 'suspect' && job.want === 'run');
  const rollout = view.rollouts.get(name);
  const wakeAt = earliest(...silent.map(({ presence }) => presence.changesAt));
  const stops = seen
    .filter(({ presence }) => presence.state === 'online')
    .flatMap((one) => stopOf(name, one, slots.has(one.copy.slot)));
  const { actions, holds } = withheld(view, stops);
  return {
    actions,
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

function stoppedHold(subject: string, stopped: Override): Hold {
  return { code: 'STOPPED', subject, message: stoppedText(stopped), hint: `oakctl start ${subject}` };
}

/** By whom, until when, and why. */
export function stoppedText({ actor, reason, until }: Pick<Override, 'actor' | 'reason' | 'until'>): string {
  const why = reason === undefined ? '' : `: ${reason}`;
  const ends = until === undefined ? 'until it is started' : `until ${new Date(until).toISOString().slice(0, 19)}Z`;
  return `stopped by ${actor} ${ends}${why}`;
}
