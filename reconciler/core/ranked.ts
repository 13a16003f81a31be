/**
 * A sorted list in chunks: an insertion or a removal moves some dozens of items, however long the list is. Each chunk knows the
 * most free memory in it, so that a walk passes over what cannot fit.
 */
export interface RankedItem {
  /** MB. */
  readonly free: number;
}

interface Chunk<T> {
  items: T[];
  most: number;
}

export interface Ranked<T extends RankedItem> {
  readonly compare: (a: T, b: T) => number;
  readonly chunks: Chunk<T>[];
}

/** Where a walk is: an index of a chunk and one in it. */
export interface Position {
  chunk: number;
  item: number;
}

const longest = 128;

export function createRanked<T extends RankedItem>(compare: (a: T, b: T) => number): Ranked<T> {
  return { compare, chunks: [] };
}

export function cloneRanked<T extends RankedItem>({ compare, chunks }: Ranked<T>): Ranked<T> {
  return { compare, chunks: chunks.map(({ items, most }) => ({ items: [...items], most })) };
}

/** Puts the item where it belongs. It must not be in the list yet. */
export function insertRanked<T extends RankedItem>(ranked: Ranked<T>, item: T): void {
  const { chunks } = ranked;
  const at = Math.max(0, Math.min(chunkOf(ranked, item), chunks.length - 1));
  chunks[at] ??= { items: [], most: item.free };
  const chunk = chunks[at] as Chunk<T>;
  chunk.items.splice(placeIn(ranked, chunk.items, item), 0, item);
  chunk.most = Math.max(chunk.most, item.free);
  if (chunk.items.length <= longest) return;
  const half = chunk.items.splice(longest / 2);
  chunk.most = mostOf(chunk.items);
  chunks.splice(at + 1, 0, { items: half, most: mostOf(half) });
}

/** Takes out the item that is equal to this one, if there is one. */
export function removeRanked<T extends RankedItem>(ranked: Ranked<T>, item: T): void {
  const { chunks, compare } = ranked;
  const at = chunkOf(ranked, item);
  const chunk = chunks[at];
  if (!chunk) return;
  const index = placeIn(ranked, chunk.items, item);
  const found = chunk.items[index];
  if (!found || compare(found, item) !== 0) return;
  chunk.items.splice(index, 1);
  if (chunk.items.length === 0) chunks.splice(at, 1);
  else if (found.free >= chunk.most) chunk.most = mostOf(chunk.items);
}

/**
 * The first item at or after the position, in the direction, in a chunk where `needed` MB are free somewhere; the position moves
 * to it. Undefined at the end.
 */
export function walkRanked<T extends RankedItem>(
  { chunks }: Ranked<T>,
  position: Position,
  backward: boolean,
  needed: number,
): T | undefined {
  for (;;) {
    const chunk = chunks[backward ? chunks.length - 1 - position.chunk : position.chunk];
    if (!chunk) return undefined;
    const { items, most } = chunk;
    if (position.item < items.length && most >= needed) {
      return items[backward ? items.length - 1 - position.item : position.item];
    }
    position.chunk += 1;
    position.item = 0;
  }
}

function mostOf(items: readonly RankedItem[]): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const { free } of items) if (free > most) most = free;
  return most;
}

/** The first chunk that does not end before the item. */
function chunkOf<T extends RankedItem>({ chunks, compare }: Ranked<T>, item: T): number {
  let low = 0;
  let high = chunks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const last = chunks[middle]?.items.at(-1) as T;
    if (compare(last, item) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function placeIn<T extends RankedItem>({ compare }: Ranked<T>, items: readonly T[], item: T): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(items[middle] as T, item) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
