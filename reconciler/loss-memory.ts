/** Remembers in state/ which nodes were lost, so that a restart does not wait for machines that were gone already. */
import type { Context } from './context.ts';
import { presenceOf } from './core/presence.ts';

export interface LossMemory {
  /** Names of nodes that were lost when the last process stopped; empty when nothing is remembered. */
  load(): Promise<ReadonlySet<string>>;
  /** Remembers nothing more: this process hears no node any more. */
  stop(): void;
}

const file = 'lost-nodes.json';
const lookEvery = 10_000;

/**
 * Best effort by design: losing the file costs a restart at most `lost_after`. `hears`: is this process connected? Who is deaf
 * knows of no losses.
 */
export function createLossMemory(context: Context, hears: () => boolean): LossMemory {
  const { deps, world } = context;
  let written = '[]';
  let cancel = (): void => undefined;

  const look = (): void => {
    cancel = deps.clock.after(lookEvery, () => {
      const now = deps.clock.now();
      const lost =
        world.recovering || !hears()
          ? undefined
          : [...world.nodes.values()]
              .filter((node) => presenceOf(node, context.policy(), now).state === 'lost')
              .map((node) => node.record.id);
      const text = lost ? JSON.stringify(lost.sort()) : written;
      if (text !== written) {
        deps.state.write(file, text).then(
          () => {
            written = text;
          },
          // The next look tries again.
          (error: unknown) => deps.log('warn', 'state_unwritable', { why: String(error) }),
        );
      }
      look();
    });
  };

  return {
    stop: () => cancel(),
    async load() {
      look();
      try {
        const text = await deps.state.read(file);
        written = text ?? written;
        const parsed: unknown = JSON.parse(written);
        return new Set(Array.isArray(parsed) ? parsed.filter((id) => typeof id === 'string') : []);
      } catch (error) {
        deps.log('warn', 'state_unreadable', { why: String(error) });
        return new Set();
      }
    },
  };
}
