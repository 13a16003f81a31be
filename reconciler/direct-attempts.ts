/** Direct records on their way to the disk: whose attempt is still in force when it is there, though seats came and went meanwhile. */
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
  /** Somebody asks for what is on its way already, and is answered for himself; undefined: it is not. */
  join(name: ServiceName, record: DirectRecord): Attempt | undefined;
  /** It is on disk. False: it was already, for somebody who asked for the same. */
  end(attempt: Attempt): boolean;
  /** The disk refuses it: what it took the place of comes back, now or, where others asked for more, when that is refused as well. */
  refuse(attempt: Attempt): void;
  /** Nobody asked for anything else meanwhile. */
  isInForce(attempt: Attempt): boolean;
  /**
   * A change of seats that nobody asked for: they ended, or their node has an heir. It is no other wish, and is made to each record by
   * itself, so that what was asked for meanwhile stays, and is forgotten if the disk refuses it. On disk with the next write.
   */
  reseat(name: ServiceName, change: (seats: Seats | undefined) => Seats | undefined): void;
}

type Open = { -readonly [Member in keyof Attempt]: Attempt[Member] };

export function createDirectAttempts({ keeper }: Pick<Context, 'keeper'>): DirectAttempts {
  /** By service, in the order in which they were asked for: a deployment may be of thousands. */
  const open = new Map<ServiceName, Set<Open>>();
  const of = (name: ServiceName): Open[] => [...(open.get(name) ?? [])];
  const close = (attempt: Attempt): boolean => {
    const own = open.get(attempt.name);
    const isOpen = own?.delete(attempt) ?? false;
    if (own?.size === 0) open.delete(attempt.name);
    return isOpen;
  };
  const isInForce = ({ name, record }: Attempt): boolean => keeper.now.direct[name] === record;
  const sharing = ({ name, record }: Attempt): Open[] =>
    record ? of(name).filter((other) => other.record === record) : [];

  const begin = (attempt: Attempt): Attempt => {
    const own = { ...attempt };
    open.set(attempt.name, (open.get(attempt.name) ?? new Set()).add(own));
    return own;
  };
  const takeBack = ({ name, record, former, rollout, formerRollout }: Attempt): void => {
    const { direct, rollouts } = keeper.now;
    if (direct[name] === record) keeper.change({ direct: withEntry(direct, name, former) });
    if (rollouts[name] === rollout) keeper.change({ rollouts: withEntry(rollouts, name, formerRollout) });
  };

  return {
    begin,
    join(name, record) {
      const known = of(name).find((attempt) => attempt.record === record);
      return known && begin(known);
    },
    end(attempt) {
      const isNews = close(attempt);
      for (const other of sharing(attempt)) close(other);
      return isNews;
    },
    refuse(attempt) {
      const all = of(attempt.name);
      const at = all.indexOf(attempt);
      if (at < 0) return;
      close(attempt);
      if (sharing(attempt).length > 0) return;
      for (const later of all.slice(at + 1)) {
        if (later.former === attempt.record) later.former = attempt.former;
        if (later.formerRollout === attempt.rollout) later.formerRollout = attempt.formerRollout;
      }
      takeBack(attempt);
    },
    isInForce,
    reseat(name, change) {
      // One attempt's record is what another's takes the place of: they stay the same one.
      const seated = new Map<DirectRecord, DirectRecord>();
      const seat = (record: DirectRecord | undefined): DirectRecord | undefined => {
        if (!record) return undefined;
        const known = seated.get(record);
        if (known) return known;
        const { seats: before, ...rest } = record;
        const after = change(before);
        const next = after === before ? record : { ...rest, ...seatsFor(after, record.slots) };
        seated.set(record, next);
        return next;
      };
      for (const attempt of of(name)) {
        attempt.record = seat(attempt.record);
        attempt.former = seat(attempt.former);
      }
      const now = keeper.now.direct[name];
      const next = seat(now);
      if (next !== now) keeper.change({ direct: withEntry(keeper.now.direct, name, next) });
    },
  };
}
