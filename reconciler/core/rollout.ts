/** How an update goes as a whole: which digest is the target now, when it failed, when it is settled. */
import type { Mono, Now } from '../../schemas/ports.ts';
import type { ServiceSpec } from '../../schemas/spec.ts';
import type { Hold } from '../../schemas/status.ts';
import { earliest, type Seen, type SlotState, type Target } from './classify.ts';
import { failsAt, seconds } from './health.ts';
import type { Desired, Rollout, View } from './model.ts';

/** The rollout that the desired state asks for now, and since when this process has seen it. */
export interface Course {
  readonly rollout: Rollout;
  readonly seenAt: Mono;
}

/** The rollout to go on with: the recorded one, or a new one when another digest is wanted. */
export function courseOf(view: View, { spec }: Desired, slots: number, now: Now): Course {
  const known = view.rollouts.get(spec.name);
  const seen = view.rolloutSeen.get(spec.name);
  const seenAt = seen?.digest === spec.digest ? seen.at : now.mono;
  if (known?.digest !== spec.digest) {
    const good = known?.good ? { good: known.good } : {};
    return { rollout: { digest: spec.digest, phase: 'progressing', started: now.wall, ...good }, seenAt };
  }
  // Settled without slots proves nothing: with the first slot the digest has to show that it works.
  if (known.phase === 'settled' && known.good?.digest !== spec.digest && slots > 0) {
    const { ended: _ended, ...rest } = known;
    return { rollout: { ...rest, phase: 'progressing', started: now.wall }, seenAt: now.mono };
  }
  return { rollout: known, seenAt };
}

/** What slots should run: the wanted digest, or the last good one once the wanted one failed. */
export function targetOf({ spec }: Desired, rollout: Rollout): Target {
  const { good } = rollout;
  if (rollout.phase === 'rolled_back' && good) return { digest: good.digest, run: good.run, good: good.digest };
  return { digest: spec.digest, run: spec.run, ...(good ? { good: good.digest } : {}) };
}

/** When a copy of the new digest has failed if it is not healthy by then; undefined while nothing about it is known. */
export function deadlineOf({ copy }: Seen, spec: ServiceSpec, seenAt: Mono): Mono | undefined {
  if (copy.report?.status === 'unknown') return undefined;
  const { progress } = copy;
  const timeout = progress === undefined ? undefined : ((Math.max(progress, seenAt) + spec.update.timeout) as Mono);
  return earliest(timeout, failsAt(copy));
}

/** Why the copy counts as failed; undefined while it may still come. */
export function failureOf(seen: Seen, spec: ServiceSpec, seenAt: Mono, now: Now): string | undefined {
  if (seen.healthy) return undefined;
  const { copy, node } = seen;
  const where = `${copy.instance} on ${node.record.name}`;
  const detail = copy.report?.reason ? `${copy.report.reason.code} ${copy.report.reason.message}` : copy.report?.status;
  const deadline = deadlineOf(seen, spec, seenAt);
  if (deadline === undefined || now.mono < deadline) return undefined;
  if (deadline === failsAt(copy)) return `${where}: ${detail}`;
  return `${where}: not healthy within ${seconds(spec.update.timeout)} (${detail ?? 'not reported'})`;
}

/** The rollout after the first failure among the slots, if the wanted digest is still being rolled out. */
export function afterFailure(course: Course, slots: readonly SlotState[], { spec }: Desired, now: Now): Rollout {
  const { rollout, seenAt } = course;
  if (rollout.phase !== 'progressing') return rollout;
  const reason = slots
    .map(({ target }) => target && failureOf(target, spec, seenAt, now))
    .find((failure) => failure !== undefined);
  if (reason === undefined) return rollout;
  const ended = { reason, ended: now.wall };
  const { on_failure } = spec.update;
  const hasGood = rollout.good !== undefined && rollout.good.digest !== spec.digest;
  if (!hasGood || on_failure === 'continue') return { ...rollout, ...ended, phase: 'failed' };
  if (on_failure === 'pause') return { ...rollout, ...ended, phase: 'paused', failed: spec.digest };
  // No `ended` yet: it ends when the last good digest runs again.
  return { ...rollout, reason, phase: 'rolled_back', failed: spec.digest };
}

/** The rollout once every slot that can run is as wanted. `proven`: slots that are healthy; `open`: slots that are not yet. */
export function afterSlots(
  rollout: Rollout,
  { spec }: Desired,
  slots: { readonly proven: number; readonly open: number },
  now: Now,
): Rollout {
  if (slots.open > 0 || rollout.phase === 'paused') return rollout;
  if (rollout.phase === 'rolled_back') return rollout.ended === undefined ? { ...rollout, ended: now.wall } : rollout;
  const proves = slots.proven > 0 && rollout.good?.digest !== spec.digest;
  if (rollout.phase === 'settled' && !proves) return rollout;
  const { failed: _failed, reason: _reason, ...rest } = rollout;
  const good = proves ? { good: { digest: spec.digest, run: spec.run } } : {};
  return { ...rest, phase: 'settled', ended: now.wall, ...good };
}

/** What is to be said about the service as a whole. */
export function rolloutHolds({ spec }: Desired, rollout: Rollout): Hold[] {
  const hint = 'push or deploy another version';
  const why = rollout.reason ?? 'the wanted digest failed';
  if (rollout.phase === 'rolled_back') {
    return [{ code: 'ROLLED_BACK', subject: spec.name, message: `the last good version runs; ${why}`, hint }];
  }
  if (rollout.phase === 'paused') return [{ code: 'UPDATE_PAUSED', subject: spec.name, message: why, hint }];
  return [];
}
