/** A sorted list on its way from best to worst, and the walks along it. */
import { compareRank, type Spot } from './node-index.ts';
import { type Position, type Ranked, removeRanked, walkRanked } from './ranked.ts';

export interface Strand {
  readonly ranked: Ranked<Spot>;
  /** What is before it will not be admitted any more in this plan. */
  readonly at: Position;
  /** Where this walk is. */
  readonly probe: Position;
  /** What this walk meets next; undefined at the end. */
  head: Spot | undefined;
  /** The walk has not begun: `head` is what is at `at`. */
  fresh: boolean;
  /** So far this walk met only what will not be admitted any more. */
  firm: boolean;
  /** Ours to change: what will not be admitted any more is taken out. */
  readonly own: boolean;
}

export function createStrand(ranked: Ranked<Spot>, own: boolean): Strand {
  return {
    ranked,
    at: { chunk: 0, item: 0 },
    probe: { chunk: 0, item: 0 },
    head: undefined,
    fresh: false,
    firm: true,
    own,
  };
}

/** A new walk, past chunks where nobody has `needed` MB free. */
export function startWalk(strand: Strand, backward: boolean, needed: number): void {
  // Nobody changes the lists of the index during a plan.
  if (strand.fresh && !strand.own) return;
  strand.fresh = true;
  strand.probe.chunk = strand.at.chunk;
  strand.probe.item = strand.at.item;
  strand.firm = true;
  strand.head = walkRanked(strand.ranked, strand.probe, backward, needed);
}

/** The head was not admitted: on to the next. */
export function passHead(strand: Strand, backward: boolean, needed: number): void {
  const { ranked, at, probe, head } = strand;
  strand.fresh = strand.firm;
  if (strand.own && strand.firm && head) removeRanked(ranked, head);
  else {
    probe.item += 1;
    if (strand.firm) {
      at.chunk = probe.chunk;
      at.item = probe.item;
    }
  }
  strand.head = walkRanked(ranked, probe, backward, needed);
}

/** Does the walk have a head that comes before that of the other one? */
export function isBetter({ head }: Strand, best: Strand | undefined, backward: boolean): boolean {
  if (!head) return false;
  if (!best?.head) return true;
  const order = compareRank(head, best.head);
  return backward ? order > 0 : order < 0;
}
