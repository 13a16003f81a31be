/**
 * Two live agents with one identity: a copied disk, a cloned machine. The embedded broker tells of those that it turns away; with a
 * broker of somebody else's it shows in the sessions that take turns. Nothing new is placed on such a node, and it says so.
 */
import type { NodeId } from '../schemas/names.ts';
import type { Mono } from '../schemas/ports.ts';
import type { Context } from './context.ts';
import { hearSession, type Sessions } from './core/sessions.ts';

export interface Duplicates {
  /** A live message of a node, with the session of its agent. */
  heard(node: NodeId, session: string, at: Mono): void;
  /** The broker turned an agent away, from this address, because another one is connected as the same node. */
  contested(node: NodeId, from?: string): void;
  stop(): void;
}

/** ms without a sign of the second agent after which there is only one. Longer than an agent's longest back-off. */
const calmAfter = 120_000;

export function createDuplicates(context: Context): Duplicates {
  const { deps, world, journal } = context;
  const sessions = new Map<NodeId, Sessions>();
  const calming = new Map<NodeId, () => void>();

  const clear = (id: NodeId): void => {
    calming.delete(id);
    const node = world.nodes.get(id);
    if (!node?.duplicate) return;
    context.apply({ kind: 'duplicate', node: id });
    journal.add('node_unique', `node/${node.record.name}`, 'one agent with its identity is left');
  };
  const contested = (id: NodeId, from?: string): void => {
    const node = world.nodes.get(id);
    if (!node) return;
    calming.get(id)?.();
    calming.set(
      id,
      deps.clock.after(calmAfter, () => clear(id)),
    );
    const where = from ?? node.duplicate?.from;
    if (node.duplicate && node.duplicate.from === where) return;
    context.apply({ kind: 'duplicate', node: id, duplicate: where === undefined ? {} : { from: where } });
    if (node.duplicate) return;
    const and = from === undefined ? '' : `; the one from ${from} is turned away`;
    journal.add('node_duplicate', `node/${node.record.name}`, `two agents with its identity are alive${and}`);
  };

  return {
    contested,
    heard(id, session, at) {
      const { sessions: next, contested: isContested } = hearSession(sessions.get(id), session, at);
      sessions.set(id, next);
      // Once it is known, every return shows that both are still there.
      const isBack = next.returns.at(-1) === at;
      if (isContested || (isBack && world.nodes.get(id)?.duplicate)) contested(id);
    },
    stop() {
      for (const cancel of calming.values()) cancel();
    },
  };
}
