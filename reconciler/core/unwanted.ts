/** Copies of a service that no source asks for: removed only when it is explained why they are not wanted any more. */
import { compareCopyIds, type ServiceName } from '../../schemas/names.ts';
import type { Now } from '../../schemas/ports.ts';
import { directSource, type JobSource } from '../../schemas/spec.ts';
import type { Hold } from '../../schemas/status.ts';
import type { ServicePlan } from './action.ts';
import { earliest, type Seen, seeCopies } from './classify.ts';
import { drop } from './decide.ts';
import type { Policy, View } from './model.ts';
import { silentHold, unreadHold } from './node-holds.ts';
import { suspendedHold, suspendOfNode } from './suspends.ts';
import { ancestryKey } from './world.ts';

/** Tombstoned copies and jobs of older commits go; what nobody explains stays and is shown. */
export function planUnwanted(view: View, service: ServiceName, policy: Policy, now: Now): ServicePlan {
  const { seen, unread } = seeCopies(view, service, policy, now);
  const judged = [...seen]
    .sort((a, b) => a.copy.slot - b.copy.slot)
    .map((one) => ({ one, hold: whyKept(view, service, one) }));
  const goes = judged.filter(({ hold }) => hold === undefined).map(({ one }) => one);
  const silent = goes.filter(({ presence }) => presence.state === 'suspect');
  const wakeAt = earliest(...silent.map(({ presence }) => presence.changesAt));
  const kept = judged.flatMap(({ hold }) => (hold ? [hold] : []));
  const rollout = view.rollouts.get(service);
  // Its source may only not have been read yet: what is known of its updates goes with the last copy that is kept.
  const keepsRollout = kept.length > 0 || unread.length > 0 || isUnread(view, rollout);
  return {
    actions: goes
      .filter(({ presence }) => presence.state === 'online')
      .map((one) => drop(service, one, 'the service is no longer wanted')),
    holds: [
      ...distinct(kept),
      ...silent.map((one) => silentHold(one.copy.instance, one, now.mono)),
      ...unread.map((copy) => unreadHold(copy.instance, copy)),
    ],
    settled: 0,
    ...(rollout && keepsRollout ? { rollout } : {}),
    ...keptSchedule(view, service),
    ...(wakeAt === undefined ? {} : { wakeAt }),
  };
}

/** What is known of its schedule, and of what it did, is kept until its source was read: it may be wanted all the same. */
function isUnread({ heads }: View, known: { readonly source?: string } | undefined): boolean {
  return known?.source !== undefined && known.source !== directSource && !heads.has(known.source);
}

function keptSchedule(view: View, service: ServiceName): Pick<ServicePlan, 'schedule'> {
  const schedule = view.schedules.get(service);
  return schedule && (isUnread(view, schedule) || view.held.has(service)) ? { schedule } : {};
}

/** Undefined: the copy may go. */
function whyKept(view: View, service: ServiceName, { copy, job }: Seen): Hold | undefined {
  const tombstone = view.tombstones.get(service);
  if (tombstone !== undefined && compareCopyIds(copy.copy, tombstone) <= 0) return undefined;
  const held = view.held.get(service);
  if (held) return held;
  const suspend = suspendOfNode(view, copy.node);
  if (suspend) return suspendedHold(view, copy.instance, suspend);
  const head = view.heads.get(job.source.name);
  if (job.source.name === directSource || head === undefined || job.source.commit === undefined) {
    return orphaned(service, job.source);
  }
  const ancestor = job.source.commit === head || view.ancestry.get(ancestryKey(job.source));
  return ancestor === true ? undefined : unexplained(service, job.source, head, ancestor);
}

function orphaned(service: ServiceName, source: JobSource): Hold {
  const from =
    source.name === directSource
      ? 'deployed directly, and no record of it exists'
      : `from source ${source.name}, which has not been read`;
  return {
    code: 'ORPHANED',
    subject: service,
    message: `it runs, ${from}: kept`,
    hint: `deploy it again to adopt it, or: oakctl delete ${service}`,
  };
}

function unexplained(service: ServiceName, source: JobSource, head: string, ancestor: boolean | undefined): Hold {
  const commit = `${source.commit?.slice(0, 10)} of ${source.name}`;
  return {
    code: 'ANCESTRY_UNKNOWN',
    subject: service,
    message:
      ancestor === false
        ? `it came from ${commit}, which is not in the history of the head ${head.slice(0, 10)}: kept`
        : `it came from ${commit}; whether that is in the history of the head is not known yet`,
    hint: `oakctl delete ${service}`,
  };
}

/** One hold per code and subject: copies of one service are mostly kept for one reason. */
function distinct(holds: readonly Hold[]): Hold[] {
  return [...new Map(holds.map((hold) => [`${hold.code} ${hold.subject} ${hold.message}`, hold])).values()];
}
