/**
 * Puts every instance of a service into exactly one named bucket: how it is, as far as deciding goes. Decides nothing itself;
 * decide.ts says for each bucket what is done.
 */
import type { InstanceName } from '../../schemas/names.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Seen, SlotState, Survey } from './classify.ts';

export type Bucket = Filed['bucket'] | Unwanted['bucket'];

/** A wanted instance in its bucket. */
export type Filed = WithTarget | WithoutTarget | Frozen;

/** A copy of the target is on a node that is there. */
export interface WithTarget {
  readonly bucket: /** It is healthy, and alone. */
    | 'settled'
    /** It is healthy, and the copy that it replaces is still there. */
    | 'relieved'
    /** It is to run, and not healthy yet. */
    | 'starting'
    /** It is to run and will not become healthy, and the update goes on without it. */
    | 'failed'
    /** It is made ready to take over. */
    | 'prepared'
    /** It was stopped for another copy, and is wanted again. */
    | 'stopped';
  readonly slot: SlotState & { readonly target: Seen };
}

/** No copy of the target is on a node that is there. */
export interface WithoutTarget {
  readonly bucket: /** A one-shot copy completed before its node went away. */
    | 'done'
    /** Another digest runs, or it runs where it is not to be. */
    | 'outdated'
    /** Its copy is on a silent node, and may well run. */
    | 'silent'
    /** A node reports a copy of it, and the ledger of that node is unread. */
    | 'unread'
    /** Its copies are on lost nodes. */
    | 'lost'
    /** It has no copy. */
    | 'missing';
  readonly slot: SlotState;
}

/** It has a copy on a node that is suspended: it stays as it is. */
export interface Frozen {
  readonly bucket: 'frozen';
  readonly slot: SlotState;
  /** Said of it while it is not as wanted. */
  readonly hold: Hold;
}

/** Nobody wants the instance, and it has copies. */
export interface Unwanted {
  readonly bucket: 'surplus';
  readonly instance: InstanceName;
  readonly copies: readonly Seen[];
}

export interface Buckets {
  /** By slot. */
  readonly wanted: readonly Filed[];
  readonly surplus: readonly Unwanted[];
}

export interface Filing {
  /** The update does not wait any longer for this copy of the target. */
  readonly isOver: (target: Seen) => boolean;
  /** What keeps an instance from any change. */
  readonly freezes: (slot: SlotState) => Hold | undefined;
}

export function classify({ slots, surplus }: Survey, { isOver, freezes }: Filing): Buckets {
  const unwanted = new Map<InstanceName, Seen[]>();
  for (const seen of surplus) {
    const copies = unwanted.get(seen.copy.instance);
    if (copies) copies.push(seen);
    else unwanted.set(seen.copy.instance, [seen]);
  }
  return {
    wanted: slots.map((slot) => {
      const { target } = slot;
      const hold = freezes(slot);
      if (hold) return { bucket: 'frozen', slot, hold };
      if (!target) return { bucket: bucketWithout(slot), slot };
      return { bucket: bucketOf(slot, target, isOver), slot: { ...slot, target } };
    }),
    surplus: [...unwanted].map(([instance, copies]) => ({ bucket: 'surplus', instance, copies })),
  };
}

function bucketOf({ current }: SlotState, target: Seen, isOver: (target: Seen) => boolean): WithTarget['bucket'] {
  if (target.healthy) return current ? 'relieved' : 'settled';
  if (target.job.want !== 'run') return target.job.want;
  return isOver(target) ? 'failed' : 'starting';
}

function bucketWithout(slot: SlotState): WithoutTarget['bucket'] {
  const { done, current, silent, unread, lost } = slot;
  if (done) return 'done';
  // What may run on a silent node is not started a second time, whatever else runs.
  if (silent.length > 0) return 'silent';
  if (current) return 'outdated';
  if (unread.length > 0) return 'unread';
  return lost.length > 0 ? 'lost' : 'missing';
}
