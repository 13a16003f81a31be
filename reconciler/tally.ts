/**
 * Counts what the cluster went through, for people and for other systems' clients; kept in records/. Requests are counted where they are
 * recorded (direct.ts).
 */
import type { ClusterEvent } from '../schemas/cluster-events.ts';
import type { CopyId, InstanceName } from '../schemas/names.ts';
import type { Context } from './context.ts';
import { copyKey } from './core/copy-index.ts';
import type { Copy } from './core/model.ts';
import { counted, type Tally } from './core/records.ts';
import { onceSaved } from './records-keeper.ts';

export interface TallyKeeper {
  /** To be told of every event. */
  heard(event: ClusterEvent): void;
  /** This copy makes up for one whose node was lost. It counts once it runs; another one for the same instance takes its place. */
  replacing(instance: InstanceName, copy: CopyId): void;
  /** Looks what runs by now, and has the counts written. To be called every second: a crash costs at most that. */
  tick(): void;
}

export function createTally(context: Pick<Context, 'world' | 'keeper' | 'deps'>): TallyKeeper {
  const { world, keeper, deps } = context;
  const awaited = new Map<InstanceName, CopyId>();
  let changed = false;

  const count = (what: keyof Tally): void => {
    keeper.change({ tally: counted(keeper.now.tally, what) });
    changed = true;
  };
  const found = (instance: InstanceName, copy: CopyId): Copy | undefined => {
    const service = instance.slice(0, instance.lastIndexOf('.instance.'));
    return world.copies.get(service)?.get(copyKey(instance, copy));
  };

  return {
    heard({ kind }) {
      if (kind === 'node_lost') count('failures');
    },
    replacing: (instance, copy) => void awaited.set(instance, copy),
    tick() {
      for (const [instance, copy] of awaited) {
        const started = found(instance, copy);
        const status = started?.report?.status;
        const runs = status === 'running' || status === 'completed';
        if (runs) count('relocated');
        // One that is gone will not run any more.
        if (runs || !started) awaited.delete(instance);
      }
      if (!changed) return;
      changed = false;
      onceSaved({ keeper, deps }, () => undefined);
    },
  };
}
