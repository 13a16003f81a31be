/** How far nodes have taken over the keys of their cluster, and what people see of it. */
import type { KeyView } from '../../schemas/keys.ts';
import type { Now } from '../../schemas/ports.ts';
import { type Problem, problem } from '../../schemas/problem.ts';
import type { Trusts } from '../../schemas/trust.ts';
import type { Node, Policy, View } from './model.ts';
import { presenceOf } from './presence.ts';
import type { Ring } from './ring.ts';

/** The keys of a cluster, by what nodes call them: number by number. */
export interface KeyFacts {
  readonly ring: Ring;
  /** Wall time of the first keys. */
  readonly begun: number;
  readonly kids: readonly string[];
  /** Of roots; empty where the cluster has no TLS of its own. */
  readonly pins: readonly string[];
}

export interface KeyInput {
  readonly view: Pick<View, 'nodes'>;
  readonly policy: Policy;
  readonly now: Now;
  readonly facts: KeyFacts;
}

type Kind = 'cluster' | 'ca';

/** ms that nodes in reach are given before anybody is told that they lag. */
const patience = 60_000;
const mostNames = 20;

/** Names of nodes that are in reach, or might be in a moment, and do not have the newest key. */
export function laggards({ view, policy, now, facts }: KeyInput, kind: Kind): readonly string[] {
  const newest = (kind === 'cluster' ? facts.kids : facts.pins).length - 1;
  return nodesOf(view)
    .filter((node) => knownBy(node, facts, kind) < newest && presenceOf(node, policy, now).state !== 'lost')
    .map((node) => node.record.name)
    .sort();
}

/** Cluster keys and roots, the newest first, then the credentials of nodes by name. */
export function keyViews(input: KeyInput): readonly KeyView[] {
  const { view, facts } = input;
  const { ring, begun } = facts;
  const keys = facts.kids.map((id, at) => {
    const state = at > ring.used ? 'announced' : at === ring.used ? 'used' : at >= ring.ended ? 'overlap' : 'ended';
    return viewOf(input, 'cluster', at, { id, state, since: ring.signing[at - 1]?.since ?? begun, ends: ring.ends });
  });
  const roots = facts.pins.map((id, at) => {
    const state = at === ring.roots.length ? 'used' : at >= ring.rootsEnded ? 'overlap' : 'ended';
    return viewOf(input, 'ca', at, { id, state, since: ring.roots[at - 1]?.since ?? begun, ends: ring.rootEnds });
  });
  const nodes = [...view.nodes.values()].sort((a, b) => (a.record.name < b.record.name ? -1 : 1));
  return [...keys.reverse(), ...roots.reverse(), ...nodes.map(credentialView)];
}

function viewOf(
  input: KeyInput,
  kind: Kind,
  at: number,
  { id, state, since, ends }: { id: string; state: KeyView['state']; since: number; ends: number | undefined },
): KeyView {
  const nodes = nodesOf(input.view);
  const taken = nodes.filter((node) => knownBy(node, input.facts, kind) >= at).length;
  const isNewest = at === (kind === 'cluster' ? input.facts.kids : input.facts.pins).length - 1;
  return {
    kind,
    id,
    state,
    since,
    ...(state === 'overlap' && ends !== undefined && { ends }),
    trusted: trustedBy[state],
    taken,
    nodes: nodes.length,
    waits: isNewest ? [...laggards(input, kind)].slice(0, mostNames) : [],
  };
}

const trustedBy: Readonly<Record<KeyView['state'], string>> = {
  announced: 'nodes that have taken it over',
  used: 'all nodes',
  overlap: 'all nodes until the overlap ends',
  ended: 'nodes that were away: they learn the next one',
};

function credentialView({ record }: Node): KeyView {
  const { serial, next, renewed, joined, name } = record;
  return {
    kind: 'node',
    id: String(next?.serial ?? serial),
    node: name,
    state: next ? 'announced' : 'used',
    since: next?.since ?? renewed ?? joined,
    ...(next?.until !== undefined && { ends: next.until }),
    trusted: next ? `the broker, and ${serial} until it is used` : 'the broker',
    taken: next ? 0 : 1,
    nodes: 1,
    waits: next ? [name] : [],
  };
}

/** What keeps a rotation from going on. */
export function keyConditions(input: KeyInput): readonly Problem[] {
  const { ring } = input.facts;
  const begun = { cluster: ring.signing.at(-1)?.since, ca: ring.roots.at(-1)?.since };
  const isOpen = { cluster: ring.ends !== undefined, ca: ring.rootEnds !== undefined };
  return (['cluster', 'ca'] as const).flatMap((kind) => {
    const since = begun[kind];
    if (since === undefined || !isOpen[kind] || input.now.wall - since < patience) return [];
    const names = laggards(input, kind);
    return names.length === 0 ? [] : [notTaken(kind, names)];
  });
}

function notTaken(kind: Kind, names: readonly string[]): Problem {
  const what = kind === 'cluster' ? 'signing key' : 'root';
  const shown = names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');
  return problem('KEY_NOT_TAKEN', `the new ${what} is not on ${names.length} of the nodes in reach: ${shown}`, {
    hint: `the old one counts until then; an agent of an older version never takes it: update it, or \`oakctl keys rotate ${kind} --now\``,
    severity: 'warning',
  });
}

/** Nodes that trust keys at all. */
function nodesOf(view: Pick<View, 'nodes'>): readonly Node[] {
  return [...view.nodes.values()].filter(({ record }) => record.dialect !== 'seed');
}

/** Number of the newest key that is on its disk; -1: it was not heard yet. */
function knownBy({ information }: Node, { kids, pins }: KeyFacts, kind: Kind): number {
  if (!information) return -1;
  const trusts: Trusts | undefined = information.trusts;
  // An agent that says nothing has what it joined with.
  return Math.max(0, kind === 'cluster' ? kids.indexOf(trusts?.key ?? '') : pins.indexOf(trusts?.root ?? ''));
}
