/**
 * The best node for a wish without a look at all nodes: classes of like nodes answer the standing filters once, and each is
 * walked from its best node on. A walk goes on where the one before it ended, because within one plan room only becomes less.
 * The answer is the same as that of a look at all nodes (`compareCandidates`), which a test holds it to.
 */
import type { NodeId } from '../../schemas/names.ts';
import type { Candidate, Wish } from './candidates.ts';
import { momentFilters, standingFilters } from './filters.ts';
import type { Policy, View } from './model.ts';
import { compareRank, labelsIn, type Spot } from './node-index.ts';
import { createRanked, insertRanked, type Position, type Ranked, removeRanked, walkRanked } from './ranked.ts';
import { labelValue, type Scene } from './scene.ts';
import { around, rankOf } from './score.ts';

export interface Chooser {
  /** The best node; `unsuited` when the index cannot tell, and all nodes must be looked at. */
  choose(wish: Wish): Candidate | 'none' | 'unsuited';
  /** The node got a copy of the service: it is one more on it from now on. */
  took(id: NodeId): void;
}

/** A sorted list on its way from best to worst. */
interface Strand {
  readonly ranked: Ranked<Spot>;
  /** What is before it will not be admitted any more in this plan. */
  at: Position;
  /** Where this walk is. */
  probe: Position;
  /** So far this walk met only what will not be admitted any more. */
  firm: boolean;
  /** Ours to change: what will not be admitted any more is taken out. */
  readonly own: boolean;
}

interface Lane {
  readonly values: readonly (string | undefined)[];
  readonly empty: Strand;
  /** By instances of the service on the node: those with at least one. */
  readonly levels: Map<number, Strand>;
}

interface Kind {
  readonly run: Wish['run'];
  readonly placement: Wish['placement'];
  readonly yields: boolean;
  /** By class; only classes of a kind to take the wish. */
  readonly lanes: ReadonlyMap<string, Lane>;
  /** Where the nodes with instances are. */
  readonly heavy: Map<NodeId, { readonly strand: Strand; readonly spot: Spot }>;
}

