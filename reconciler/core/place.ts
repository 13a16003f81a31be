/** Finds a node for a copy, or says with numbers why there is none. What was promised counts as used. */
import type { Job } from '../../schemas/messages.ts';
import type { NodeId, ServiceName } from '../../schemas/names.ts';
import type { Now } from '../../schemas/ports.ts';
import type { RunSpec, RuntimeName } from '../../schemas/spec.ts';
import type { Hold, HoldCode } from '../../schemas/status.ts';
import { labelOfVariable } from '../../schemas/variables.ts';
import type { PlacementView } from '../../schemas/views.ts';
import { type Candidate, candidateOf, type PlaceRequest, readOf, type Wish, wishFrom, withCopy } from './candidates.ts';
import { type Chooser, createChooser } from './choose.ts';
import { byName, explain, sift } from './explain.ts';
import { filters, runtimeFor, standingFilters } from './filters.ts';
import type { Node, Policy, View } from './model.ts';
import { labelsIn, type NodeIndex } from './node-index.ts';
import { resumeFilters, uncounted } from './room.ts';
import { createScene, labelValue, type Neighbour, type Scene, type Surroundings } from './scene.ts';
import { compareCandidates, scoreOf, spreadBlock } from './score.ts';
import { secretsOf } from './sealed.ts';

export type Placed =
  | {
      readonly kind: 'placed';
      readonly node: NodeId;
      readonly runtime: RuntimeName;
      /** What its job says beside the run spec. */
      readonly beside: Pick<Job, 'reserves' | 'variables' | 'secrets'>;
      readonly why: string;
    }
  | { readonly kind: 'refused'; readonly hold: Hold };

/** Places the copies of one service one after the other: each sees what the ones before it took. */
export interface Placer {
  place(request: PlaceRequest): Placed;
  /** Takes what a copy that is stopped on this node needs to run again; false when others have that by now. */
  resume(request: PlaceRequest, id: NodeId): boolean;
  /** Takes the node that `place` chose for it in a plan of the same world, and says what it was chosen by. `others`: look at all. */
  consider(request: PlaceRequest, chosen: NodeId, others: boolean): PlacementView;
  /** Every node that could take it, the best first; or why there is none. Takes nothing. */
  rank(request: PlaceRequest): { readonly nodes: readonly Node[] } | { readonly hold: Hold };
  /** Whom a copy on this node is to be kept apart from, and the label by which it is where too many are. Takes nothing. */
  around(request: PlaceRequest, id: NodeId): { readonly neighbour?: Neighbour; readonly crowded?: string };
}

