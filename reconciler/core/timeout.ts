/** When a copy that is on its way has failed, and how much of that time is remembered over a restart of the reconciler. */
import type { Mono, Now } from '../../schemas/ports.ts';
import type { ServiceSpec } from '../../schemas/spec.ts';
import { earliest, type Seen, type SlotState } from './classify.ts';
import { failsAt, isPrepared, seconds } from './health.ts';
import type { Rollout, RolloutSeen } from './model.ts';

/** The waiting is written down in this many steps of the update timeout, each of at least a second. */
const stepsOfTimeout = 20;
const leastStep = 1_000;

/** When a copy of the new digest has failed if it is not healthy by then; undefined while nothing about it is known. */
export function deadlineOf(copy: Seen, spec: ServiceSpec, seen: RolloutSeen): Mono | undefined {
  const last = lastStepOf(copy, seen);
  const timeout = last === undefined ? undefined : ((last + spec.update.timeout) as Mono);
  return timeout === undefined ? undefined : earliest(timeout, failsAt(copy.copy));
}

/** The last step of a copy that we wait for; undefined: we know nothing of it, or it waits for us. */
function lastStepOf({ copy, job }: Seen, seen: RolloutSeen): Mono | undefined {
  if (copy.report?.status === 'unknown' || (job.want === 'prepared' && isPrepared(copy))) return undefined;
  if (copy.report?.reason?.code === 'LEASE_WAITING') return undefined;
  const { progress, report } = copy;
  if (progress === undefined) return report && seen.at;
  return seen.restored ? progress : (Math.max(progress, seen.at) as Mono);
}

/** Why the copy counts as failed; undefined while it may still come. */
export function failureOf(target: Seen, spec: ServiceSpec, seen: RolloutSeen, now: Now): string | undefined {
  // What was stopped is not tried: its time begins when it is to run again.
  if (target.healthy || target.job.want === 'stopped') return undefined;
  const { copy, node } = target;
  const where = `${copy.instance} on ${node.record.name}`;
  const detail = copy.report?.reason ? `${copy.report.reason.code} ${copy.report.reason.message}` : copy.report?.status;
  const deadline = deadlineOf(target, spec, seen);
  if (deadline === undefined || now.mono < deadline) return undefined;
  if (deadline === failsAt(copy)) return `${where}: ${detail}`;
  return `${where}: not healthy within ${seconds(spec.update.timeout)} (${detail ?? 'not reported'})`;
}

/** The rollout with what its copies have waited for so far, and when that will be more. */
export function countWaiting(
  rollout: Rollout,
  slots: readonly SlotState[],
  spec: ServiceSpec,
  seen: RolloutSeen,
  now: Now,
): { readonly rollout: Rollout; readonly wakeAt?: Mono } {
  if (rollout.phase !== 'progressing') return { rollout: withoutWaiting(rollout) };
  const steps = slots.flatMap(({ target }) => (target && !target.healthy ? (lastStepOf(target, seen) ?? []) : []));
  if (steps.length === 0) {
    const isUnknown = slots.some(({ silent, unread }) => silent.length > 0 || unread.length > 0);
    return { rollout: isUnknown ? rollout : withoutWaiting(rollout) };
  }
  const last = Math.max(...steps);
  const step = Math.max(leastStep, spec.update.timeout / stepsOfTimeout);
  const waited = Math.floor((now.mono - last) / step) * step;
  const wakeAt = (last + waited + step) as Mono;
  return { rollout: waited > 0 ? { ...rollout, waited } : withoutWaiting(rollout), wakeAt };
}

function withoutWaiting(rollout: Rollout): Rollout {
  if (rollout.waited === undefined) return rollout;
  const { waited: _waited, ...rest } = rollout;
  return rest;
}
