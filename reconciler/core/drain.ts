/** Draining a node: what must leave it, and what could not. Whatever can run elsewhere moves by the rules of an update. */
import type { NodeId } from '../../schemas/names.ts';
import type { Copy, Desired, Node, View } from './model.ts';

/** Must this copy go because its node is drained? A one-shot copy runs to its end where it is: nowhere else would it go on. */
export function isLeaving(node: Node, { job }: Copy): boolean {
  return node.record.cordon?.drain !== undefined && !(job && node.part.documents[job.digest]?.one_shot);
}

/** Slots whose copies could not leave a drained node, while they are to run as they were tried. */
export function stayingSlots(view: View, desired: Desired): ReadonlyMap<number, NodeId> {
  const found = new Map<number, NodeId>();
  const digest = digestToRun(view, desired);
  for (const { slot, instance, node } of view.copies.get(desired.spec.name)?.values() ?? []) {
    const stay = view.nodes.get(node)?.record.cordon?.drain?.stays[instance];
    if (stay?.digest === digest) found.set(slot, node);
  }
  return found;
}

/** The wanted one, or after a failed update the one before it. */
export function digestToRun(view: View, { spec }: Desired): string {
  const rollout = view.rollouts.get(spec.name);
  const isBack = rollout?.phase === 'rolled_back' && rollout.digest === spec.digest;
  return (isBack && rollout.good?.digest) || spec.digest;
}
