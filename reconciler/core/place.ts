/** Finds a node for a copy, or says with numbers why there is none. What was promised counts as used. */
import type { InstanceName, NodeId, ServiceName } from '../../schemas/names.ts';
import type { Now } from '../../schemas/ports.ts';
import type { RuntimeName } from '../../schemas/spec.ts';
import type { Hold, HoldCode } from '../../schemas/status.ts';
import { portKeys } from './copy-index.ts';
import { type Candidate, type Filter, filters, isCalled, type PlaceRequest, runtimeFor } from './filters.ts';
import type { Node, Policy, Reserved, View } from './model.ts';
import { capacityOf, cordonOf, labelsOf } from './node-facts.ts';
import { presenceOf } from './presence.ts';
import { compareCandidates } from './score.ts';

export type Placed =
  | { readonly kind: 'placed'; readonly node: NodeId; readonly runtime: RuntimeName; readonly why: string }
  | { readonly kind: 'refused'; readonly hold: Hold };

/** Places the copies of one service one after the other: each sees what the ones before it took. */
export interface Placer {
  place(request: PlaceRequest): Placed;
  /** Every node that could take it, the best first; or why there is none. Takes nothing. */
  rank(request: PlaceRequest): { readonly nodes: readonly Node[] } | { readonly hold: Hold };
}

type Admitted =
  | { readonly best: Candidate; readonly runtime: RuntimeName; readonly others: readonly Candidate[] }
  | { readonly hold: Hold };

const nothing: Reserved = { memory: 0, vcpus: 0, vgpus: 0, ports: new Map() };

/** A placer for one plan of one service. */
export function createPlacer(view: View, service: ServiceName, policy: Policy, now: Now): Placer {
  const portsByAddress = new Map<string, Map<string, InstanceName>>();
  const collect = (): Map<NodeId, Candidate> => {
    const siblings = countSiblings(view, service);
    const nodes = [...view.nodes].sort(([, a], [, b]) => (a.record.name < b.record.name ? -1 : 1));
    return new Map(
      nodes.map(([id, node]) => {
        const reserved = view.reserved.get(id) ?? nothing;
        const ports = portsByAddress.get(addressOf(node)) ?? new Map<string, InstanceName>();
        for (const [key, instance] of reserved.ports) ports.set(key, instance);
        portsByAddress.set(addressOf(node), ports);
        return [id, candidateOf(node, reserved, ports, siblings.get(id) ?? 0, policy, now)];
      }),
    );
  };
  // Most plans place nothing: the nodes are looked at when the first copy wants a place.
  let collected: Map<NodeId, Candidate> | undefined;

  const admit = (candidates: ReadonlyMap<NodeId, Candidate>, request: PlaceRequest): Admitted => {
    const direct = directProblem(view, request);
    if (direct) return { hold: direct };
    const among = [...candidates.values()].filter(({ id }) => !request.only || request.only.has(id));
    const { admitted, refused } = sift(among, request);
    const [best, ...others] = admitted.sort((a, b) => compareCandidates(a, b, request));
    const runtime = best && runtimeFor(best.node, request.run);
    return best && runtime ? { best, runtime, others } : { hold: explain(among, refused, request) };
  };

  return {
    rank(request) {
      collected ??= collect();
      const found = admit(collected, request);
      return 'hold' in found ? found : { nodes: [found.best, ...found.others].map(({ node }) => node) };
    },
    place(request) {
      collected ??= collect();
      const candidates = collected;
      const found = admit(candidates, request);
      if ('hold' in found) return { kind: 'refused', hold: found.hold };
      const { best, runtime, others } = found;
      candidates.set(best.id, taken(best, request));
      const ports = portsByAddress.get(addressOf(best.node));
      for (const key of portKeys(request.run)) ports?.set(key, request.instance);
      return { kind: 'placed', node: best.id, runtime, why: reasonFor(best, others.length + 1, request) };
    },
  };
}

/** Where the node publishes ports. Agents on one machine share it. */
function addressOf(node: Node): string {
  return node.information?.ip ?? node.record.id;
}

