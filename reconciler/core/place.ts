/** Finds a node for a copy, or says with numbers why there is none. What was promised counts as used. */
import type { Job } from '../../schemas/messages.ts';
import type { NodeId, ServiceName } from '../../schemas/names.ts';
import type { Now } from '../../schemas/ports.ts';
import type { RuntimeName } from '../../schemas/spec.ts';
import type { Hold, HoldCode } from '../../schemas/status.ts';
import { labelOfVariable } from '../../schemas/variables.ts';
import {
  addressOf,
  type Candidate,
  candidateOf,
  type PlaceRequest,
  type Wish,
  wishOf,
  withCopy,
} from './candidates.ts';
import type { Filter } from './filter.ts';
import { filters, isCalled, runtimeFor, standingFilters } from './filters.ts';
import type { Node, Policy, View } from './model.ts';
import { uncounted } from './room.ts';
import { createScene, labelValue, type Scene, type Surroundings } from './scene.ts';
import { compareCandidates } from './score.ts';

export type Placed =
  | {
      readonly kind: 'placed';
      readonly node: NodeId;
      readonly runtime: RuntimeName;
      /** What its job says beside the run spec. */
      readonly beside: Pick<Job, 'reserves' | 'variables'>;
      readonly why: string;
    }
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

/** A placer for one plan of one service. */
export function createPlacer(view: View, service: ServiceName, policy: Policy, now: Now): Placer {
  // Most plans place nothing: the nodes are looked at when the first copy wants a place.
  let looked: { readonly candidates: Map<NodeId, Candidate>; readonly scene: Scene } | undefined;
  const look = (): NonNullable<typeof looked> => {
    const candidates = collect(view, policy, now);
    return { candidates, scene: createScene(view, service, policy, now, surroundingsOf(candidates)) };
  };

  const admit = (wish: Wish): Admitted => {
    const direct = directProblem(view, wish);
    if (direct) return { hold: direct };
    looked ??= look();
    const { candidates, scene } = looked;
    const among = [...candidates.values()].filter(({ id }) => !wish.only || wish.only.has(id));
    const { admitted, refused } = sift(among, wish, scene);
    const [best, ...others] = admitted.sort((a, b) => compareCandidates(a, b, wish, scene, policy));
    const runtime = best && runtimeFor(best.node, wish.run);
    return best && runtime ? { best, runtime, others } : { hold: explain(among, refused, wish, scene) };
  };

  return {
    rank(request) {
      const found = admit(wishOf(request));
      return 'hold' in found ? found : { nodes: [found.best, ...found.others].map(({ node }) => node) };
    },
    place(request) {
      const wish = wishOf(request);
      const found = admit(wish);
      if ('hold' in found) return { kind: 'refused', hold: found.hold };
      const { best, runtime, others } = found;
      looked?.scene.take(best, wish);
      looked?.candidates.set(best.id, withCopy(best, wish));
      const why = reasonFor(best, others.length + 1, wish);
      return { kind: 'placed', node: best.id, runtime, beside: besideOf(best, wish), why };
    },
  };
}

function collect(view: View, policy: Policy, now: Now): Map<NodeId, Candidate> {
  const nodes = [...view.nodes].sort(([, a], [, b]) => (a.record.name < b.record.name ? -1 : 1));
  return new Map(nodes.map(([id, node]) => [id, candidateOf(view, node, policy, now)]));
}

function surroundingsOf(candidates: ReadonlyMap<NodeId, Candidate>): Surroundings {
  const byAddress = new Map<string, NodeId[]>();
  for (const { id, node } of candidates.values()) {
    byAddress.set(addressOf(node), [...(byAddress.get(addressOf(node)) ?? []), id]);
  }
  return {
    at: (address) => byAddress.get(address) ?? [],
    values(label, wish) {
      const values = new Set<string>();
      for (const candidate of candidates.values()) {
        const value = labelValue(candidate.labels, label);
        if (value !== undefined && standingFilters.every((filter) => filter.admits(candidate, wish))) values.add(value);
      }
      return values;
    },
  };
}

function sift(
  among: readonly Candidate[],
  wish: Wish,
  scene: Scene,
): { admitted: Candidate[]; refused: Map<Filter, Candidate[]> } {
  const refused = new Map<Filter, Candidate[]>();
  const admitted = among.filter((candidate) => {
    const filter = filters.find((one) => !one.admits(candidate, wish, scene));
    if (!filter) return true;
    const before = refused.get(filter);
    if (before) before.push(candidate);
    else refused.set(filter, [candidate]);
    return false;
  });
  return { admitted, refused };
}

function besideOf({ labels }: Candidate, { needs, variables }: Wish): Pick<Job, 'reserves' | 'variables'> {
  const amounts = (['storage', 'bandwidth_in', 'bandwidth_out'] as const).flatMap((name) => {
    const amount = needs?.[name] ?? 0;
    return amount > 0 ? [[name, amount] as const] : [];
  });
  const values = variables.map((name) => [name, labelValue(labels, labelOfVariable(name) ?? '') ?? ''] as const);
  return {
    ...(amounts.length > 0 ? { reserves: Object.fromEntries(amounts) } : {}),
    ...(values.length > 0 ? { variables: Object.fromEntries(values) } : {}),
  };
}

function reasonFor(best: Candidate, admitted: number, wish: Wish): string {
  const { name } = best.node.record;
  const missing = uncounted(best, wish);
  const beside = missing.length > 0 ? `; ${missing.join(', ')} not counted: ${name} states none` : '';
  if (wish.only?.size === 1) return `on ${name}, where it belongs${beside}`;
  if (best.id === wish.prefer) return `on ${name}, where it was${beside}`;
  return `on ${name}, the best of ${admitted} nodes that fit${beside}`;
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
  wish: Wish,
  scene: Scene,
): Hold {
  const subject = wish.instance;
  if (among.length === 0) {
    return {
      code: 'NO_NODE',
      subject,
      message: 'the cluster has no node that could take it',
      hint: 'oakctl nodes token',
    };
  }
  const inTheWay = filters.filter((filter) => refused.has(filter)).reverse();
  const message = inTheWay.map((filter) => filter.explain(refused.get(filter) ?? [], wish, scene)).join('; ');
  return { code: inTheWay[0]?.code ?? 'NO_NODE', subject, message };
}
