/**
 * The best node for a wish without a look at all nodes: classes of like nodes answer the standing filters once, and each is
 * walked from its best node on. A walk goes on where the one before it ended, because within one plan room only becomes less.
 * The answer is the same as that of a look at all nodes (`compareCandidates`), which a test holds it to. What is done for each
 * candidate makes no garbage: it is done a hundred thousand times a second.
 */
import type { NodeId } from '../../schemas/names.ts';
import type { Candidate, Wish } from './candidates.ts';
import { momentFilters, standingFilters } from './filters.ts';
import type { Policy, View } from './model.ts';
import { compareRank, labelsIn, type Spot, spotWith } from './node-index.ts';
import { createRanked, insertRanked, removeRanked } from './ranked.ts';
import { labelValue, type Scene } from './scene.ts';
import { rankOf } from './score.ts';
import { createStrand, isBetter, passHead, type Strand, startWalk } from './strand.ts';
import { createTiers, type Lane, type Tiers } from './tiers.ts';

export interface Chooser {
  /** The best node; `unsuited` when the index cannot tell, and all nodes must be looked at. */
  choose(wish: Wish): Candidate | 'none' | 'unsuited';
  /** The node got a copy of the service: it is one more on it from now on. */
  took(id: NodeId): void;
}

/** What wishes of one kind have in common. */
interface Kind {
  readonly run: Wish['run'];
  readonly placement: Wish['placement'];
  readonly yields: boolean;
  /** Labels that no class tells: no answer. */
  readonly unsuited: boolean;
  /** By class. */
  readonly lanes: ReadonlyMap<string, Lane>;
  readonly tiers: Tiers;
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
    const spot = spotWith(base, rankOf(at(id)));
    const level = scene.weight(id);
    let strand = lane.levels.get(level);
    if (!strand) {
      strand = createStrand(createRanked<Spot>(compareRank), true);
      lane.levels.set(level, strand);
    }
    insertRanked(strand.ranked, spot);
    heavy.set(id, { strand, spot });
  };

  const makeKind = (wish: Wish): Kind => {
    const { run, placement, yields = false } = wish;
    const lanes = new Map<string, Lane>();
    for (const [group, ranked] of index.groups) {
      const sample = ranked.chunks[0]?.items[0];
      const node = sample && view.nodes.get(sample.id);
      if (!node) continue;
      const like = { node, facts: sample.facts };
      if (!standingFilters.every((filter) => filter.admits(like, wish))) continue;
      const values = (placement.spread ?? []).map(({ label }) => labelValue(like.facts.labels, label));
      lanes.set(group, { values, empty: createStrand(ranked, false), levels: new Map() });
    }
    const unsuited = labelsIn(wish).some((label) => !index.keys.has(label));
    const tiers = createTiers([...lanes.values()], placement.spread ?? [], scene);
    const made: Kind = { run, placement, yields, unsuited, lanes, tiers, heavy: new Map() };
    for (const id of scene.heavy()) file(made, id);
    return made;
  };

  const kindOf = (wish: Wish): Kind => {
    const isSame =
      kind?.run === wish.run && kind.placement === wish.placement && kind.yields === (wish.yields ?? false);
    if (!kind || !isSame) kind = makeKind(wish);
    return kind;
  };

  /** The best of all that is admitted. */
  const bestOf = (strands: readonly Strand[], wish: Wish): Candidate | undefined => {
    // Who needs nothing goes also where more is promised than there is.
    const needed = wish.run.memory ? wish.run.memory - 0.001 : Number.NEGATIVE_INFINITY;
    for (const strand of strands) startWalk(strand, backward, needed);
    for (;;) {
      let best: Strand | undefined;
      for (const strand of strands) if (isBetter(strand, best, backward)) best = strand;
      const spot = best?.head;
      if (!best || !spot) return undefined;
      if (best.own || scene.weight(spot.id) === 0) {
        const candidate = at(spot.id);
        const verdict = judge(candidate, wish, scene);
        if (verdict === 'yes') return candidate;
        if (verdict === 'not now') best.firm = false;
      }
      passHead(best, backward, needed);
    }
  };

  const bestOfTier = (lanes: readonly Lane[], empties: readonly Strand[], wish: Wish): Candidate | undefined => {
    const empty = bestOf(empties, wish);
    if (empty) return empty;
    const levels = [...new Set(lanes.flatMap((lane) => [...lane.levels.keys()]))].sort((a, b) => a - b);
    for (const level of levels) {
      const found = bestOf(
        lanes.flatMap((lane) => lane.levels.get(level) ?? []),
        wish,
      );
      if (found) return found;
    }
    return undefined;
  };

  return {
    choose(wish) {
      const { unsuited, tiers } = kindOf(wish);
      if (unsuited) return 'unsuited';
      tiers.start(wish);
      for (let tier = tiers.next(); tier; tier = tiers.next()) {
        const found = bestOfTier(tier.lanes, tier.empties, wish);
        if (found) return found;
      }
      return 'none';
    },
    took(id) {
      if (kind) file(kind, id);
    },
  };
}

/** `never`: nor will it be in this plan, whatever else is placed. */
function judge(candidate: Candidate, wish: Wish, scene: Scene): 'yes' | 'not now' | 'never' {
  for (const filter of momentFilters) {
    if (filter.admits(candidate, wish, scene)) continue;
    const passes = filter.name === 'apart' || filter.name === 'spread' || (filter.name === 'ports' && wish.yields);
    return passes ? 'not now' : 'never';
  }
  return 'yes';
}
