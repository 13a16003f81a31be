/** Which of the admitted nodes gets it: order of preference, the same for the same input. */
import type { Candidate, Wish } from './candidates.ts';
import type { Policy } from './model.ts';
import { labelValue, type Scene } from './scene.ts';

/**
 * Negative when `a` is better: the preferred node, then values of spread labels with the fewest instances, then fewest instances
 * of the service (a failure there counts like one), then the policy: the emptiest node, or the fullest that has room; then name.
 */
export function compareCandidates(a: Candidate, b: Candidate, wish: Wish, scene: Scene, policy: Policy): number {
  return (
    Number(b.id === wish.prefer) - Number(a.id === wish.prefer) ||
    compareSpread(a, b, wish, scene) ||
    scene.weight(a.id) - scene.weight(b.id) ||
    (policy.placement === 'best_fit' ? compareFill(b, a) : compareFill(a, b)) ||
    (a.node.record.name < b.node.record.name ? -1 : 1)
  );
}

/** Steps in which nodes count as equally full. */
const steps = 64;

/** Emptier first: by the share of memory or cores that is promised, then by jobs, then by free memory. */
function compareFill(a: Candidate, b: Candidate): number {
  return fillOf(a) - fillOf(b) || a.jobs - b.jobs || descending(freeMemory(a), freeMemory(b));
}

/** Both may be infinite. */
function descending(a: number, b: number): number {
  return a > b ? -1 : a < b ? 1 : 0;
}

function fillOf({ capacity, reserved }: Candidate): number {
  const memory = capacity.memory > 0 ? reserved.memory / capacity.memory : 0;
  const vcpus = capacity.vcpus > 0 ? reserved.vcpus / capacity.vcpus : 0;
  return Math.floor(Math.max(memory, vcpus) * steps);
}

function freeMemory({ capacity, reserved }: Candidate): number {
  return capacity.memory - reserved.memory;
}

/** Instances at the node's value of each spread label. A node without the label comes after all others. */
function compareSpread(a: Candidate, b: Candidate, wish: Wish, scene: Scene): number {
  for (const { label } of wish.placement.spread ?? []) {
    const order = around(a, label, wish, scene) - around(b, label, wish, scene);
    if (order !== 0) return order;
  }
  return 0;
}

function around({ labels }: Candidate, label: string, { instance }: Wish, scene: Scene): number {
  const value = labelValue(labels, label);
  return value === undefined ? Number.MAX_SAFE_INTEGER : scene.count(label, value, instance);
}

/** The label by which the node is not among those with the fewest instances, and has to be; undefined when nothing is in the way. */
export function spreadBlock(candidate: Candidate, wish: Wish, scene: Scene): string | undefined {
  return wish.placement.spread?.find(
    ({ label, required }) => required && around(candidate, label, wish, scene) > scene.fewest(label, wish),
  )?.label;
}
