/** Direct records on their way to the disk: whose attempt is still in force when it is there, though seats came and went meanwhile. */

import type { ServiceName } from '../schemas/names.ts';
import type { Context } from './context.ts';
import type { Seats } from './core/deviations.ts';
import type { DirectRecord } from './core/records.ts';
import { seatsFor } from './core/seats.ts';
import { withEntry } from './records-keeper.ts';

/** A record that was asked for and is not on disk yet. */
export interface Attempt {
  readonly name: ServiceName;
  /** As it is by now. */
  readonly record: DirectRecord;
  /** What it takes the place of, and comes back if the disk refuses; as it is by now. */
  readonly former: DirectRecord | undefined;
}

export interface DirectAttempts {
  begin(attempt: Attempt): Attempt;
  end(attempt: Attempt): void;
  /** Nobody asked for anything else meanwhile. */
  isInForce(attempt: Attempt): boolean;
  /** Seats that nobody asked for: they ended, or their node has an heir. It is no other wish; on disk with the next write. */
  reseat(name: ServiceName, seats: Seats): void;
}

export function createDirectAttempts({ keeper }: Pick<Context, 'keeper'>): DirectAttempts {
  const open = new Set<{ name: ServiceName; record: DirectRecord; former: DirectRecord | undefined }>();
  return {
    begin(attempt) {
      const own = { ...attempt };
      open.add(own);
      return own;
    },
    end(attempt) {
      open.delete(attempt);
    },
    isInForce: ({ name, record }) => keeper.now.direct[name] === record,
    reseat(name, seats) {
      const now = keeper.now.direct[name];
      if (!now) return;
      // One attempt's record is what another's takes the place of: they stay the same one.
      const seated = new Map<DirectRecord, DirectRecord>();
      const seat = (record: DirectRecord): DirectRecord => {
        const { seats: _before, ...rest } = record;
        const next = seated.get(record) ?? { ...rest, ...seatsFor(seats, record.slots) };
        seated.set(record, next);
        return next;
      };
      for (const attempt of open) {
        if (attempt.name !== name) continue;
        attempt.record = seat(attempt.record);
        attempt.former = attempt.former && seat(attempt.former);
      }
      keeper.change({ direct: withEntry(keeper.now.direct, name, seat(now)) });
    },
  };
}