export function createChooser(view: View, policy: Policy, scene: Scene, at: (id: NodeId) => Candidate): Chooser {
  const backward = policy.placement === 'best_fit';
  const { index } = view;
  let kind: Kind | undefined;

  const file = ({ lanes, heavy }: Kind, id: NodeId): void => {
    const known = heavy.get(id);
    if (known) removeRanked(known.strand.ranked, known.spot);
    const base = index.spots.get(id);
    const lane = base && lanes.get(base.group);
    if (!lane) return;
    const spot = { ...base, ...rankOf(at(id)) };
    const level = scene.weight(id);
    const strand = lane.levels.get(level) ?? strandOf(createRanked<Spot>(compareRank), true);
    lane.levels.set(level, strand);
    insertRanked(strand.ranked, spot);
    heavy.set(id, { strand, spot });
  };

  const kindOf = (wish: Wish): Kind => {
    const { run, placement, yields = false } = wish;
    if (kind?.run === run && kind.placement === placement && kind.yields === yields) return kind;
    const lanes = new Map<string, Lane>();
    for (const [group, ranked] of index.groups) {
      const sample = ranked.chunks[0]?.items[0];
      const candidate = sample && at(sample.id);
      if (!candidate || !standingFilters.every((filter) => filter.admits(candidate, wish))) continue;
      const values = (placement.spread ?? []).map(({ label }) => labelValue(candidate.facts.labels, label));
      lanes.set(group, { values, empty: strandOf(ranked, false), levels: new Map() });
    }
    const made: Kind = { run, placement, yields, lanes, heavy: new Map() };
    for (const id of scene.heavy()) file(made, id);
    kind = made;
    return made;
  };

  /** The best of the heads that is admitted. */
  const bestOf = (strands: readonly Strand[], wish: Wish): Candidate | undefined => {
    // Who needs nothing goes also where more is promised than there is.
    const needed = wish.run.memory ? wish.run.memory - 0.001 : Number.NEGATIVE_INFINITY;
    for (const strand of strands) {
      strand.probe = { ...strand.at };
      strand.firm = true;
    }
    for (;;) {
      let best: { readonly strand: Strand; readonly spot: Spot } | undefined;
      for (const strand of strands) {
        const spot = walkRanked(strand.ranked, strand.probe, backward, needed);
        if (!spot) continue;
        const order = best ? compareRank(spot, best.spot) : -1;
        if (!best || (backward ? order > 0 : order < 0)) best = { strand, spot };
      }
      if (!best) return undefined;
      const { strand, spot } = best;
      if (strand.own || scene.weight(spot.id) === 0) {
        const candidate = at(spot.id);
        const verdict = judge(candidate, wish, scene);
        if (verdict === 'yes') return candidate;
        if (verdict === 'not now') strand.firm = false;
      }
      pass(strand, spot);
    }
  };

  const bestOfTier = (lanes: readonly Lane[], wish: Wish): Candidate | undefined => {
    const empty = bestOf(
      lanes.map((lane) => lane.empty),
      wish,
    );
    if (empty) return empty;
    const levels = [...new Set(lanes.flatMap((lane) => [...lane.levels.keys()]))].sort((a, b) => a - b);
    for (const level of levels) {
      const strands = lanes.flatMap((lane) => lane.levels.get(level) ?? []);
      const found = bestOf(strands, wish);
      if (found) return found;
    }
    return undefined;
  };

  return {
    choose(wish) {
      if (labelsIn(wish).some((label) => !index.keys.has(label))) return 'unsuited';
      const { lanes } = kindOf(wish);
      for (const tier of tiersOf([...lanes.values()], wish, scene)) {
        const found = bestOfTier(tier, wish);
        if (found) return found;
      }
      return 'none';
    },
    took(id) {
      if (kind) file(kind, id);
    },
  };
}

function strandOf(ranked: Ranked<Spot>, own: boolean): Strand {
  return { ranked, at: { chunk: 0, item: 0 }, probe: { chunk: 0, item: 0 }, firm: true, own };
}

function pass(strand: Strand, spot: Spot): void {
  if (strand.own && strand.firm) {
    removeRanked(strand.ranked, spot);
    return;
  }
  strand.probe.item += 1;
  if (!strand.own && strand.firm) strand.at = { ...strand.probe };
}

/** `never`: nor will it be in this plan, whatever else is placed. */
function judge(candidate: Candidate, wish: Wish, scene: Scene): 'yes' | 'not now' | 'never' {
  const filter = momentFilters.find((one) => !one.admits(candidate, wish, scene));
  if (!filter) return 'yes';
  const passes = filter.name === 'apart' || filter.name === 'spread' || (filter.name === 'ports' && wish.yields);
  return passes ? 'not now' : 'never';
}

/** Lanes in the order of the spread rules; equal ones together. */
function tiersOf(lanes: readonly Lane[], wish: Wish, scene: Scene): readonly (readonly Lane[])[] {
  const rules = wish.placement.spread ?? [];
  if (rules.length === 0) return [lanes];
  const known = new Map<string, { readonly counts: readonly number[]; readonly lanes: Lane[] }>();
  for (const lane of lanes) {
    const counts = rules.map(({ label }, n) => around(lane.values[n], label, wish, scene));
    const tier = known.get(counts.join());
    if (tier) tier.lanes.push(lane);
    else known.set(counts.join(), { counts, lanes: [lane] });
  }
  const byCounts = (a: readonly number[], b: readonly number[]): number => {
    const differs = a.findIndex((one, n) => one !== b[n]);
    return differs < 0 ? 0 : (a[differs] as number) - (b[differs] as number);
  };
  return [...known.values()].sort((a, b) => byCounts(a.counts, b.counts)).map((tier) => tier.lanes);
}
