/** Entries of nodes.yaml and the nodes that they speak of: by node name, else by IP, which gives the node an alias. */
import type { NodeId } from '../../schemas/names.ts';
import type { Listing, Node, NodeRecord, World } from './model.ts';

/** Cause of a cordon that ends when an entry matches the node again. */
export const removedEntryCause = 'its entry was removed from nodes.yaml';

/** All entries that are in force, matched or not. */
export function listingsOf(world: Pick<World, 'nodes' | 'expected'>): Listing[] {
  const all = new Map<string, Listing>(world.expected);
  for (const node of world.nodes.values()) if (node.listing) all.set(node.listing.name, node.listing);
  return [...all.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Entry per node. A name beats an IP; several nodes behind one IP share its entry, and its alias is then ambiguous. */
export function matchListings(
  listings: readonly Listing[],
  nodes: readonly Pick<Node, 'record' | 'information'>[],
): Map<NodeId, Listing> {
  const matches = new Map<NodeId, Listing>();
  const byName = new Map(nodes.map((node) => [node.record.name, node]));
  const byIp: Listing[] = [];
  for (const listing of listings) {
    const named = byName.get(listing.name);
    if (named) matches.set(named.record.id, listing);
    else if (listing.ip !== undefined) byIp.push(listing);
  }
  for (const node of nodes) {
    const found = byIp.find((listing) => listing.ip === node.information?.ip);
    if (found && !matches.has(node.record.id)) matches.set(node.record.id, found);
  }
  return matches;
}

/**
 * Matches entries and nodes anew. Nodes whose entry left are cordoned when `removed` names it, until an entry matches them again.
 * Returns the nodes that changed.
 */
export function rematch(world: World, listings: readonly Listing[], removed: readonly string[] = []): Set<NodeId> {
  const matches = matchListings(listings, [...world.nodes.values()]);
  const changed = new Set<NodeId>();
  for (const [id, node] of world.nodes) {
    const next = withListing(node, matches.get(id), removed);
    if (same(node, next)) continue;
    world.nodes.set(id, next);
    changed.add(id);
  }
  const matched = new Set([...matches.values()].map((listing) => listing.name));
  world.expected.clear();
  for (const listing of listings) if (!matched.has(listing.name)) world.expected.set(listing.name, listing);
  return changed;
}

function withListing(node: Node, listing: Listing | undefined, removed: readonly string[]): Node {
  const { listing: before, aliases: _old, ...rest } = node;
  const aliases = listing && listing.name !== node.record.name ? [listing.name] : [];
  const record = withCordon(node.record, listing, removed.includes(before?.name ?? node.record.name));
  return { ...rest, record, aliases, ...(listing ? { listing } : {}) };
}

function withCordon(record: NodeRecord, listing: Listing | undefined, removed: boolean): NodeRecord {
  const { cordon, ...rest } = record;
  if (listing) return cordon?.cause === removedEntryCause ? rest : record;
  return removed && !cordon ? { ...rest, cordon: { cause: removedEntryCause } } : record;
}

function same(a: Node, b: Node): boolean {
  return (
    a.record === b.record &&
    a.aliases.join() === b.aliases.join() &&
    JSON.stringify(a.listing) === JSON.stringify(b.listing)
  );
}
