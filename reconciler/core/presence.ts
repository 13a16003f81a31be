/** Is a node there? Decided from signs of life and time alone; nothing else in the core compares times of nodes. */
import type { Mono, Now } from '../../schemas/ports.ts';
import type { Node, NodeClass, Policy } from './model.ts';

export interface Presence {
  readonly state: 'online' | 'suspect' | 'lost';
  /** When silence alone would change the state. */
  readonly changesAt?: Mono;
}

/** Beat of agents that have not said theirs, ms. */
const defaultBeat = 5_000;
/** A beat may come this share of a beat late without being missed. */
const jitter = 0.5;

/** The node's beat in ms. */
export function beatOf(node: Pick<Node, 'information'>): number {
  return node.information?.beat ?? defaultBeat;
}

/** Class of the node's pool, else the cluster's. */
export function classOf(node: Pick<Node, 'listing'>, policy: Policy): NodeClass {
  const pool = node.listing?.pool;
  const named = pool !== undefined && Object.hasOwn(policy.pools, pool) ? policy.pools[pool] : undefined;
  return named?.class ?? policy.nodeClass;
}

/**
 * Online: heard within two beats. Suspect: a will, or two missed beats. Lost: no sign for `lost_after` of its class, and not
 * before the policy's grace ends. A node that this process never heard is suspect until then, or until it joined that long ago.
 * `patience`: of a service that says itself when its instances are replaced; who was never heard is silent since the grace.
 */
export function presenceOf(node: Node, policy: Policy, now: Now, patience?: number | 'never'): Presence {
  if (patience === 'never') return knownFor(node, policy, now, Number.POSITIVE_INFINITY);
  if (patience !== undefined) return knownFor(node, policy, now, patience);
  const lostAfter = policy.lostAfter[classOf(node, policy)];
  if (node.heard === undefined) {
    const joinedAgo = sinceJoined(node, lostAfter, now);
    return silent(Math.max(policy.graceUntil, now.mono + lostAfter - joinedAgo), now);
  }
  return knownFor(node, policy, now, lostAfter);
}

function knownFor(node: Node, policy: Policy, now: Now, lostAfter: number): Presence {
  if (node.heard === undefined) return silent(policy.graceUntil + lostAfter, now);
  const silentAt = suspectAt(node) as Mono;
  const lostAt = Math.max(node.heard + lostAfter, policy.graceUntil);
  if (now.mono < silentAt) return { state: 'online', changesAt: silentAt };
  return silent(lostAt, now);
}

/** From when on the node is not online if nothing more is heard of it; undefined for one that was never heard, and is not now. */
export function suspectAt(node: Pick<Node, 'heard' | 'gone' | 'information'>): Mono | undefined {
  if (node.heard === undefined) return undefined;
  return node.gone ? node.gone.at : ((node.heard + (2 + jitter) * beatOf(node)) as Mono);
}

/** ms. A clock that went back by more than anybody waits does not make it new: it is as if it had joined long ago. */
function sinceJoined({ record }: Node, lostAfter: number, { wall }: Now): number {
  const ago = wall - record.joined;
  return ago < -lostAfter ? Number.POSITIVE_INFINITY : Math.max(0, ago);
}

function silent(lostAt: number, now: Now): Presence {
  if (lostAt === Number.POSITIVE_INFINITY) return { state: 'suspect' };
  return now.mono < lostAt ? { state: 'suspect', changesAt: lostAt as Mono } : { state: 'lost' };
}

/** As {@link presenceOf}, but one that has not reported since it came back counts as silent: what is on it is old news. */
export function knowledgeOf(node: Node, policy: Policy, now: Now, patience?: number | 'never'): Presence {
  const presence = presenceOf(node, policy, now, patience);
  return node.stale && presence.state === 'online' ? { state: 'suspect' } : presence;
}

/** It is there, but has not said yet what it is or what it runs: nothing new is placed on it before. */
export function isBack(node: Node, policy: Policy, now: Now): boolean {
  const isUnsaid = node.stale === true || node.information === undefined;
  return isUnsaid && presenceOf(node, policy, now).state === 'online';
}
