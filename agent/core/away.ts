/**
 * Copies that depend on contact with the reconciler. Pure. Times are ms since the machine booted, sleep included: the clock that
 * goes on however the agent and the wall clock fare.
 */
import type { Part } from '../../schemas/assignment.ts';
import type { Job } from '../../schemas/messages.ts';
import { keyText, type Limit } from './memory.ts';

/** ms since boot. */
export type Uptime = number & { readonly __brand: 'uptime' };

/** A lease as it was given, counted from when the beat was sent that it answers. */
export interface Grant {
  readonly sent: Uptime;
  readonly ms: number;
}

/** What is known of the contact. */
export interface Reach {
  /** When the last beat was sent that was answered. */
  readonly contact: Uptime;
  /** By key of the copy. */
  readonly grants: ReadonlyMap<string, Grant>;
  /** Copies that run without a lease until then: the agent began anew, or they need one only now. */
  readonly lenient: ReadonlyMap<string, Uptime>;
  /** Copies that wait until then before they start again: first the reconciler may say that they are not wanted. */
  readonly listening: ReadonlyMap<string, Uptime>;
}

/** The copy is told to stop after this share of its lease, so that it has stopped before the end. */
const share = 0.9;
/** Nothing is started in the last part of a lease: the start would outlive it. */
const leastLeft = 0.25;

/** What a copy may not do now, and when that changes if nothing happens. */
export interface Verdict {
  readonly limit?: Limit;
  readonly changesAt?: Uptime;
}

/** A copy that is not meant to run, or does not depend on contact, has no limit. */
export function verdictOf(job: Job, reach: Reach, now: Uptime): Verdict {
  const { away, want } = job;
  if (!away || want !== 'run') return {};
  const key = keyText(job);
  if (away.exclusive) return leased(key, away.stop_after, reach, now);
  const until = (reach.contact + away.stop_after) as Uptime;
  if (now >= until) return { limit: 'stop' };
  const listens = reach.listening.get(key);
  if (listens !== undefined && now < listens) return { limit: 'hold', changesAt: listens };
  return { changesAt: until };
}

function leased(key: string, ms: number, { grants, lenient }: Reach, now: Uptime): Verdict {
  const grant = grants.get(key);
  if (grant) {
    const length = Math.min(grant.ms, ms);
    const end = (grant.sent + share * length) as Uptime;
    const lastStart = (end - leastLeft * length) as Uptime;
    if (now < lastStart) return { changesAt: lastStart };
    if (now < end) return { limit: 'hold', changesAt: end };
  }
  const until = lenient.get(key);
  return until !== undefined && now < until ? { limit: 'hold', changesAt: until } : { limit: 'stop' };
}

/** Does this node depend on contact at all? */
export function dependents({ jobs }: Pick<Part, 'jobs'>): readonly Job[] {
  return jobs.filter(({ away }) => away !== undefined);
}

/** ms between two beats: four in the shortest time, and one each second while a copy waits for its lease. */
export function beatFor(jobs: readonly Job[], limits: ReadonlyMap<string, Limit>, usual: number): number {
  const waiting = jobs.some((job) => job.away?.exclusive && limits.has(keyText(job)));
  const shortest = Math.min(...jobs.map(({ away }) => (away?.stop_after ?? usual * beatsInTime) / beatsInTime));
  return Math.max(leastBeat, Math.min(usual, shortest, waiting ? waitingBeat : usual));
}

const beatsInTime = 4;
const waitingBeat = 1_000;
const leastBeat = 200;

/** How long an agent that starts lets a copy go on without a lease. At most the 5 s that the reconciler counts with. */
export function leniencyOf({ away }: Job): number {
  return Math.min(5_000, (away?.stop_after ?? 0) / 2);
}
