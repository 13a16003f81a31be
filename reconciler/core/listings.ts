/** Entries of nodes.yaml and the nodes that they speak of: by node name, else by IP, which gives the node an alias. */
import type { NodeId } from '../../schemas/names.ts';
import type { Listing, Listings, Node, NodeRecord, World } from './model.ts';
import { indexNode } from './node-index.ts';

/** Cause of a cordon that ends when an entry matches the node again. */
export const removedEntryCause = 'its entry was removed from nodes.yaml';

/** Entries as they are looked up. Of several that say one IP, the first by name counts. */
export function listingsOf(all: Iterable<Listing>): Listings {
  const byName = new Map([...all].sort((a, b) => (a.name < b.name ? -1 : 1)).map((one) => [one.name, one]));
  const byIp = new Map<string, Listing[]>();
  for (const listing of byName.values()) {
    if (listing.ip !== undefined) byIp.set(listing.ip, [...(byIp.get(listing.ip) ?? []), listing]);
  }
  return { byName, byIp };
}

/** A name beats an IP; several nodes behind one IP share its entry, and its alias is then ambiguous. */
function listingFor({ listed, names }: World, { record, information }: Node): Listing | undefined {
  const named = listed.byName.get(record.name);
  if (named || information === undefined) return named;
  const { ip, advertise } = information;
  const listings = [...(listed.byIp.get(advertise?.ip ?? ip) ?? []), ...(listed.byIp.get(ip) ?? [])];
  return listings.find((listing) => !names.has(listing.name));
}

/**
 * These entries are in force from now on: matches all nodes anew. Nodes whose entry left are cordoned when `removed` names it, until
 * an entry matches them again. Returns the nodes that changed.
 */
export function rematch(world: World, listings: Iterable<Listing>, removed: readonly string[] = []): Set<NodeId> {
  world.listed = listingsOf(listings);
  const changed = new Set<NodeId>();
  const matched = new Set<string>();
  const gone = new Set(removed);
  for (const [id, node] of world.nodes) {
    const listing = listingFor(world, node);
    if (listing) matched.add(listing.name);
    const next = withListing(node, listing, gone);
    if (same(node, next)) continue;
    world.nodes.set(id, next);
    indexNode(world, id);
    changed.add(id);
  }
  world.expected.clear();
  for (const [name, listing] of world.listed.byName) if (!matched.has(name)) world.expected.set(name, listing);
  return changed;
}

/** Matches one node whose IP changed, or that is new, with the entries in force. The cost does not grow with the fleet. */
export function rematchNode(world: World, id: NodeId): void {
  const node = world.nodes.get(id);
  const { listed, expected } = world;
  if (!node || listed.byName.size === 0) return;
  const named = listed.byName.get(node.record.name);
  // An entry that was another node's by its IP is now this one's by its name.
  const isTaken = named !== undefined && node.listing?.name !== named.name && !expected.has(named.name);
  if (isTaken) return void rematch(world, listed.byName.values());
  const listing = listingFor(world, node);
  const before = node.listing;
  const next = withListing(node, listing, new Set());
  if (!same(node, next)) {
    world.nodes.set(id, next);
    indexNode(world, id);
  }
  if (listing) expected.delete(listing.name);
  if (!before || before.name === listing?.name) return;
  const isShared = [...world.nodes.values()].some((other) => other.listing?.name === before.name);
  if (!isShared) expected.set(before.name, before);
}

function withListing(node: Node, listing: Listing | undefined, removed: ReadonlySet<string>): Node {
  const { listing: before, aliases: _old, ...rest } = node;
  const aliases = listing && listing.name !== node.record.name ? [listing.name] : [];
  const record = withCordon(node.record, listing, removed.has(before?.name ?? node.record.name));
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
    (a.listing === b.listing || JSON.stringify(a.listing) === JSON.stringify(b.listing))
  );
}
