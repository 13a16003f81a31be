/**
 * What a placement must know of other copies: where those of the same service are, what it is to be kept apart from, which ports
 * are taken. Made once per plan of a service; what is placed in the same plan counts at once.
 */
import type { InstanceName, NodeId, ServiceName } from '../../schemas/names.ts';
import type { Now } from '../../schemas/ports.ts';
import type { ApartRule } from '../../schemas/spec.ts';
import type { Candidate, Wish } from './candidates.ts';
import { penaltiesOf } from './failures.ts';
import type { Copy, Node, Policy, View } from './model.ts';
import { addressOf, labelsOf } from './node-facts.ts';
import { presenceOf } from './presence.ts';

export interface Scene {
  /** Instances of the service on the node, and failures of it there: the fewer the better. */
  weight(id: NodeId): number;
  /** Nodes with a weight. */
  heavy(): Iterable<NodeId>;
  /** The instance that keeps this one away from the node; undefined when none does. */
  neighbour(candidate: Place, wish: Wish): Neighbour | undefined;
  /** Other instances of the service on nodes with this value of the label. */
  count(label: string, value: string, instance: InstanceName): number;
  /** The least of these counts, over all values that the wish could go to. */
  fewest(label: string, wish: Wish): number;
  /** It has no copy anywhere, and nothing of it was placed. */
  isNew(instance: InstanceName): boolean;
  /** Who has the port on the node's address: another instance than this one, if there is one. */
  portHolder(node: Node, key: string, own: InstanceName): InstanceName | undefined;
  /** The wish got this place. */
  take(candidate: Candidate, wish: Wish): void;
}

export interface Neighbour {
  readonly instance: InstanceName;
  /** The label that both nodes have the same value of; absent: it is on the same node. */
  readonly label?: string;
}

/** As much of a candidate as neighbourhood needs. */
interface Place {
  readonly id: NodeId;
  readonly facts: { readonly labels: Candidate['facts']['labels'] };
}

/** Instances by where they are: by the node's value of a label, and by node where there is none. */
interface Occupied {
  readonly byValue: Map<string, InstanceName[]>;
  readonly byNode: Map<NodeId, InstanceName[]>;
}

const nowhere: readonly never[] = [];

/** What only a look at all nodes can tell. */
export interface Surroundings {
  /** Nodes that publish ports on this address. */
  at(address: string): Iterable<NodeId>;
  /** Values of the label among nodes that are of a kind to take the wish. */
  values(label: string, wish: Wish): ReadonlySet<string>;
}

export function createScene(
  view: View,
  service: ServiceName,
  policy: Policy,
  now: Now,
  surroundings: Surroundings,
): Scene {
  const weights = new Map<NodeId, number>(penaltiesOf(view, service, now.mono));
  const standing = [...(view.copies.get(service)?.values() ?? [])].filter(({ job }) => job && job.want !== 'stopped');
  for (const { node } of standing) weights.set(node, (weights.get(node) ?? 0) + 1);
  const known = lazily(() => new Set([...(view.copies.get(service)?.values() ?? [])].map(({ instance }) => instance)));
  const homes = lazily(() => homesOf(standing));
  /** Instances per value, by label. */
  const tallies = new Map<string, Map<string, number>>();
  /** Ports taken in this plan, by address. */
  const taken = new Map<string, InstanceName>();
  const isLost = (node: Node): boolean => presenceOf(node, policy, now).state === 'lost';
  const count = (label: string, value: string, instance: InstanceName): number => {
    let counts = tallies.get(label);
    if (!counts) {
      counts = tally(label);
      tallies.set(label, counts);
    }
    let others = counts.get(value) ?? 0;
    for (const id of homes().get(instance) ?? nowhere) if (valueAt(id, label) === value) others -= 1;
    return others;
  };
  const valueAt = (id: NodeId, label: string): string | undefined => {
    const node = view.nodes.get(id);
    return node && !isLost(node) ? labelValue(labelsOf(node), label) : undefined;
  };
  const tally = (label: string): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const { node } of standing) increase(counts, valueAt(node, label));
    return counts;
  };
  const rules = lazily(() => rulesOf(view, service).map((rule) => ({ rule, places: occupied(view, rule, isLost) })));

  return {
    weight: (id) => weights.get(id) ?? 0,
    heavy: () => weights.keys(),
    neighbour(candidate, { instance }) {
      for (const { rule, places } of rules()) {
        for (const found of occupantsOf(places, candidate, rule.label)) {
          if (found === instance) continue;
          return { instance: found, ...(rule.label === undefined ? {} : { label: rule.label }) };
        }
      }
      return undefined;
    },
    count,
    fewest(label, wish) {
      let fewest = Number.POSITIVE_INFINITY;
      for (const value of surroundings.values(label, wish)) {
        fewest = Math.min(fewest, count(label, value, wish.instance));
      }
      return fewest;
    },
    isNew: (instance) => !known().has(instance),
    portHolder(node, key, own) {
      const address = addressOf(node);
      let found = taken.get(`${address} ${key}`);
      // Several nodes may have one address, in any order: of others the first by name.
      for (const id of surroundings.at(address)) {
        const holder = view.reserved.get(id)?.ports.get(key);
        if (holder === undefined || (holder === own && found !== undefined)) continue;
        if (found === undefined || found === own || holder < found) found = holder;
      }
      return found;
    },
    take({ id, node, facts }, { instance, ports }) {
      weights.set(id, (weights.get(id) ?? 0) + 1);
      known().add(instance);
      for (const [label, counts] of tallies) increase(counts, labelValue(facts.labels, label));
      for (const key of ports) taken.set(`${addressOf(node)} ${key}`, instance);
      for (const { rule, places } of rules()) {
        if (rule.services.includes(service)) occupy(places, { id, facts }, rule.label, instance);
      }
    },
  };
}

