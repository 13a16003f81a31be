/** What may be taken down, and when: notice before a stop, the least number that serves, no two versions at once for `recreate`. */
import type { Mono, Now } from '../../schemas/ports.ts';
import type { UpdatePolicy } from '../../schemas/spec.ts';
import type { Seen, SlotState } from './classify.ts';
import { isPrepared, mayRun } from './health.ts';
import type { Policy, View } from './model.ts';

/** Until when a copy that is to stop has to go on, off the list of healthy copies; undefined: it may stop now. */
export type Notice = (seen: Seen) => Mono | undefined;

/** Only a copy that serves gets notice: nobody waits for what does not. */
export function createNotice({ notice = 0 }: Pick<UpdatePolicy, 'notice'>, policy: Policy, now: Now): Notice {
  return ({ healthy, copy, presence }) => {
    if (policy.isDryRun || !healthy || copy.report?.status !== 'running' || presence.state !== 'online')
      return undefined;
    const until = ((copy.notice ?? now.mono) + notice) as Mono;
    return until > now.mono ? until : undefined;
  };
}

/** Hands out the instances that may be down for an update at once. */
export interface Budget {
  /** May the current copy of this slot stop, now that its replacement is prepared? Counts it if so. */
  mayStop(slot: SlotState): boolean;
}

/** `uncounted`: slots that could not serve whatever the update does (no place, absent node). */
export function createBudget(limit: number, slots: readonly SlotState[], uncounted: ReadonlySet<number>): Budget {
  const down = slots.filter((slot) => !uncounted.has(slot.slot) && slot.silent.length === 0 && !isServing(slot));
  let left = limit - down.length;
  return {
    mayStop(slot) {
      // It does not serve, or was told to leave: it is counted already.
      if (!isServing(slot)) return true;
      if (left <= 0) return false;
      left -= 1;
      return true;
    },
  };
}

/** A copy of the slot takes requests. */
function isServing({ target, current }: SlotState): boolean {
  return [target, current].some((seen) => seen?.healthy && seen.copy.notice === undefined);
}

/** `recreate`: all new copies are there before the first old one stops. `isOver`: that one will not come. */
export function allPrepared(slots: readonly SlotState[], isOver: (target: Seen) => boolean): boolean {
  return slots.every(
    ({ target, current }) =>
      current?.job.want !== 'run' || (target && (target.healthy || isPrepared(target.copy) || isOver(target))),
  );
}

/** `recreate`: no copy of another digest runs, or may run, on a node that is there. */
export function onlyRuns(view: View, service: string, digest: string, isThere: (node: string) => boolean): boolean {
  return [...(view.copies.get(service)?.values() ?? [])].every(
    (copy) => (copy.job?.digest ?? copy.report?.digest) === digest || !isThere(copy.node) || !mayRun(copy),
  );
}
