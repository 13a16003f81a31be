/** `approve` of a paused update: it goes on. Recorded durably before anybody is told. */
import type { Context } from './context.ts';
import { resumed } from './core/rollout.ts';
import { withEntry } from './records-keeper.ts';

/** Lets the paused update go on that `id` names. Undefined: no such update. */
export type Resume = (id: string, actor: string) => Promise<{ approved: string } | undefined>;

export function createResume(context: Context): Resume {
  const { keeper, world, journal, deps } = context;
  return async (id, actor) => {
    const found = resumed(world.rollouts, id);
    if (!found) return undefined;
    const { service, rollout } = found;
    const before = keeper.now.rollouts[service];
    keeper.change({ rollouts: withEntry(keeper.now.rollouts, service, rollout) });
    await keeper.saved().catch((error: unknown) => {
      keeper.change({ rollouts: withEntry(keeper.now.rollouts, service, before) });
      throw error;
    });
    // Another version was asked for meanwhile: there is nothing to go on with.
    const desired = world.desired.get(service);
    if (keeper.now.rollouts[service] !== rollout || !desired) return { approved: id };
    journal.add('approved', service, `UPDATE_PAUSED by ${actor}: the update goes on`);
    context.apply({ kind: 'rollout', service, rollout, at: deps.clock.now().mono });
    context.apply({ kind: 'desired', service, desired });
    return { approved: id };
  };
}