/** A placer for one plan of one service. */
export function createPlacer(view: View, service: ServiceName, policy: Policy, now: Now): Placer {
  /** Nodes as they are with what was placed in this plan. */
  const taken = new Map<NodeId, Candidate>();
  const fresh = (node: Node): Candidate => taken.get(node.record.id) ?? candidateOf(view, node, policy, now);
  const at = (id: NodeId): Candidate => fresh(view.nodes.get(id) as Node);
  const all = (): Candidate[] => [...view.nodes.values()].map(fresh);
  // Most plans place nothing: what is around is looked at when the first copy wants a place.
  let around: { readonly scene: Scene; readonly chooser: Chooser } | undefined;
  const look = (): NonNullable<typeof around> => {
    if (around) return around;
    const scene = createScene(view, service, policy, now, surroundingsOf(view, at));
    around = { scene, chooser: createChooser(view, policy, scene, at) };
    return around;
  };
  let read: { readonly run: RunSpec; readonly found: ReturnType<typeof readOf> } | undefined;
  const wishOf = (request: PlaceRequest): Wish => {
    if (read?.run !== request.run) read = { run: request.run, found: readOf(request.run) };
    return wishFrom(request, service, read.found);
  };

  /** Among these, the best first. */
  const rankAmong = (among: readonly Candidate[], wish: Wish): readonly Candidate[] => {
    const { scene } = look();
    const admitted = among.filter((candidate) => filters.every((filter) => filter.admits(candidate, wish, scene)));
    return admitted.sort((a, b) => compareCandidates(a, b, wish, scene, policy));
  };
  const bestFor = (wish: Wish): Candidate | undefined => {
    const few = wish.only ?? calledNodes(view, wish);
    if (few) return rankAmong([...few].filter((id) => view.nodes.has(id)).map(at), wish)[0];
    if (wish.prefer !== undefined && view.nodes.has(wish.prefer)) {
      const [preferred] = rankAmong([at(wish.prefer)], wish);
      if (preferred) return preferred;
    }
    const chosen = look().chooser.choose(wish);
    if (chosen === 'unsuited') return rankAmong(all(), wish)[0];
    return chosen === 'none' ? undefined : chosen;
  };
  /** The last refusal of an instance that has no copy anywhere: until something is placed, others like it hear the same. */
  let refusal: { readonly like: Wish; readonly hold: Hold } | undefined;
  const isUnbound = ({ only, releases, yields, instance }: Wish): boolean =>
    !only && !releases && !yields && look().scene.isNew(instance);
  const refuse = (wish: Wish): Hold => {
    const { scene } = look();
    const among = wish.only ? [...wish.only].filter((id) => view.nodes.has(id)).map(at) : all();
    return explain(among, wish, scene);
  };

  const take = (best: Candidate, wish: Wish): void => {
    const { scene, chooser } = look();
    refusal = undefined;
    scene.take(best, wish);
    taken.set(best.id, withCopy(best, wish));
    chooser.took(best.id);
  };
  const othersOf = (chosen: Candidate, wish: Wish): Pick<PlacementView, 'others'> => {
    const { scene } = look();
    const order = (a: Candidate, b: Candidate): number => compareCandidates(a, b, wish, scene, policy);
    const among = all();
    const refused = sift(among, wish, scene);
    const away = new Set([...refused.values()].flat());
    const admitted = among.filter((one) => !away.has(one));
    const best = leastOf(admitted, order);
    // It was chosen by another wish than that of a new copy: who else there was says nothing.
    if (best?.id !== chosen.id) return {};
    const next = leastOf(
      admitted.filter((one) => one !== best),
      order,
    );
    const unfit = [...refused].map(([{ code, explain: say }, nodes]) => {
      return { code, nodes: nodes.length, message: say(byName(nodes), wish, scene) };
    });
    const second = next && { node: next.node.record.name, score: scoreOf(next, wish, scene) };
    return { others: { fit: admitted.length, ...(second && { next: second }), unfit } };
  };

  return {
    consider(request, id, others) {
      const wish = wishOf(request);
      const chosen = at(id);
      const score = scoreOf(chosen, wish, look().scene);
      const view: PlacementView = { score, ...(others ? othersOf(chosen, wish) : {}) };
      take(chosen, wish);
      return view;
    },
    resume(request, id) {
      const wish = wishOf(request);
      const candidate = at(id);
      if (!resumeFilters.every((filter) => filter.admits(candidate, wish, look().scene))) return false;
      take(candidate, wish);
      return true;
    },
    rank(request) {
      const wish = wishOf(request);
      const direct = directProblem(view, wish);
      if (direct) return { hold: direct };
      const among = all().filter(({ id }) => !wish.only || wish.only.has(id));
      const ranked = rankAmong(among, wish);
      return ranked.length > 0 ? { nodes: ranked.map(({ node }) => node) } : { hold: refuse(wish) };
    },
    around(request, id) {
      const [wish, candidate, { scene }] = [wishOf(request), at(id), look()];
      const neighbour = scene.neighbour(candidate, wish);
      const crowded = spreadBlock(candidate, wish, scene);
      return { ...(neighbour && { neighbour }), ...(crowded !== undefined && { crowded }) };
    },
    place(request) {
      const wish = wishOf(request);
      const direct = directProblem(view, wish);
      if (direct) return { kind: 'refused', hold: direct };
      if (refusal && isLike(refusal.like, wish) && isUnbound(wish)) {
        return { kind: 'refused', hold: { ...refusal.hold, subject: wish.instance } };
      }
      const best = bestFor(wish);
      const runtime = best && runtimeFor(best.node, wish.run);
      if (!best || !runtime) {
        const hold = refuse(wish);
        if (isUnbound(wish)) refusal = { like: wish, hold };
        return { kind: 'refused', hold };
      }
      take(best, wish);
      return {
        kind: 'placed',
        node: best.id,
        runtime,
        beside: {
          ...besideOf(best.facts.labels, wish),
          ...secretsOf(wish.run, wish.sealed, best.node.record.recipient),
        },
        why: reasonFor(best, wish, policy),
      };
    },
  };
}

function isLike(a: Wish, b: Wish): boolean {
  return a.run === b.run && a.placement === b.placement && a.needs === b.needs;
}

