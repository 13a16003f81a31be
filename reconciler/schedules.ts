/** Schedules of jobs around the planner: what records/ has of them, runs that people ask for, and jumps of the clock. */
import type { ServiceName } from '../schemas/names.ts';
import type { Context } from './context.ts';
import { savedOr, withEntry } from './records-keeper.ts';

export interface Schedules {
  /** Tells the world what records/ holds: at start. */
  load(): void;
  /** Asks for a run now. `again`: also if one is under way, which then ends. False: one is, and goes on. Durable when it resolves. */
  ask(service: ServiceName, how: { readonly actor: string; readonly again: boolean }): Promise<boolean>;
  /** Due times are times of the wall clock, and timers are not: looks whether it was set. Called every now and then. */
  tick(): void;
}

/** The clock counts as set when it went this far (ms) from where it would have gone by itself. */
const noticeable = 500;

export function createSchedules(context: Context, wake: () => void): Schedules {
  const { deps, world, keeper } = context;
  const offset = (): number => {
    const { mono, wall } = deps.clock.now();
    return wall - mono;
  };
  let last = offset();

  return {
    load() {
      for (const [service, state] of Object.entries(keeper.now.schedules))
        context.apply({ kind: 'schedule', service, state });
    },

    async ask(service, { actor, again }) {
      for (;;) {
        const before = keeper.now.schedules[service];
        // Not planned yet (it was deployed this very moment, or the reconciler recovers): it has no record to ask in.
        if (!before) return false;
        if (!again && (before.current || before.asked)) return false;
        const state = { ...before, asked: { at: deps.clock.now().wall, actor, again } };
        keeper.change({ schedules: withEntry(keeper.now.schedules, service, state) });
        await savedOr(keeper, () => {
          const { asked: _unsaid, ...rest } = keeper.now.schedules[service] ?? before;
          keeper.change({ schedules: withEntry(keeper.now.schedules, service, rest) });
        });
        const now = keeper.now.schedules[service];
        // Deleted while this was being written.
        if (!now) return true;
        // Or planned: plans do not know of it yet, and what they wrote has it no more.
        if (now !== state) continue;
        context.apply({ kind: 'schedule', service, state });
        world.dirty.add(service);
        wake();
        return true;
      }
    },

    tick() {
      const now = offset();
      if (Math.abs(now - last) < noticeable) return;
      last = now;
      for (const service of world.schedules.keys()) world.dirty.add(service);
      if (world.dirty.size > 0) wake();
    },
  };
}
