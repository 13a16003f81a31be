/** Slots that are no longer wanted: fewer replicas, another source, or a node that left the set of `replicas: every`. */
import type { Mono, Now } from '../../schemas/ports.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Action } from './action.ts';
import type { Notice } from './availability.ts';
import { earliest, type Seen } from './classify.ts';
import { drop } from './decide.ts';
import { seconds } from './health.ts';
import { silentHold } from './node-holds.ts';

export interface Removal {
  readonly actions: readonly Action[];
  readonly holds: readonly Hold[];
  readonly noticed: readonly Seen[];
  readonly wakeAt?: Mono;
}

export interface Surplus {
  readonly service: string;
  readonly copies: readonly Seen[];
  readonly notice: Notice;
  /** Others take over from these: so many of them that are healthy go on until those others are. */
  readonly keep: { readonly isReplaced: (seen: Seen) => boolean; readonly count: number };
  /** What keeps a copy from going. */
  readonly freezes: (seen: Seen) => Hold | undefined;
}

/** Drops what is on nodes that are there. A silent node gets told when it is back; of a lost one nothing is said. */
export function removeSurplus({ service, copies, notice, keep, freezes }: Surplus, now: Now): Removal {
  const all = copies.map((seen) => ({ seen, hold: freezes(seen) }));
  const sorted = all.flatMap(({ seen, hold }) => (hold ? [] : [seen])).sort((a, b) => b.copy.slot - a.copy.slot);
  const silent = sorted.filter(({ presence }) => presence.state === 'suspect');
  const here = sorted.filter(({ presence }) => presence.state === 'online');
  const old = here.filter((seen) => seen.healthy && keep.isReplaced(seen));
  const kept = old.slice(Math.max(0, old.length - keep.count));
  const going = here.filter((seen) => !kept.includes(seen)).map((seen) => ({ seen, until: notice(seen) }));
  const leaving = going.filter(({ until }) => until !== undefined);
  const wakeAt = earliest(...silent.map(({ presence }) => presence.changesAt), ...leaving.map(({ until }) => until));
  return {
    actions: going.filter(({ until }) => until === undefined).map(({ seen }) => drop(service, seen, notWanted)),
    holds: [
      ...all.flatMap(({ hold }) => hold ?? []),
      ...silent.map((seen) => silentHold(seen.copy.instance, seen, now.mono)),
      ...kept.map((seen) => inProgress(seen, 'goes on until those that take over are healthy')),
      ...leaving.map(({ seen, until }) => inProgress(seen, `stops in ${seconds((until ?? now.mono) - now.mono)}`)),
    ],
    noticed: leaving.map(({ seen }) => seen),
    ...(wakeAt === undefined ? {} : { wakeAt }),
  };
}

const notWanted = 'the slot is no longer wanted';

function inProgress({ copy }: Seen, how: string): Hold {
  return { code: 'IN_PROGRESS', subject: copy.instance, message: `${notWanted}; it ${how}` };
}
