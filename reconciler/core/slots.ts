/** Which slots a service should have, and on which node a slot is bound to be. */
import { type CopyId, instanceName, type NodeId } from '../../schemas/names.ts';
import type { Placement } from '../../schemas/spec.ts';
import { variablesOf } from '../../schemas/variables.ts';
import type { Seat } from './deviations.ts';
import { stayingSlots } from './drain.ts';
import { isCalled, matchesLabels, missingLabels } from './filters.ts';
import type { Desired, Node, View } from './model.ts';
import { archOf, capacityOf, isSeed, labelsOf } from './node-facts.ts';
import { hasVolumes } from './volumes.ts';

export interface WantedSlot {
  readonly slot: number;
  readonly instance: string;
  /** The node that it belongs to: whose ordinal the slot is (`replicas: every`), or that it was bound to. */
  readonly bound?: NodeId;
  /** The node that has its volumes; then it is bound to it. */
  readonly home?: NodeId;
  /** The node that it was told to go to, and then is free again. */
  readonly to?: NodeId;
  /** It is being moved there. */
  readonly moving?: true;
  /** Copies up to this one are to be replaced: it is restarted. */
  readonly after?: CopyId;
  /** A drained node that it could not leave: its copy there counts as long as that node is there. */
  readonly stays?: NodeId;
}

/** Ascending. */
export function wantedSlots(view: View, desired: Desired): readonly WantedSlot[] {
  const { name, run, replicas, placement } = desired.spec;
  const of = (slot: number): WantedSlot => ({ slot, instance: instanceName(name, slot) });
  if (replicas !== 'every') {
    const stays = stayingSlots(view, desired);
    return [...new Set(desired.slots)]
      .sort((a, b) => a - b)
      .map((slot) => ({
        ...of(slot),
        ...placeOf(view, desired.seats?.[slot], homeOf(view, desired, slot)),
        ...renewOf(desired, slot),
        ...(stays.has(slot) ? { stays: stays.get(slot) as NodeId } : {}),
      }));
  }
  const has = new Set([...(view.copies.get(name)?.values() ?? [])].map((copy) => `${copy.node} ${copy.slot}`));
  const variables = variablesOf(run);
  return [...view.nodes.values()]
    .filter((node) => {
      const hasCopy = has.has(`${node.record.id} ${node.record.ordinal}`);
      return isMatch(view, node, placement, hasCopy) && (hasCopy || hasLabels(node, variables));
    })
    .map(({ record }) => ({ ...of(record.ordinal), bound: record.id, ...renewOf(desired, record.ordinal) }))
    .sort((a, b) => a.slot - b.slot);
}

function renewOf({ renew }: Desired, slot: number): Pick<WantedSlot, 'after'> {
  const after = renew?.[slot];
  return after === undefined ? {} : { after };
}

/** Where its volumes are, if it has some: nowhere else is its data. What may leave it behind has none on a node that was removed. */
function homeOf(view: View, { spec }: Desired, slot: number): NodeId | undefined {
  const home = hasVolumes(spec.run) ? view.homes.get(instanceName(spec.name, slot)) : undefined;
  return home !== undefined && spec.placement.portable && !view.nodes.has(home) ? undefined : home;
}

/** A node that was forgotten is nobody's place, unless it took data with it; nor is one that is drained, but for what belongs there. */
function placeOf(
  view: View,
  seat: Seat | undefined,
  home: NodeId | undefined,
): Pick<WantedSlot, 'bound' | 'home' | 'to' | 'moving'> {
  const record = seat?.to === undefined ? undefined : view.nodes.get(seat.to)?.record;
  const isOpen = record !== undefined && (seat?.keep === true || record.cordon?.drain === undefined);
  if (seat?.to === undefined || !isOpen) return home === undefined ? {} : { bound: home, home };
  return {
    ...(seat.keep ? { bound: seat.to } : { to: seat.to }),
    ...(seat.command === 'move' ? { moving: true } : {}),
  };
}

/** A node that cannot fill in the environment gets no slot; one whose label left later keeps what it has. */
function hasLabels(node: Node, variables: readonly string[]): boolean {
  const labels = labelsOf(node);
  return labels === undefined || missingLabels(labels, variables).length === 0;
}

/** Unknown labels drop nothing and start nothing: such a node keeps what it has. */
function isMatch(view: View, node: Node, placement: Placement, hasCopy: boolean): boolean {
  if (placement.clusters.length > 0 && !placement.clusters.includes(view.cluster)) return false;
  const arch = archOf(node);
  if (arch !== undefined && placement.arch && !placement.arch.includes(arch)) return false;
  if (placement.nodes.length > 0 && !placement.nodes.some((name) => isCalled(node, name))) return false;
  // Of unknown size, and not named: it takes only what names it.
  if (isSeed(node) && placement.nodes.length === 0 && capacityOf(node) === undefined) return false;
  const labels = labelsOf(node);
  if (labels === undefined || node.information === undefined) return hasCopy || placement.labels.length === 0;
  return matchesLabels(labels, placement.labels);
}
