/** `approve` of a paused update: it goes on. Recorded durably before anybody is told. */
import type { Context } from './context.ts';
import { resumed } from './core/rollout.ts';
import { savedOr, withEntry } from './records-keeper.ts';

/** Lets the paused update go on that `id` names. Undefined: no such update. */
export type Resume = (id: string, actor: string) => Promise<{ approved: string } | undefined>;

export function createResume(context: Context): Resume {
  const { keeper, world, journal, deps } = context;
  return async (id, actor) => {
    let found = resumed(world.rollouts, id);
    if (!found) return undefined;
    // Not found any more: another version was asked for meanwhile, and there is nothing to go on with.
    for (; found; found = resumed(world.rollouts, id)) {
      const { service, rollout } = found;
      const before = keeper.now.rollouts[service];
      const put = (next: typeof before): void =>
        keeper.change({ rollouts: withEntry(keeper.now.rollouts, service, next) });
      put(rollout);
      await savedOr(keeper, () => {
        if (keeper.now.rollouts[service] === rollout) put(before);
      });
      // A plan that was made while the disk wrote knows only of the pause, and its record took the place of ours.
      if (keeper.now.rollouts[service] !== rollout) continue;
      const desired = world.desired.get(service);
      if (!desired) break;
      journal.add('approved', service, `UPDATE_PAUSED by ${actor}: the update goes on`);
      context.apply({ kind: 'rollout', service, rollout, at: deps.clock.now().mono });
      context.apply({ kind: 'desired', service, desired });
      break;
    }
    return { approved: id };
  };
}
