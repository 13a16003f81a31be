/**
 * When each node counts as silent if nothing more is heard of it, in slices of time: how many are silent is told without a look at
 * each of them. Kept by `apply`.
 */
import type { NodeId } from '../../schemas/names.ts';
import type { Mono, Now } from '../../schemas/ports.ts';
import type { Policy, World } from './model.ts';
import { suspectAt } from './presence.ts';

export interface Signs {
  /** Nodes that this process never heard. */
  readonly unheard: Set<NodeId>;
  /** When the others are silent. */
  readonly due: Map<NodeId, Mono>;
  /** The same nodes by that moment in slices: slice n begins at n times its length. */
  readonly slices: Map<number, Set<NodeId>>;
}

/** Length of a slice, ms. */
const slice = 250;
/** Fewer nodes than this never count as a mass. */
const leastMass = 3;

export function createSigns(): Signs {
  return { unheard: new Set(), due: new Map(), slices: new Map() };
}

export function cloneSigns({ unheard, due, slices }: Signs): Signs {
  return {
    unheard: new Set(unheard),
    due: new Map(due),
    slices: new Map([...slices].map(([n, ids]) => [n, new Set(ids)])),
  };
}

/** Something was heard of the node, or of its end; or it is new, or gone. */
export function noteSigns({ signs, nodes }: Pick<World, 'signs' | 'nodes'>, id: NodeId): void {
  const node = nodes.get(id);
  const at = node && suspectAt(node);
  const before = signs.due.get(id);
  if (node && at === undefined) signs.unheard.add(id);
  else signs.unheard.delete(id);
  if (at === before) return;
  if (before !== undefined) takeOut(signs, id, before);
  if (at !== undefined) putIn(signs, id, at);
}

function putIn({ due, slices }: Signs, id: NodeId, at: Mono): void {
  due.set(id, at);
  const n = Math.floor(at / slice);
  const ids = slices.get(n);
  if (ids) ids.add(id);
  else slices.set(n, new Set([id]));
}

function takeOut({ due, slices }: Signs, id: NodeId, at: Mono): void {
  due.delete(id);
  const n = Math.floor(at / slice);
  const ids = slices.get(n);
  ids?.delete(id);
  if (ids?.size === 0) slices.delete(n);
}

/** Nodes that are suspect or lost. */
function countSilent({ unheard, due, slices }: Signs, now: Mono): number {
  const current = Math.floor(now / slice);
  let silent = unheard.size;
  for (const [n, ids] of slices) {
    if (n < current) silent += ids.size;
    else if (n === current) for (const id of ids) if ((due.get(id) ?? now) <= now) silent += 1;
  }
  return silent;
}

/** More than the policy's share of at least three nodes is silent: probably it is us, or the network. */
export function massLoss(view: Pick<World, 'nodes' | 'signs'>, policy: Policy, now: Now): boolean {
  const { silent, known } = silence(view, now);
  return known >= leastMass && silent > policy.massLoss * known;
}

/** How many nodes are known, and how many of them are suspect or lost. */
export function silence(
  { nodes, signs }: Pick<World, 'nodes' | 'signs'>,
  now: Now,
): { readonly silent: number; readonly known: number } {
  return { silent: countSilent(signs, now.mono), known: nodes.size };
}
