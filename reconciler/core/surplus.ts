/** Slots that are no longer wanted: fewer replicas, or a node that left the set of `replicas: every`. */
import type { Mono } from '../../schemas/ports.ts';
import type { Hold } from '../../schemas/status.ts';
import { earliest, type Seen } from './classify.ts';
import { drop } from './decide.ts';
import type { Action } from './model.ts';
import { silentHold } from './node-holds.ts';

export interface Removal {
  readonly actions: readonly Action[];
  readonly holds: readonly Hold[];
  readonly wakeAt?: Mono;
}

/** Drops what is on nodes that are there. A silent node gets told when it is back; of a lost one nothing is said. */
export function removeSurplus(service: string, surplus: readonly Seen[], now: Mono): Removal {
  const sorted = [...surplus].sort((a, b) => b.copy.slot - a.copy.slot);
  const silent = sorted.filter(({ presence }) => presence.state === 'suspect');
  const wakeAt = earliest(...silent.map(({ presence }) => presence.changesAt));
  return {
    actions: sorted
      .filter(({ presence }) => presence.state === 'online')
      .map((seen) => drop(service, seen, 'the slot is no longer wanted')),
    holds: silent.map((seen) => silentHold(seen.copy.instance, seen, now)),
    ...(wakeAt === undefined ? {} : { wakeAt }),
  };
}
