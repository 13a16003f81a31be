/** How an update goes as a whole: which digest is the target now, when it failed, when it is settled. */

import { sha256 } from '../../schemas/digest.ts';
import type { Now } from '../../schemas/ports.ts';
import type { Hold } from '../../schemas/status.ts';
import type { SlotState, Target } from './classify.ts';
import type { Desired, Rollout, RolloutSeen, View } from './model.ts';
import { failureOf } from './timeout.ts';

/** The rollout that the desired state asks for now, and from when its deadlines count. */
export interface Course {
  readonly rollout: Rollout;
  readonly seen: RolloutSeen;
}

/** The rollout to go on with: the recorded one, or a new one when another digest is wanted. */
export function courseOf(view: View, { spec }: Desired, slots: number, now: Now): Course {
  const known = view.rollouts.get(spec.name);
  const fresh: RolloutSeen = { digest: spec.digest, at: now.mono };
  const last = view.rolloutSeen.get(spec.name);
  const seen = last?.digest === spec.digest ? last : fresh;
  if (known?.digest !== spec.digest) return { rollout: begun(known, spec.digest, now), seen };
  // Settled without slots proves nothing: with the first slot the digest has to show that it works.
  if (known.phase === 'settled' && known.good?.digest !== spec.digest && slots > 0) {
    const { ended: _ended, ...rest } = known;
    return { rollout: { ...rest, phase: 'progressing', started: now.wall }, seen: fresh };
  }
  return { rollout: known, seen };
}

/** The record of a rollout that begins, after the one that is known. */
export function begun(known: Rollout | undefined, digest: string, { wall }: Pick<Now, 'wall'>): Rollout {
  const { good, done } = known ?? {};
  return { digest, phase: 'progressing', started: wall, ...(good ? { good } : {}), ...(done ? { done } : {}) };
}

/** What slots should run: the wanted digest, or the last good one once the wanted one failed. */
export function targetOf({ spec }: Desired, rollout: Rollout): Target {
  const { good } = rollout;
  const onReturn = spec.disconnect?.on_return;
  const beside = onReturn === undefined ? {} : { onReturn };
  if (rollout.phase === 'rolled_back' && good)
    return { digest: good.digest, run: good.run, good: good.digest, ...beside };
  return { digest: spec.digest, run: spec.run, ...(good ? { good: good.digest } : {}), ...beside };
}

/** The rollout after the first failure among the slots, if the wanted digest is still being rolled out. */
export function afterFailure(course: Course, slots: readonly SlotState[], { spec }: Desired, now: Now): Rollout {
  const { rollout, seen } = course;
  if (rollout.phase !== 'progressing') return rollout;
  const reason = slots
    .map(({ target }) => target && failureOf(target, spec, seen, now))
    .find((failure) => failure !== undefined);
  if (reason === undefined) return rollout;
  const ended = { reason, ended: now.wall };
  const { on_failure } = spec.update;
  const hasGood = rollout.good !== undefined && rollout.good.digest !== spec.digest;
  if (!hasGood || on_failure === 'continue' || rollout.resumed) return { ...rollout, ...ended, phase: 'failed' };
  if (on_failure === 'pause') return { ...rollout, ...ended, phase: 'paused', failed: spec.digest };
  // No `ended` yet: it ends when the last good digest runs again.
  return { ...rollout, reason, phase: 'rolled_back', failed: spec.digest };
}

/**
 * The rollout once every slot that can run is as wanted. `proven`: slots that are healthy; `open`: slots that are not yet; `wanted`:
 * all of them. Where none can run nothing is shown: it goes on.
 */
export function afterSlots(
  rollout: Rollout,
  { spec }: Desired,
  slots: { readonly proven: number; readonly open: number; readonly wanted: number },
  now: Now,
): Rollout {
  if (slots.open > 0 || rollout.phase === 'paused') return rollout;
  if (rollout.phase === 'rolled_back') return rollout.ended === undefined ? { ...rollout, ended: now.wall } : rollout;
  if (slots.proven === 0 && slots.wanted > 0) return rollout;
  const proves = slots.proven > 0 && rollout.good?.digest !== spec.digest;
  if (rollout.phase === 'settled' && !proves) return rollout;
  const { failed: _failed, reason: _reason, canary: _canary, resumed: _resumed, ...rest } = rollout;
  const good = proves ? { good: { digest: spec.digest, run: spec.run } } : {};
  return { ...rest, phase: 'settled', ended: now.wall, ...good };
}

/** What is to be said about the service as a whole. */
export function rolloutHolds({ spec }: Desired, rollout: Rollout): Hold[] {
  const hint = 'push or deploy another version';
  const why = rollout.reason ?? 'the wanted digest failed';
  if (rollout.phase === 'rolled_back') {
    const state = rollout.ended === undefined ? 'is put back' : 'runs';
    return [{ code: 'ROLLED_BACK', subject: spec.name, message: `the last good version ${state}; ${why}`, hint }];
  }
  if (rollout.phase !== 'paused') return [];
  const id = pauseId(spec.name, rollout);
  const goOn = `oakctl approve ${id} goes on all the same; or ${hint}`;
  return [{ id, code: 'UPDATE_PAUSED', subject: spec.name, message: why, hint: goOn }];
}

/** What `oakctl approve` takes for a paused update: good for this service and this digest. */
function pauseId(service: string, { digest }: Rollout): string {
  return sha256(`UPDATE_PAUSED ${service} ${digest}`).slice(0, 12);
}

/** The paused update of which `id` speaks, going on: later failures do not stop it again. Undefined: no such update. */
export function resumed(
  rollouts: ReadonlyMap<string, Rollout>,
  id: string,
): { readonly service: string; readonly rollout: Rollout } | undefined {
  for (const [service, rollout] of rollouts) {
    if (rollout.phase !== 'paused' || pauseId(service, rollout) !== id) continue;
    const { failed: _failed, reason: _reason, ended: _ended, ...rest } = rollout;
    return { service, rollout: { ...rest, phase: 'progressing', resumed: true } };
  }
  return undefined;
}

/** The update does not wait for copies that failed. */
export function goesOn({ spec }: Desired, rollout: Rollout): boolean {
  return rollout.phase === 'failed' && (spec.update.on_failure === 'continue' || rollout.resumed === true);
}
