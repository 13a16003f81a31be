/** Places that slots were given: which of them still count, and which are reached. */
import { canonicalJson } from '../../schemas/digest.ts';
import type { Now } from '../../schemas/ports.ts';
import { type Seen, seeCopies } from './classify.ts';
import type { Seat, Seats } from './deviations.ts';
import { digestToRun } from './drain.ts';
import type { Desired, Policy, View } from './model.ts';
import { presenceOf } from './presence.ts';

/** The member `seats` of a record with these slots; none for slots that are not there. */
export function seatsFor(seats: Seats | undefined, slots: readonly number[]): { readonly seats?: Seats } {
  const kept = Object.entries(seats ?? {}).filter(([slot]) => slots.includes(Number(slot)));
  return kept.length > 0 ? { seats: Object.fromEntries(kept) } : {};
}

/** The place of one slot. */
export function seatAt(seats: Seats | undefined, slot: number): Seat | undefined {
  return seats?.[slot];
}

export interface SeatChange {
  readonly slot: number;
  readonly seat: Seat;
  /** It runs there and is healthy; or its node is gone, and it may go anywhere. */
  readonly outcome: 'arrived' | 'given_up';
  /** What counts from now on; absent: nothing. */
  readonly next?: Seat;
}

/** Seats with these changes; a slot that was given another place meanwhile keeps it. */
export function seatsAfter(seats: Seats = {}, changes: readonly Omit<SeatChange, 'outcome'>[]): Seats {
  const next = new Map(Object.entries(seats));
  for (const { slot, seat, next: after } of changes) {
    const known = next.get(String(slot));
    if (!known || canonicalJson(known) !== canonicalJson(seat)) continue;
    if (after) next.set(String(slot), after);
    else next.delete(String(slot));
  }
  return Object.fromEntries(next);
}

/** Seats of a service that have come to an end, or that stay as a mere place. */
export function settleSeats(view: View, desired: Desired, policy: Policy, now: Now): readonly SeatChange[] {
  const { spec, seats } = desired;
  if (!seats) return [];
  const digest = digestToRun(view, desired);
  const { seen } = seeCopies(view, spec.name, policy, now, spec.update.settle);
  return Object.entries(seats).flatMap(([slot, seat]): SeatChange[] => {
    const there = seen.filter(({ copy }) => copy.slot === Number(slot));
    if (isGone(view, seat, policy, now)) return [{ slot: Number(slot), seat, outcome: 'given_up' }];
    if (seat.keep && seat.command === undefined) return [];
    if (!there.some((one) => hasArrived(one, seat, digest))) return [];
    // A move is over when the place that it left is free.
    const isOver = there.every(({ node, presence }) => presence.state === 'lost' || node.record.id === seat.to);
    if (seat.command === 'move' && !isOver) return [];
    const next = seat.keep && seat.to !== undefined ? { next: { to: seat.to, keep: seat.keep } } : {};
    return [{ slot: Number(slot), seat, outcome: 'arrived', ...next }];
  });
}

/** Revoked; or lost, where the slot does not belong to it. */
function isGone(view: View, { to, keep }: Seat, policy: Policy, now: Now): boolean {
  if (to === undefined) return false;
  const node = view.nodes.get(to);
  if (!node) return true;
  return !keep && presenceOf(node, policy, now).state === 'lost';
}

function hasArrived({ healthy, job, node, presence }: Seen, { to }: Seat, digest: string): boolean {
  const isThere = to === undefined || node.record.id === to;
  return isThere && healthy && job.digest === digest && presence.state === 'online';
}
