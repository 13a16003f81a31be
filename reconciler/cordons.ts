/** Nodes that take nothing new, by hand, and nodes that are emptied. Durable before anybody is told; the plan follows by itself. */
import type { CordonAnswer } from '../schemas/api.ts';
import type { NodeId } from '../schemas/names.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import type { Context } from './context.ts';
import type { ControlPlane, CordonOptions } from './control-plane.ts';
import type { Cordon, StuckMove } from './core/deviations.ts';
import type { Node, NodeRecord } from './core/model.ts';
import { cordonOf } from './core/node-facts.ts';
import { presenceOf } from './core/presence.ts';
import { savedOr, withEntry } from './records-keeper.ts';
import { createSubjectTurns } from './subject-turns.ts';

export interface Cordons extends Pick<ControlPlane, 'cordon' | 'drain' | 'uncordon'> {
  /** These instances stay on their nodes: what was tried elsewhere failed. On disk with what the planner decides next. */
  stay(moves: readonly StuckMove[]): void;
}

/** What is on record of a node, with the cordon that it has now. All else may be newer there: who joins anew is told once that is on disk. */
export function withCordonOf(known: NodeRecord | undefined, record: NodeRecord): NodeRecord {
  if (!known) return record;
  const { cordon: _before, ...rest } = known;
  return { ...rest, ...(record.cordon && { cordon: record.cordon }) };
}

export function createCordons(context: Context): Cordons {
  const { deps, world, keeper, journal } = context;
  const inTurn = createSubjectTurns();

  const nodeOf = (id: NodeId): Node => {
    const node = world.nodes.get(id);
    if (node) return node;
    throw new ProblemError(
      problem('REFUSED', 'it has not joined: there is nothing to cordon', { subject: id, hint: 'oakctl nodes ls' }),
    );
  };
  const put = (record: NodeRecord): void => {
    keeper.change({ nodes: withEntry(keeper.now.nodes, record.id, withCordonOf(keeper.now.nodes[record.id], record)) });
    context.apply({ kind: 'node', record });
  };
  /** A cordon that cannot be written is none; what changed meanwhile stays. */
  const save = ({ record }: Node): Promise<void> =>
    savedOr(keeper, () => {
      const known = world.nodes.get(record.id)?.record;
      // It was revoked meanwhile, and stays so.
      if (!known) return;
      const { cordon: _cordon, ...now } = known;
      put({ ...now, ...(record.cordon ? { cordon: record.cordon } : {}) });
    });
  const answerOf = (id: NodeId, changed: boolean): CordonAnswer => {
    const node = nodeOf(id);
    const { drain: _shownByTheNode, ...cordoned } = cordonOf(node, context.policy()) ?? {};
    return { node: node.record.name, changed, ...('cause' in cordoned ? { cordoned: cordoned as Cordon } : {}) };
  };

  const close = async (id: NodeId, { reason, actor }: CordonOptions, drains: boolean): Promise<CordonAnswer> => {
    const node = nodeOf(id);
    const { record } = node;
    const old = record.cordon;
    const isSame = old?.actor !== undefined && (reason === undefined || reason === old.reason);
    const isDrained = old?.drain !== undefined && Object.keys(old.drain.stays).length === 0;
    if (isSame && (!drains || isDrained)) return answerOf(id, false);
    const why = reason ?? (old?.actor === undefined ? undefined : old.reason);
    const cordon: Cordon = {
      cause: why === undefined ? `by ${actor}` : `${why} (by ${actor})`,
      actor,
      ...(why === undefined ? {} : { reason: why }),
      since: deps.clock.now().wall,
      ...(drains || old?.drain ? { drain: { stays: drains ? {} : (old?.drain?.stays ?? {}) } } : {}),
    };
    put({ ...record, cordon });
    await save(node);
    journal.add('node_cordoned', `node/${record.name}`, `${drains ? 'is drained: ' : ''}${cordon.cause}`);
    return answerOf(id, true);
  };

  const empty = async (id: NodeId, options: CordonOptions): Promise<CordonAnswer> => {
    const node = nodeOf(id);
    const { state } = presenceOf(node, context.policy(), deps.clock.now());
    if (state === 'lost') {
      const hint = `what ran there is replaced without it; for good: oakctl nodes rm ${node.record.name} --force`;
      throw new ProblemError(
        problem('REFUSED', 'it is lost: nothing can be moved', { subject: node.record.name, hint }),
      );
    }
    return close(id, options, true);
  };

  const open = async (id: NodeId, actor: string): Promise<CordonAnswer> => {
    const node = nodeOf(id);
    const { cordon, ...record } = node.record;
    const written = cordonOf({ ...node, record }, context.policy());
    if (!cordon && written) {
      const isWritten = written.cause === 'nodes.yaml';
      const hint = isWritten ? `oakctl nodes uncordon ${record.name} --commit` : 'change nodes.yaml and push';
      const message = `it is cordoned by ${isWritten ? 'nodes.yaml' : `policy: ${written.cause}`}`;
      throw new ProblemError(problem('REFUSED', message, { subject: record.name, hint }));
    }
    if (!cordon) return answerOf(id, false);
    put(record);
    await save(node);
    journal.add('node_uncordoned', `node/${record.name}`, `by ${actor}`);
    return answerOf(id, true);
  };

  return {
    cordon: (id, options) => inTurn([id], () => close(id, options, false)),
    drain: (id, options) => inTurn([id], () => empty(id, options)),
    uncordon: (id, actor) => inTurn([id], () => open(id, actor)),

    stay(moves) {
      for (const { instance, node, digest, reason } of moves) {
        const record = world.nodes.get(node)?.record;
        const drain = record?.cordon?.drain;
        const known = drain?.stays[instance];
        if (!record?.cordon || !drain || (known?.digest === digest && known.reason === reason)) continue;
        const stays = { ...drain.stays, [instance]: { digest, reason } };
        put({ ...record, cordon: { ...record.cordon, drain: { stays } } });
        journal.add('hold_added', instance, `it stays on ${record.name}: ${reason}`);
      }
    },
  };
}
