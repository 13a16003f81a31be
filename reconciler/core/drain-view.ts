/** How far the draining of a node is, for people: what is left there, and what belongs there. */

import type { InstanceName } from '../../schemas/names.ts';
import type { DrainView } from '../../schemas/views.ts';
import { digestToRun } from './drain.ts';
import type { Copy, Node } from './model.ts';
import { wantedSlots } from './slots.ts';
import type { ViewInput } from './view-input.ts';
import { wantedOf } from './wanted.ts';

/** Undefined for a node that is not drained. */
export function drainView(input: ViewInput, node: Node): DrainView | undefined {
  if (!node.record.cordon?.drain) return undefined;
  const told = new Map<InstanceName, Told>();
  for (const copy of input.view.copiesOn.get(node.record.id)?.values() ?? []) {
    const verdict = tellOf(input, node, copy);
    if (verdict) told.set(copy.instance, verdict);
  }
  const sorted = [...told].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    left: sorted.flatMap(([instance, { apart, message, stuck }]) =>
      apart ? [] : [{ instance, message, ...(stuck ? { stuck } : {}) }],
    ),
    apart: sorted.flatMap(([instance, { apart, message }]) => (apart ? [{ instance, message }] : [])),
  };
}

function placeText(hasData: boolean, isEvery: boolean): string {
  if (hasData) return 'its data is on this node';
  return isEvery ? 'every node has one' : 'it belongs to this node';
}

interface Told {
  readonly apart?: true;
  readonly message: string;
  readonly stuck?: true;
}

/** Undefined: nothing of it runs here any more. */
function tellOf(input: ViewInput, node: Node, { service, slot, instance, job, report }: Copy): Told | undefined {
  if (report?.status === 'completed') return undefined;
  if (!job) return { message: 'stops' };
  const desired = wantedOf(input.view, service);
  if (desired?.spec.schedule && report?.status === 'stopped') return undefined;
  const hold = input.plans.get(service)?.holds.find(({ subject }) => subject === instance || subject === service);
  if (!desired) return { apart: true, message: hold?.message ?? 'nothing asks for it' };
  const wanted = wantedSlots(input.view, desired).find((one) => one.slot === slot);
  if (wanted?.bound === node.record.id)
    return {
      apart: true,
      message: placeText(wanted.home !== undefined, desired.spec.replicas === 'every'),
    };
  if (node.part.documents[job.digest]?.one_shot) return { message: 'it runs to its end' };
  const stay = node.record.cordon?.drain?.stays[instance];
  if (stay?.digest === digestToRun(input.view, desired))
    return { message: `it failed elsewhere: ${stay.reason}`, stuck: true };
  return { message: hold ? `${hold.code}: ${hold.message}` : 'moves' };
}
