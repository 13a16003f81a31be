/** Is a node there? Decided from signs of life and time alone; nothing else in the core compares times of nodes. */
import type { Mono, Now } from '../../schemas/ports.ts';
import type { Node, NodeClass, Policy, View } from './model.ts';

export interface Presence {
  readonly state: 'online' | 'suspect' | 'lost';
  /** When silence alone would change the state. */
  readonly changesAt?: Mono;
}

/** Beat of agents that have not said theirs, ms. */
const defaultBeat = 5_000;
/** A beat may come this share of a beat late without being missed. */
const jitter = 0.5;
/** Fewer nodes than this never count as a mass. */
const leastMass = 3;

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
 */
export function presenceOf(node: Node, policy: Policy, now: Now): Presence {
  const lostAfter = policy.lostAfter[classOf(node, policy)];
  if (node.heard === undefined) {
    const joinedAgo = Math.max(0, now.wall - node.record.joined);
    return silent(Math.max(policy.graceUntil, now.mono + lostAfter - joinedAgo), now);
  }
  const suspectAt = node.gone ? node.gone.at : node.heard + (2 + jitter) * beatOf(node);
  const lostAt = Math.max(node.heard + lostAfter, policy.graceUntil);
  if (now.mono < suspectAt) return { state: 'online', changesAt: suspectAt as Mono };
  return silent(lostAt, now);
}

function silent(lostAt: number, now: Now): Presence {
  return now.mono < lostAt ? { state: 'suspect', changesAt: lostAt as Mono } : { state: 'lost' };
}

/** More than the policy's share of at least three nodes is silent: probably it is us, or the network. */
export function massLoss(view: Pick<View, 'nodes'>, policy: Policy, now: Now): boolean {
  const { silent, known } = silence(view, policy, now);
  return known >= leastMass && silent > policy.massLoss * known;
}

/** How many nodes are known, and how many of them are suspect or lost. */
export function silence(
  view: Pick<View, 'nodes'>,
  policy: Policy,
  now: Now,
): { readonly silent: number; readonly known: number } {
  const nodes = [...view.nodes.values()];
  return {
    silent: nodes.filter((node) => presenceOf(node, policy, now).state !== 'online').length,
    known: nodes.length,
  };
}
