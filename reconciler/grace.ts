/** The policy of the moment, with the time until which nobody becomes lost: whoever heard nobody for a while knows of no loss. */
import type { Clock, Mono } from '../schemas/ports.ts';
import type { Policy } from './core/model.ts';

/** Least time after a start, a reconnect or a gap in which no node becomes lost. */
const leastGrace = 15_000;
/** Longer than any outage of a broker: the next connection sets it anew. A number, because dry runs take it along in JSON. */
const deafGrace = 10 * 365 * 86_400_000;

export interface Grace {
  policy(): Policy;
  /** While we hear nobody nothing becomes lost, nor for a while after: by the slowest class that the cluster has. */
  extend(connected: boolean): void;
}

/** `base`: the same object as long as nothing in it changed. */
export function createGrace(clock: Pick<Clock, 'now'>, base: () => Omit<Policy, 'graceUntil'>): Grace {
  let graceUntil = clock.now().mono;
  let known: { readonly from: Omit<Policy, 'graceUntil'>; readonly policy: Policy } | undefined;

  /** Asked for at every message: made anew only when a part of it changed. */
  const policy = (): Policy => {
    const from = base();
    if (known?.from !== from || known.policy.graceUntil !== graceUntil)
      known = { from, policy: { ...from, graceUntil } };
    return known.policy;
  };

  return {
    policy,
    extend(connected) {
      const { lostAfter, nodeClass, pools } = policy();
      const classes = [nodeClass, ...Object.values(pools).map((pool) => pool.class ?? nodeClass)];
      const longest = Math.max(leastGrace, ...classes.map((name) => lostAfter[name]));
      graceUntil = (clock.now().mono + (connected ? longest : deafGrace)) as Mono;
    },
  };
}
