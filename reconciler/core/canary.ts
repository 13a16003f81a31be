/** The instances of the canary pool go first, and have to be well for a while before the others follow. */
import type { NodeId } from '../../schemas/names.ts';
import type { Mono, Now } from '../../schemas/ports.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Seen, SlotState } from './classify.ts';
import { seconds } from './health.ts';
import type { Desired, Rollout, View } from './model.ts';

export interface Canary {
  /** Slots that go first. All others wait. */
  readonly slots: ReadonlySet<number>;
  /** Where their new copies may be. */
  readonly nodes: ReadonlySet<NodeId>;
  /** When they have been well for long enough, if they stay so. */
  readonly passesAt?: Mono;
  /** Why the others wait. */
  readonly message: string;
}

/**
 * `passed`: the others may follow. Undefined: the update has no canary, or it is not on its way. `continue` goes on past copies that
 * fail, but not past the canary. `recreate` has none: two versions never run at once.
 */
export function canaryOf(
  view: View,
  { spec }: Desired,
  rollout: Rollout,
  slots: readonly SlotState[],
  now: Now,
): Canary | 'passed' | undefined {
  const { canary, settle, order, on_failure } = spec.update;
  const isUpdate = rollout.good !== undefined && rollout.good.digest !== spec.digest;
  const goesPast = rollout.phase === 'failed' && on_failure === 'continue' && !rollout.resumed;
  const isOnItsWay = rollout.phase === 'progressing' || goesPast;
  if (!canary || order === 'recreate' || !isOnItsWay || rollout.canary || !isUpdate) return undefined;
  const isIn = (seen: Seen | undefined): boolean => seen?.node.listing?.pool === canary.pool;
  const first = slots.filter(
    ({ target, current, silent, lost, unread }) =>
      [target, current, ...silent].some(isIn) ||
      // A version that took its node with it must not look like a pool where nothing runs.
      lost.some((seen) => isIn(seen) && seen.job.digest === spec.digest) ||
      unread.some(({ node }) => view.nodes.get(node)?.listing?.pool === canary.pool),
  );
  // Nothing of it runs in that pool: there is nothing to watch.
  if (first.length === 0) return 'passed';
  const well = first.filter(({ target, current }) => target?.healthy && !current);
  const passesAt = well.length === first.length ? wellSince(well, settle, now) + canary.wait : undefined;
  if (passesAt !== undefined && now.mono >= passesAt) return 'passed';
  const left = passesAt === undefined ? '' : `, and must be for ${seconds(passesAt - now.mono)} more`;
  return {
    slots: new Set(first.map(({ slot }) => slot)),
    nodes: new Set(
      [...view.nodes.values()].flatMap(({ listing, record }) => (listing?.pool === canary.pool ? record.id : [])),
    ),
    message: `${well.length} of ${first.length} in pool ${canary.pool} updated and healthy${left}`,
    ...(passesAt === undefined ? {} : { passesAt: passesAt as Mono }),
  };
}

/** By the age that their nodes report: a restart of the reconciler begins nothing anew. */
function wellSince(slots: readonly SlotState[], settle: number, now: Now): number {
  const moments = slots.map(({ target }) => (target?.copy.since ?? now.mono) + (target?.run.healthcheck ? 0 : settle));
  return Math.max(...moments);
}

/** What an instance outside the pool waits for. */
export function canaryHold({ instance }: SlotState, { message }: Canary): Hold {
  return { code: 'CANARY', subject: instance, message };
}