/** Nodes that it names; undefined when it names none, and any will do. */
function calledNodes(view: View, { placement }: Wish): ReadonlySet<NodeId> | undefined {
  if (placement.nodes.length === 0) return undefined;
  return new Set(placement.nodes.flatMap((name) => nodesCalled(view, name)));
}

function nodesCalled({ names, index }: View, name: string): NodeId[] {
  const own = names.get(name);
  return [...new Set([...(own === undefined ? [] : [own]), ...(index.aliases.get(name) ?? [])])];
}

/** Nodes of every kind that there is, as far as the wish can tell them apart. */
function* samplesFor(index: NodeIndex, wish: Wish): Iterable<NodeId> {
  const isTold = wish.placement.nodes.length === 0 && labelsIn(wish).every((label) => index.keys.has(label));
  if (!isTold) return yield* index.spots.keys();
  for (const { chunks } of index.groups.values()) {
    const sample = chunks[0]?.items[0];
    if (sample) yield sample.id;
  }
}

function surroundingsOf({ index }: View, at: (id: NodeId) => Candidate): Surroundings {
  const known = new Map<string, Set<string>>();
  let asked: Wish['run'] | undefined;
  return {
    at: (address) => index.addresses.get(address) ?? [],
    values(label, wish) {
      if (asked !== wish.run) known.clear();
      asked = wish.run;
      const found = known.get(label) ?? new Set<string>();
      if (known.has(label)) return found;
      known.set(label, found);
      for (const id of samplesFor(index, wish)) {
        const candidate = at(id);
        const value = labelValue(candidate.facts.labels, label);
        const isNew = value !== undefined && !found.has(value);
        if (isNew && standingFilters.every((filter) => filter.admits(candidate, wish))) found.add(value);
      }
      return found;
    },
  };
}

const amountsBeside = ['storage', 'bandwidth_in', 'bandwidth_out'] as const;
const nothingBeside: Pick<Job, 'reserves' | 'variables'> = {};

/** What a job says beside its run spec on a node with these labels. */
export function besideOf(
  labels: Candidate['facts']['labels'],
  { needs, variables }: Pick<Wish, 'needs' | 'variables'>,
): Pick<Job, 'reserves' | 'variables'> {
  const amounts = amountsBeside.filter((name) => (needs?.[name] ?? 0) > 0);
  if (amounts.length === 0 && variables.length === 0) return nothingBeside;
  const values = variables.map((name) => [name, labelValue(labels, labelOfVariable(name) ?? '') ?? ''] as const);
  return {
    ...(amounts.length > 0 ? { reserves: Object.fromEntries(amounts.map((name) => [name, needs?.[name]])) } : {}),
    ...(values.length > 0 ? { variables: Object.fromEntries(values) } : {}),
  };
}

function reasonFor(best: Candidate, wish: Wish, { placement }: Policy): string {
  const { name } = best.node.record;
  const missing = uncounted(best, wish);
  const beside = missing.length > 0 ? `; ${missing.join(', ')} not counted: ${name} states none` : '';
  if (wish.only?.size === 1) return `on ${name}, where it belongs${beside}`;
  if (best.id === wish.prefer) return `on ${name}, where it was${beside}`;
  const kind = placement === 'best_fit' ? 'fullest that has room' : 'emptiest';
  return `on ${name}, of the nodes with the fewest instances the ${kind}${beside}`;
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
  if (placement.nodes.length === 0) return undefined;
  for (const name of placement.nodes) {
    const called = nodesCalled(view, name);
    if (called.length > 1) {
      const names = called.map((id) => view.nodes.get(id)?.record.name ?? id).sort();
      const message = `${name} may be any of ${names.join(', ')}`;
      return say('DIRECT_NODE_AMBIGUOUS', message, 'write the node name itself');
    }
  }
  const known = placement.nodes.filter((name) => nodesCalled(view, name).length > 0);
  if (known.length > 0) return undefined;
  const expected = placement.nodes.filter((name) => view.expected.has(name));
  if (expected.length > 0) {
    return say('NODES_AWAY', `${expected.join(', ')}: in nodes.yaml, and never seen`, 'oakctl nodes token');
  }
  return say('DIRECT_NODE_UNKNOWN', `nobody knows ${placement.nodes.join(', ')}`, 'oakctl nodes ls');
}

function leastOf<T>(items: readonly T[], order: (a: T, b: T) => number): T | undefined {
  let least: T | undefined;
  for (const item of items) if (least === undefined || order(item, least) < 0) least = item;
  return least;
}
