/** Copies that go on where they would not be placed any more: the descriptor, or the node, says something else than on that day. */
import type { Placement } from '../../schemas/spec.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Seen, SlotState } from './classify.ts';
import { formatRule, isCalled, matchesLabels } from './filters.ts';
import type { Desired, View } from './model.ts';
import { archOf, labelsOf } from './node-facts.ts';
import { hasVolumes } from './volumes.ts';

/**
 * Says what of its node does not fit the placement that is wanted now; undefined when it fits, or nobody knows. What serves is moved
 * by people only. Jobs that run once would begin again: they end where they are.
 */
export function unfitHold(
  { cluster }: Pick<View, 'cluster'>,
  { spec }: Pick<Desired, 'spec'>,
  slot: SlotState,
): Hold | undefined {
  const { target, instance } = slot;
  if (!target || target.run.one_shot) return undefined;
  const lack = lackOf(target, spec.placement, cluster);
  if (lack === undefined) return undefined;
  const message = `it runs on ${target.node.record.name} and would not be placed there any more: ${lack}`;
  return { code: 'PLACEMENT_CHANGED', subject: instance, message, hint: hintFor(slot, target) };
}

function lackOf({ node }: Seen, { clusters, nodes, labels: rules, arch: wanted }: Placement, cluster: string) {
  if (clusters.length > 0 && !clusters.includes(cluster)) return `it is for cluster ${clusters.join(' or ')}`;
  if (nodes.length > 0 && !nodes.some((name) => isCalled(node, name))) return `it is for ${nodes.join(' or ')}`;
  const labels = rules.length > 0 ? labelsOf(node) : undefined;
  const broken = labels && rules.filter((rule) => !matchesLabels(labels, [rule]));
  if (broken && broken.length > 0) return `it is for nodes with ${broken.map(formatRule).join(' and ')}`;
  const arch = wanted && archOf(node);
  return arch === undefined || wanted?.includes(arch) ? undefined : `it is for ${wanted?.join(' or ')}, not ${arch}`;
}

/** A restart finds another node by itself, unless the instance belongs to this one. */
function hintFor({ instance, bound }: SlotState, { run }: Seen): string {
  const move = `oakctl move ${instance} --to <node>`;
  if (hasVolumes(run)) return `to start it elsewhere with empty volumes: ${move} --accept-empty-volume`;
  return bound === undefined ? `oakctl restart ${instance} starts it where it fits; or ${move}` : move;
}
