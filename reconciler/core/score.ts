/** Which of the admitted nodes gets it: order of preference, the same for the same input. */
import type { PlacementScore } from '../../schemas/views.ts';
import type { Candidate, Wish } from './candidates.ts';
import type { Policy } from './model.ts';
import { compareRank, type Rank, rankWith } from './node-index.ts';
import { labelValue, type Scene } from './scene.ts';

/**
 * Negative when `a` is better: the preferred node, then values of spread labels with the fewest instances, then fewest instances
 * of the service (a failure there counts like one), then the policy: the emptiest node, then the first by name, or the reverse of it.
 */
export function compareCandidates(a: Candidate, b: Candidate, wish: Wish, scene: Scene, policy: Policy): number {
  return (
    Number(b.id === wish.prefer) - Number(a.id === wish.prefer) ||
    compareSpread(a, b, wish, scene) ||
    scene.weight(a.id) - scene.weight(b.id) ||
    (policy.placement === 'best_fit' ? compareRank(rankOf(b), rankOf(a)) : compareRank(rankOf(a), rankOf(b)))
  );
}

/** What it is compared by, for people. */
export function scoreOf(candidate: Candidate, wish: Wish, scene: Scene): PlacementScore {
  const { facts, reserved, id } = candidate;
  const { capacity, labels } = facts;
  const share = (part: number, whole: number): number => (whole > 0 ? part / whole : 0);
  const promised = Math.max(share(reserved.memory, capacity.memory), share(reserved.vcpus, capacity.cpu));
  const free = capacity.memory - reserved.memory;
  const spread = (wish.placement.spread ?? []).map(({ label }) => {
    const value = labelValue(labels, label);
    const instances = value === undefined ? 0 : scene.count(label, value, wish.instance);
    return { label, ...(value !== undefined && { value }), instances };
  });
  return {
    ...(spread.length > 0 && { spread }),
    instances: scene.weight(id),
    promised: Math.round(promised * 1000) / 10,
    ...(Number.isFinite(free) && { free }),
  };
}

/** How full the candidate is, with what was placed on it in this plan. */
export function rankOf({ node, facts, reserved, jobs }: Candidate): Rank {
  return rankWith(node.record.name, facts.capacity, reserved, jobs);
}

/** Instances at the node's value of each spread label. A node without the label comes after all others. */
function compareSpread(a: Candidate, b: Candidate, wish: Wish, scene: Scene): number {
  for (const { label } of wish.placement.spread ?? []) {
    const order = at(a, label, wish, scene) - at(b, label, wish, scene);
    if (order !== 0) return order;
  }
  return 0;
}

function at({ facts }: Candidate, label: string, wish: Wish, scene: Scene): number {
  return around(labelValue(facts.labels, label), label, wish, scene);
}

/** Other instances at this value of the label; without a value, more than anywhere else. */
export function around(value: string | undefined, label: string, { instance }: Wish, scene: Scene): number {
  return value === undefined ? Number.MAX_SAFE_INTEGER : scene.count(label, value, instance);
}

/** The label by which the node is not among those with the fewest instances, and has to be; undefined when nothing is in the way. */
export function spreadBlock(candidate: Candidate, wish: Wish, scene: Scene): string | undefined {
  return wish.placement.spread?.find(
    ({ label, required }) => required && at(candidate, label, wish, scene) > scene.fewest(label, wish),
  )?.label;
}
