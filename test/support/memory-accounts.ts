/** Accounts in memory: the real ones, on virtual time and records that no disk has. */
import { type Accounts, createAccounts } from '../../reconciler/accounts/accounts.ts';
import { emptyRecords, type Records } from '../../reconciler/core/records.ts';
import type { Caller } from '../../reconciler/core/rights.ts';
import { createJournal } from '../../reconciler/journal.ts';
import { createOakestraDesk, type OakestraDesk } from '../../reconciler/oakestra.ts';
import { createOwnership, type Ownership } from '../../reconciler/ownership.ts';
import type { RecordsKeeper } from '../../reconciler/records-keeper.ts';
import type { ClusterEvent } from '../../schemas/cluster-events.ts';
import { createMemoryKeys } from './memory-keys.ts';
import { createSeededRandom, createVirtualClock, type VirtualClock } from './virtual-clock.ts';

export interface MemoryAccounts {
  readonly accounts: Accounts;
  readonly clock: VirtualClock;
  readonly events: readonly ClusterEvent[];
  /** As they would be on disk. */
  readonly records: () => Records;
}

/** Whoever has the token file. */
export const owner: Caller = { name: 'api', role: 'admin', by: 'cluster' };

export function memoryAccounts(
  records: Records = { ...emptyRecords, epoch: 1 },
  clock = createVirtualClock(),
): MemoryAccounts {
  const events: ClusterEvent[] = [];
  const keeper = memoryKeeper(records);
  const journal = createJournal({ clock, run: 'test', onEvent: (event) => void events.push(event) });
  const deps = { clock, random: createSeededRandom(records.epoch), keys: createMemoryKeys('test') };
  return {
    accounts: createAccounts({ deps, keeper, journal }, { cost: { log: 4, block: 8, parallel: 1 } }),
    clock,
    events,
    records: () => keeper.now,
  };
}

/** Of Oakestra's API, in a cluster where nothing runs. */
export function memoryDesk(): OakestraDesk {
  return memoryApplications().desk;
}

/** The same, with whose applications are whose. */
export function memoryApplications(): { readonly desk: OakestraDesk; readonly ownership: Ownership } {
  const keeper = memoryKeeper({ ...emptyRecords, epoch: 1 });
  const context = { keeper, deps: { keys: createMemoryKeys('test'), settings: {} }, world: { desired: new Map() } };
  const ownership = createOwnership(context);
  return { desk: createOakestraDesk(context, ownership), ownership };
}

export function memoryKeeper(records: Records): RecordsKeeper {
  let now = records;
  return {
    get now() {
      return now;
    },
    trouble: undefined,
    change(members) {
      now = { ...now, ...members };
    },
    saved: async () => undefined,
  };
}
