/** Moves and restarts that come to nothing: the new copy of what ran well before does not become healthy. */
import type { Mono, Now } from '../../schemas/ports.ts';
import { earliest, type SlotState } from './classify.ts';
import type { StuckMove } from './deviations.ts';
import type { Desired } from './model.ts';
import type { Course } from './rollout.ts';
import { deadlineOf, failureOf } from './timeout.ts';

export interface Moves {
  readonly stuck: readonly StuckMove[];
  /** When the next one will have failed. */
  readonly wakeAt?: Mono;
}

/** While a digest is rolled out its failures are the rollout's; afterwards a copy that fails elsewhere is the move's. */
export function judgeMoves(slots: readonly SlotState[], { spec }: Desired, course: Course, now: Now): Moves {
  const { rollout, seen } = course;
  if (rollout.phase === 'progressing' || rollout.phase === 'paused') return { stuck: [] };
  const moving = slots.flatMap(({ instance, target, current }) =>
    target && current && !target.healthy && target.job.digest === current.job.digest
      ? [{ instance, target, current }]
      : [],
  );
  const stuck = moving.flatMap(({ instance, target, current }) => {
    const reason = failureOf(target, spec, seen, now);
    return reason === undefined
      ? []
      : [
          {
            instance,
            node: current.node.record.id,
            digest: target.job.digest,
            reason: reason.replace(`${instance} `, ''),
          },
        ];
  });
  const wakeAt = earliest(
    ...moving.map(({ target }) => deadlineOf(target, spec, seen)).filter((at) => at !== undefined && at > now.mono),
  );
  return { stuck, ...(wakeAt === undefined ? {} : { wakeAt }) };
}