function candidateOf(
  node: Node,
  reserved: Reserved,
  ports: ReadonlyMap<string, InstanceName>,
  siblings: number,
  policy: Policy,
  now: Now,
): Candidate {
  const capacity = capacityOf(node);
  return {
    node,
    id: node.record.id,
    state: presenceOf(node, policy, now).state,
    labels: labelsOf(node),
    cordon: cordonOf(node, policy),
    capacity: capacity && {
      vcpus: capacity.cpu * policy.cpuOvercommit,
      memory: capacity.memory,
      vgpus: capacity.gpu ?? 0,
    },
    reserved,
    ports,
    siblings,
  };
}

function countSiblings(view: View, service: ServiceName): Map<NodeId, number> {
  const counts = new Map<NodeId, number>();
  for (const { node, job } of view.copies.get(service)?.values() ?? []) {
    if (job && job.want !== 'stopped') counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return counts;
}

function sift(
  among: readonly Candidate[],
  request: PlaceRequest,
): { admitted: Candidate[]; refused: Map<Filter, Candidate[]> } {
  const refused = new Map<Filter, Candidate[]>();
  const admitted = among.filter((candidate) => {
    const filter = filters.find((one) => !one.admits(candidate, request));
    if (filter) refused.set(filter, [...(refused.get(filter) ?? []), candidate]);
    return !filter;
  });
  return { admitted, refused };
}

function taken(candidate: Candidate, { run }: PlaceRequest): Candidate {
  const { memory, vcpus, vgpus, ports } = candidate.reserved;
  const reserved = {
    memory: memory + (run.memory ?? 0),
    vcpus: vcpus + (run.vcpus ?? 0),
    vgpus: vgpus + (run.vgpus ?? 0),
    ports,
  };
  return { ...candidate, reserved, siblings: candidate.siblings + 1 };
}

function reasonFor(best: Candidate, admitted: number, request: PlaceRequest): string {
  if (request.only?.size === 1) return `on ${best.node.record.name}, where it belongs`;
  if (best.id === request.prefer) return `on ${best.node.record.name}, where it was`;
  return `on ${best.node.record.name}, the best of ${admitted} nodes that fit`;
}

/** Names that nobody has, or that several have, are said as such before any node is looked at. */
function directProblem(view: View, { placement, instance }: PlaceRequest): Hold | undefined {
  const say = (code: HoldCode, message: string, hint: string): Hold => ({ code, subject: instance, message, hint });
  const cluster = placement.clusters;
  if (cluster.length > 0 && !cluster.includes(view.cluster)) {
    return say(
      'OTHER_CLUSTER',
      `it is for cluster ${cluster.join(' or ')}, and this is ${view.cluster}`,
      'give each cluster its own folder below clusters/',
    );
  }
  const nodes = [...view.nodes.values()];
  for (const name of placement.nodes) {
    const called = nodes.filter((node) => isCalled(node, name));
    if (called.length > 1) {
      const names = called.map((node) => node.record.name).sort();
      const message = `${name} may be any of ${names.join(', ')}`;
      return say('DIRECT_NODE_AMBIGUOUS', message, 'write the node name itself');
    }
  }
  const known = placement.nodes.filter((name) => nodes.some((node) => isCalled(node, name)));
  if (placement.nodes.length === 0 || known.length > 0) return undefined;
  const expected = placement.nodes.filter((name) => view.expected.has(name));
  if (expected.length > 0) {
    return say('NODES_AWAY', `${expected.join(', ')}: in nodes.yaml, and never seen`, 'oakctl nodes token');
  }
  return say('DIRECT_NODE_UNKNOWN', `nobody knows ${placement.nodes.join(', ')}`, 'oakctl nodes ls');
}

/** One hold: the last filter in the way gives the code and comes first in the sentence. */
function explain(
  among: readonly Candidate[],
  refused: ReadonlyMap<Filter, readonly Candidate[]>,
  request: PlaceRequest,
): Hold {
  const subject = request.instance;
  if (among.length === 0) {
    return {
      code: 'NO_NODE',
      subject,
      message: 'the cluster has no node that could take it',
      hint: 'oakctl nodes token',
    };
  }
  const inTheWay = filters.filter((filter) => refused.has(filter)).reverse();
  const message = inTheWay.map((filter) => filter.explain(refused.get(filter) ?? [], request)).join('; ');
  return { code: inTheWay[0]?.code ?? 'NO_NODE', subject, message };
}