/** Nodes of each instance. */
function homesOf(copies: readonly Copy[]): Map<InstanceName, NodeId[]> {
  const homes = new Map<InstanceName, NodeId[]>();
  for (const { instance, node } of copies) homes.set(instance, [...(homes.get(instance) ?? []), node]);
  return homes;
}

function increase(counts: Map<string, number>, value: string | undefined): void {
  if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
}

/** Its own rules, and those of services that want to be apart from it. */
function rulesOf(view: View, service: ServiceName): ApartRule[] {
  const own = view.desired.get(service)?.spec.placement.apart ?? [];
  const others = [...(view.shunnedBy.get(service) ?? [])].filter((by) => by !== service).sort();
  const theirs = others.flatMap((by) =>
    (view.desired.get(by)?.spec.placement.apart ?? [])
      .filter(({ services }) => services.includes(service))
      .map((rule): ApartRule => ({ ...rule, services: [by] })),
  );
  return [...own, ...theirs];
}

function occupied(view: View, rule: ApartRule, isLost: (node: Node) => boolean): Occupied {
  const places: Occupied = { byValue: new Map(), byNode: new Map() };
  for (const service of rule.services) {
    for (const copy of [...(view.copies.get(service)?.values() ?? [])].sort(byInstance)) {
      const node = view.nodes.get(copy.node);
      if (!node || isLost(node)) continue;
      occupy(places, { id: copy.node, facts: { labels: labelsOf(node) } }, rule.label, copy.instance);
    }
  }
  return places;
}

function byInstance(a: Copy, b: Copy): number {
  return a.instance < b.instance ? -1 : a.instance > b.instance ? 1 : 0;
}

function occupy(places: Occupied, { id, facts }: Place, label: string | undefined, instance: InstanceName): void {
  const value = label === undefined ? undefined : labelValue(facts.labels, label);
  if (value === undefined) addTo(places.byNode, id, instance);
  else addTo(places.byValue, value, instance);
}

function addTo(map: Map<string, InstanceName[]>, key: string, instance: InstanceName): void {
  const known = map.get(key);
  if (known) known.push(instance);
  else map.set(key, [instance]);
}

/** A node without the label is a place of its own. */
function occupantsOf(places: Occupied, { id, facts }: Place, label: string | undefined): readonly InstanceName[] {
  const value = label === undefined ? undefined : labelValue(facts.labels, label);
  return (value === undefined ? places.byNode.get(id) : places.byValue.get(value)) ?? nowhere;
}

/** The node's value of a label. */
export function labelValue(labels: Readonly<Record<string, string>> | undefined, label: string): string | undefined {
  return labels && Object.hasOwn(labels, label) ? labels[label] : undefined;
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
