/** Direct records on their way to the disk, one of each service at a time: what is in force of them, though seats come and go meanwhile. */
import type { ServiceName } from '../schemas/names.ts';
import type { Context } from './context.ts';
import type { Seats } from './core/deviations.ts';
import type { DirectRecord, Records } from './core/records.ts';
import { seatsFor } from './core/seats.ts';
import { withEntry } from './records-keeper.ts';

/** A change of one record that was asked for and is not on disk yet. All of it as it is by now. */
export interface Attempt {
  readonly name: ServiceName;
  /** Undefined: it is removed. */
  readonly record: DirectRecord | undefined;
  /** What it takes the place of, and comes back if the disk refuses. */
  readonly former: DirectRecord | undefined;
  /** The same of what is known of its updates. */
  readonly rollout: Rollout;
  readonly formerRollout: Rollout;
}

type Rollout = Records['rollouts'][string] | undefined;

export interface DirectAttempts {
  begin(attempt: Attempt): Attempt;
  /** It is on disk. False: git took the name over meanwhile, and it is not in force. */
  end(attempt: Attempt): boolean;
  /** The disk refuses it: what it took the place of comes back. */
  refuse(attempt: Attempt): void;
  /** Services with a record, also one whose removal is on its way. */
  names(): readonly ServiceName[];
  /**
   * A change of seats that nobody asked for: they ended, or their node has an heir. It is no other wish, and is made to each record by
   * itself, so that what was asked for meanwhile stays, and is forgotten if the disk refuses it. On disk with the next write.
   */
  reseat(name: ServiceName, change: (seats: Seats | undefined) => Seats | undefined): void;
}

type Open = { -readonly [Member in keyof Attempt]: Attempt[Member] };

export function createDirectAttempts({ keeper }: Pick<Context, 'keeper'>): DirectAttempts {
  const open = new Map<ServiceName, Open>();
  return {
    begin(attempt) {
      const own = { ...attempt };
      open.set(attempt.name, own);
      return own;
    },
    end({ name, record }) {
      open.delete(name);
      return keeper.now.direct[name] === record;
    },
    refuse({ name, record, former, rollout, formerRollout }) {
      open.delete(name);
      const { direct, rollouts } = keeper.now;
      if (direct[name] === record) keeper.change({ direct: withEntry(direct, name, former) });
      if (rollouts[name] === rollout) keeper.change({ rollouts: withEntry(rollouts, name, formerRollout) });
    },
    names: () => [...new Set([...Object.keys(keeper.now.direct), ...open.keys()])],
    reseat(name, change) {
      const seat = (record: DirectRecord | undefined): DirectRecord | undefined => {
        if (!record) return undefined;
        const { seats: before, ...rest } = record;
        const after = change(before);
        return after === before ? record : { ...rest, ...seatsFor(after, record.slots) };
      };
      const now = keeper.now.direct[name];
      const next = seat(now);
      const attempt = open.get(name);
      if (attempt) {
        // The same record as before: by that it is told from what is git's by then.
        attempt.record = attempt.record === now ? next : seat(attempt.record);
        attempt.former = seat(attempt.former);
      }
      if (next !== now) keeper.change({ direct: withEntry(keeper.now.direct, name, next) });
    },
  };
}
