/** After a restore: what was decided later than the backup is known from ledgers only, and counts for more than old records. */
import type { Part } from '../schemas/assignment.ts';
import type { NodeId } from '../schemas/names.ts';
import type { Context } from './context.ts';
import { homesIn, outdatedBy } from './core/restored.ts';
import { withEntry } from './records-keeper.ts';

export interface Restoration {
  /** The ledger of a node is about to become its part: records that it proves old are given up, and what runs is kept as it is. */
  adopting(node: NodeId, part: Part): void;
  /** What the nodes know has been heard. */
  recovered(): void;
}

export function createRestoration(context: Context): Restoration {
  const { deps, keeper } = context;
  return {
    adopting(node, part) {
      for (const service of outdatedBy(part, keeper.now)) {
        const { direct, rollouts, schedules } = keeper.now;
        keeper.change({
          direct: withEntry(direct, service, undefined),
          rollouts: withEntry(rollouts, service, undefined),
          schedules: withEntry(schedules, service, undefined),
        });
        context.apply({ kind: 'rollout', service, at: deps.clock.now().mono });
        context.apply({ kind: 'schedule', service });
        context.apply({ kind: 'desired', service });
        deps.log('warn', 'record_outdated', { service, node, why: 'what runs was decided after the backup: kept' });
      }
      const homes = homesIn(part, node, keeper.now);
      for (const [instance, home] of Object.entries(homes)) context.apply({ kind: 'home', instance, node: home });
      if (Object.keys(homes).length > 0) keeper.change({ homes: { ...keeper.now.homes, ...homes } });
    },
    recovered() {
      if (keeper.now.restored !== undefined) keeper.change({ restored: undefined });
    },
  };
}
