/** Instances with data on their node. */
import type { InstanceName, NodeId } from '../../schemas/names.ts';
import type { Now } from '../../schemas/ports.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Desired, Node, Policy, View } from './model.ts';
import { presenceOf } from './presence.ts';
import type { WantedSlot } from './slots.ts';

/** Does it keep data on its node? */
export function hasVolumes({ volumes = [] }: Pick<RunSpec, 'volumes'>): boolean {
  return volumes.length > 0;
}

/** The slot, bound to its data if the version that it gets has some: the wanted one may have none. Who is told where to go, goes. */
export function atHome<T extends Pick<WantedSlot, 'instance' | 'bound' | 'to' | 'home'>>(
  { homes }: Pick<View, 'homes'>,
  slot: T,
  run: RunSpec,
): T {
  const home = hasVolumes(run) ? homes.get(slot.instance) : undefined;
  return home === undefined || slot.bound !== undefined || slot.to !== undefined
    ? slot
    : { ...slot, bound: home, home };
}

/** A slot, and what keeps it from being placed. */
interface Homed<T> {
  readonly slot: T;
  readonly hold?: Hold;
}

/**
 * The slot as it may be placed: bound to its data, or to no node if that is lost and may be left behind. `hold`: it waits for its
 * data, whatever of it runs elsewhere.
 */
export function whereItsDataIs<T extends WantedSlot>(
  { view, desired, policy, now }: Readonly<{ view: View; desired: Desired; policy: Policy; now: Now }>,
  slot: T,
  run: RunSpec,
): Homed<T> {
  const wanted = atHome(view, slot, run);
  const where = wanted.home === undefined ? undefined : lostHome(view, wanted.home, policy, now);
  if (where === undefined) return { slot: wanted };
  if (!desired.spec.placement.portable) return { slot: wanted, hold: lostHomeHold(wanted.instance, where) };
  const { bound: _home, ...unbound } = wanted;
  return { slot: unbound as T };
}

/** Why its data cannot be had: its node is lost, or was removed. Undefined while the node is there, or may come back any moment. */
export function lostHome(view: View, home: NodeId, policy: Policy, now: Now): string | undefined {
  const node = view.nodes.get(home);
  const heir = node ? undefined : heirOf(view, home);
  if (heir) return `the machine that ${heir.record.name} was before it was replaced`;
  if (!node) return `a node that was removed (${home})`;
  return presenceOf(node, policy, now).state === 'lost' ? `${node.record.name}, which is lost` : undefined;
}

/** Who has the place of a node that is gone. */
function heirOf({ heirs, nodes }: Pick<View, 'heirs' | 'nodes'>, id: NodeId): Node | undefined {
  let heir = heirs.get(id);
  while (heir !== undefined && heirs.has(heir)) heir = heirs.get(heir);
  return heir === undefined ? undefined : nodes.get(heir);
}

/** Where its data is, if that is not on this node and may not be left behind. */
export function dataElsewhere(
  { homes }: Pick<View, 'homes'>,
  instance: InstanceName,
  { spec }: Pick<Desired, 'spec'>,
  to: NodeId | undefined,
): NodeId | undefined {
  const home = homes.get(instance);
  const isHere = to === undefined || home === to;
  return isHere || !hasVolumes(spec.run) || spec.placement.portable ? undefined : home;
}

/** The instance waits for its data. */
export function lostHomeHold(instance: InstanceName, where: string): Hold {
  return {
    code: 'VOLUME_ON_LOST_NODE',
    subject: instance,
    message: `its data is on ${where}; it waits for its return`,
    hint: `to start it elsewhere with empty volumes: oakctl move ${instance} --to <node> --accept-empty-volume`,
  };
}

/**
 * `replicas: every` gives numbers to nodes, and a number may have data elsewhere from before: it would start empty. Undefined: it
 * has none, or may.
 */
export function elsewhereHold(
  view: Pick<View, 'homes' | 'nodes' | 'heirs'>,
  { spec }: Pick<Desired, 'spec'>,
  { instance, bound }: WantedSlot,
  run: RunSpec,
): Hold | undefined {
  const { homes, nodes } = view;
  const home = homes.get(instance);
  if (spec.replicas !== 'every' || home === undefined || home === bound) return undefined;
  if (!hasVolumes(run) || spec.placement.portable) return undefined;
  const heir = heirOf(view, home);
  if (heir && heir.record.id === bound) return replacedHold(instance, heir.record.name);
  const [there, here] = [home, bound ?? ''].map(
    (id) => nodes.get(id)?.record.name ?? `a node that was removed (${id})`,
  );
  return {
    code: 'VOLUME_ELSEWHERE',
    subject: instance,
    message: `its data is on ${there}, and by \`replicas: every\` it belongs to ${here}, where it would start empty`,
    hint: 'write a number of replicas again, or `portable: true` for each volume: then it starts empty, and the data stays',
  };
}

/** An instance that belongs to its node cannot be moved: who replaced the machine says whether it may start empty. */
function replacedHold(instance: InstanceName, name: string): Hold {
  return {
    code: 'VOLUME_ON_LOST_NODE',
    subject: instance,
    message: `its data is on the machine that ${name} was before it was replaced`,
    hint: `\`portable: true\` for each volume starts it empty; the next time: oakctl nodes add --replace ${name} --accept-empty-volume`,
  };
}
