/**
 * Nodes that say pairs of another reconciler. What they show for it is checked against the keys of the cluster: a proof leads us above it, or
 * ends us; the word of a node alone moves us once and little, and is then only shown.
 */
import type { NodeId } from '../schemas/names.ts';
import type { Mono } from '../schemas/ports.ts';
import { type Problem, ProblemError } from '../schemas/problem.ts';
import type { Context } from './context.ts';
import {
  type ForeignVerdict,
  isForeign,
  judgeForeign,
  type Reign,
  replaced,
  rival,
  unproven,
  unreachable,
} from './core/rivals.ts';
import type { LedgerAnswer } from './ledger-answer.ts';
import { checkedList } from './rivals.ts';

export interface Foreigners {
  /** Of a node that is not adopted yet: may we speak to it from what is in its ledger? Counts up before where that is due. */
  admits(node: NodeId, answer: LedgerAnswer): boolean;
  /**
   * Of a node that is ours, which said `pair`; `answer`: what its ledger says then, undefined when it could not be read. True: we counted up, and
   * all nodes have to be told.
   */
  judge(node: NodeId, pair: Reign, answer: LedgerAnswer | undefined): boolean;
  /** It said something foreign. */
  noted(node: NodeId): void;
  /** It reported with this pair. Whoever said nothing foreign for a minute is not shown any more. */
  reported(node: NodeId, pair: Reign): void;
  /** What nodes say without a proof. */
  unproven(): ReadonlyMap<NodeId, Problem>;
}

/** ms for which it is shown that a node said something foreign: longer than any row is silent. */
const shownFor = 60_000;

interface Said {
  readonly problem: Problem;
  readonly at: Mono;
}

export function createForeigners({ deps, world, keeper }: Context): Foreigners {
  /** Reconcilers whose proof led us on. */
  const met = new Set<string>();
  /** Nodes whose word alone did. */
  const believed = new Set<NodeId>();
  const said = new Map<NodeId, Said>();

  /** With the epoch that we have, or will have once it is on disk. */
  const own = (): Reign => ({ epoch: keeper.now.epoch, by: world.fence.by });
  const now = (): Mono => deps.clock.now().mono;
  const nameOf = (id: NodeId): string => world.nodes.get(id)?.record.name ?? id;
  const show = (id: NodeId, problem: Problem): void => {
    if (said.get(id)?.problem.code !== problem.code)
      deps.log('warn', 'foreign_pair', { node: id, why: problem.message });
    said.set(id, { problem, at: now() });
  };
  const end = (problem: Problem): void => deps.fatal(new ProblemError(problem));

  /** Nothing of ours may be below what agents have on disk, e.g. after records were restored from a backup. */
  const raise = (node: NodeId, { by }: Reign, { to, proven }: Extract<ForeignVerdict, { kind: 'raise' }>): void => {
    if (!proven) believed.add(node);
    said.delete(node);
    keeper.change({ epoch: Math.max(keeper.now.epoch + 1, to) });
    deps.log('warn', 'epoch_raised', { epoch: keeper.now.epoch, by, node, proven });
  };

  const weigh = (node: NodeId, pair: Reign, endpoints: unknown, wasMet: boolean): ForeignVerdict => {
    const list = checkedList(deps.keys, endpoints);
    // Whoever stands by, or was only started, signs lists for those who ask: these prove nothing.
    const shown = list?.told ? list : undefined;
    const verdict = judgeForeign({ own: own(), said: pair, shown, met: wasMet, believed: believed.has(node) });
    const name = nameOf(node);
    if (verdict.kind === 'replaced') end(replaced(world.fence, verdict.by, `node ${name} follows it`));
    if (verdict.kind === 'rival') end(rival(verdict.by, `node ${name} follows it`));
    if (verdict.kind === 'raise') raise(node, pair, verdict);
    if (verdict.kind === 'out_of_reach') show(node, unreachable(name, pair));
    if (verdict.kind === 'unproven') show(node, unproven(name, pair));
    return verdict;
  };

  return {
    admits(node, { part, endpoints }) {
      // Whoever spoke to it before us may be the process that we follow: only what comes later is a rival.
      const { kind } = weigh(node, part.fence, endpoints, false);
      if (kind === 'ours') said.delete(node);
      return kind === 'ours' || kind === 'raise';
    },
    judge(node, pair, answer) {
      const { by, epoch } = answer?.part.fence ?? pair;
      const verdict = weigh(node, { by, epoch }, answer?.endpoints, met.has(by));
      // A ledger never goes back: what was said before cannot be above it.
      if (verdict.kind === 'ours' && isForeign(own(), pair)) show(node, unproven(nameOf(node), pair));
      if (verdict.kind !== 'raise') return false;
      if (verdict.proven) met.add(by);
      return true;
    },
    noted(node) {
      const known = said.get(node);
      if (known) said.set(node, { ...known, at: now() });
    },
    reported(node, pair) {
      const known = said.get(node);
      if (known && !isForeign(own(), pair) && now() - known.at >= shownFor) said.delete(node);
    },
    unproven: () => new Map([...said].flatMap(([id, { problem }]) => (world.nodes.has(id) ? [[id, problem]] : []))),
  };
}
