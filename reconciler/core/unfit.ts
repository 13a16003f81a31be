/** Copies that go on where they would not be placed any more: the descriptor, the node or what is beside says something else than on that day. */
import { missingGrant } from '../../schemas/grants.ts';
import { imageRefused } from '../../schemas/image-rules.ts';
import type { Placement, ServiceSpec } from '../../schemas/spec.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Seen, SlotState } from './classify.ts';
import { formatRule, isCalled, matchesLabels } from './filters.ts';
import type { Desired, View } from './model.ts';
import { archOf, labelsOf } from './node-facts.ts';
import type { Placer } from './place.ts';
import { hasVolumes } from './volumes.ts';

/**
 * Says what of its node does not fit the placement that is wanted now; undefined when it fits, or nobody knows. What serves is moved
 * by people only. Jobs that run once would begin again: they end where they are.
 */
export function unfitHold(
  view: Pick<View, 'cluster' | 'shunnedBy'>,
  { spec }: Pick<Desired, 'spec'>,
  slot: SlotState,
  placer: Pick<Placer, 'around'>,
): Hold | undefined {
  const { target, instance } = slot;
  if (!target || target.run.one_shot) return undefined;
  const lack =
    lackOf(target, spec.placement, view.cluster) ??
    refusalOf(target, spec) ??
    (hasNeighbours(view, spec) ? crowdOf(slot.instance, target, spec, placer) : undefined);
  if (lack === undefined) return undefined;
  const message = `it runs on ${target.node.record.name} and would not be placed there any more: ${lack}`;
  return { code: 'PLACEMENT_CHANGED', subject: instance, message, hint: hintFor(slot, target) };
}

/** Does a change of other nodes alone say whether its copies are where they ought to be? */
export function mustSpread({ placement }: Pick<ServiceSpec, 'placement'>): boolean {
  return placement.spread?.some(({ required }) => required) ?? false;
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

/** What its owner does not allow any more. The agent would not start it again, or not make it anew. */
function refusalOf({ node: { information }, run }: Seen, { name }: ServiceSpec): string | undefined {
  if (!information) return undefined;
  const missing = missingGrant(name, run, information.grants ?? []);
  if (missing) return `${missing.what} is not granted; policy.yaml, below grants, would need: ${missing.line}`;
  const why = imageRefused(run, information.accepts);
  return why === undefined ? undefined : `policy.yaml does not allow image ${run.code}: ${why}`;
}

/** Only then is it worth looking around. */
function hasNeighbours({ shunnedBy }: Pick<View, 'shunnedBy'>, spec: ServiceSpec): boolean {
  return (spec.placement.apart?.length ?? 0) > 0 || shunnedBy.has(spec.name) || mustSpread(spec);
}

function crowdOf(
  instance: string,
  { node, run, job }: Seen,
  { placement }: ServiceSpec,
  placer: Pick<Placer, 'around'>,
): string | undefined {
  const { neighbour, crowded } = placer.around({ instance, run, digest: job.digest, placement }, node.record.id);
  if (neighbour) {
    const where = neighbour.label === undefined ? 'is on it' : `is near by ${neighbour.label}`;
    return `${neighbour.instance}, from which it is to be kept apart, ${where}`;
  }
  return crowded === undefined ? undefined : `fewer of its instances are elsewhere by ${crowded}`;
}

/** A restart finds another node by itself, unless the instance belongs to this one. */
function hintFor({ instance, bound }: SlotState, { run }: Seen): string {
  const move = `oakctl move ${instance} --to <node>`;
  if (hasVolumes(run)) return `to start it elsewhere with empty volumes: ${move} --accept-empty-volume`;
  return bound === undefined ? `oakctl restart ${instance} starts it where it fits; or ${move}` : move;
}
