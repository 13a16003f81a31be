/** The ports of a rival: it has the key of the first reconciler, and a disk of its own. */
import type { ReconcilerDeps } from '../../../reconciler/context.ts';
import type { Keys } from '../../../reconciler/ports.ts';
import { createRecordsStore } from '../../../reconciler/store/records-store.ts';
import { createDurableFiles } from '../../../schemas/io/durable-files.ts';
import type { Bus } from '../../../schemas/ports.ts';
import type { MortalProcess } from '../../support/mortal-process.ts';
import type { Life, SimDisk } from './disk.ts';
import type { MortalLife, RivalProcess } from './facts.ts';
import type { WiringDeps } from './wiring.ts';

export interface RivalWiringDeps extends Omit<WiringDeps, 'died' | 'gaveUp'> {
  readonly keys: Keys;
  readonly fs: SimDisk['fs'];
  readonly onDisk: (life: MortalLife, died: () => void) => Life;
}

/** It hears the same broker, which lets in whom the first one names. */
export function wireRival(deps: RivalWiringDeps, plain: ReconcilerDeps, process: MortalProcess): ReconcilerDeps {
  const { clock, dice, facts, witness, rules, bug, keys } = deps;
  const life: MortalLife = { alive: true, countdown: undefined };
  const rival: RivalProcess = { life, process, connectedAt: undefined, reconciler: undefined };
  facts.rival = rival;
  facts.rivals += 1;
  const fs = deps.fs(deps.onDisk(life, () => undefined));
  const bus = (inner: Bus): Bus => ({
    ...inner,
    open: (options, handlers) =>
      inner.open(options, {
        ...handlers,
        connected() {
          witness.saw('rival is connected');
          rival.connectedAt = clock.now().mono;
          handlers.connected();
        },
        disconnected(reason) {
          witness.saw(`rival is disconnected: ${reason}`);
          rival.connectedAt = undefined;
          handlers.disconnected(reason);
        },
      }),
    publish(topic, payload, options) {
      if (!process.alive || rival.connectedAt === undefined) return;
      rules.rivalPublished(topic, payload);
      inner.publish(topic, payload, options);
    },
  });
  const wired: ReconcilerDeps = {
    ...plain,
    keys,
    records: createRecordsStore({ folder: '/records', fs, turn: async () => undefined }),
    state: createDurableFiles({ folder: '/state', fs }),
    broker: { setNodes: () => undefined, disconnect: () => undefined },
    bus: bus(plain.bus),
    log: (level, event, fields) => {
      if (process.alive) witness.saw(`rival ${level} ${event} ${JSON.stringify(fields ?? {}).slice(0, 160)}`);
    },
  };
  return bug?.reconciler?.(wired, { clock, dice }) ?? wired;
}
