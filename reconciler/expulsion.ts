/** How nodes go: shut out, revoked, removed. Every answer follows the fsync. */
import type { NodeId } from '../schemas/names.ts';
import { type Problem, ProblemError, problem } from '../schemas/problem.ts';
import type { Context } from './context.ts';
import { withEndsOn } from './core/done.ts';
import type { NodeRecord } from './core/model.ts';
import { refuseRemoval } from './core/removal.ts';
import { isMember } from './core/replace.ts';
import type { Dispatcher } from './dispatch.ts';
import { withEntries, withEntry } from './records-keeper.ts';

export interface Expulsion {
  /** The credential of a node that is revoked on record is dead at once, and nothing of it counts. */
  shutOut(node: NodeId): void;
  /** NOT_FOUND. The node's credential is dead at once and stays dead. */
  revoke(name: string): Promise<{ revoked: string }>;
  /** Revokes and forgets. NOT_FOUND; REFUSED while copies are there, unless it is lost and `force` is set. */
  remove(name: string, options: { readonly force?: boolean; readonly actor?: string }): Promise<{ removed: string }>;
}

/** What is known of nodes beside their records. */
export interface Presences {
  /** Joined, and never heard. */
  readonly unheard: Set<NodeId>;
  /** Heard, and in no record. */
  readonly forgotten: Set<NodeId>;
  tellBroker(): void;
}

const refuse = (p: Problem): never => {
  throw new ProblemError(p);
};

/** Whoever gets the id again gets a serial above this one: more than any machine was ever given. */
const beyondAnySerial = 1_000_000;

export function createExpulsion(
  context: Context,
  dispatcher: Pick<Dispatcher, 'clear'>,
  { unheard, forgotten, tellBroker }: Presences,
): Expulsion {
  const { deps, world, keeper, journal } = context;
  const nodes = (): NodeRecord[] => Object.values(keeper.now.nodes);

  const shutOut = (id: NodeId): void => {
    unheard.delete(id);
    // At once, whatever the disk says: a node that is not trusted any more must not stay for want of space.
    tellBroker();
    deps.broker.disconnect(id);
    dispatcher.clear(id);
    noteEnds(id);
    context.apply({ kind: 'node_forgotten', node: id });
  };
  /** What ran once there and is done is not done again. On disk with the next write. */
  const noteEnds = (id: NodeId): void => {
    const ends = withEndsOn(world, id);
    if (ends.size === 0) return;
    keeper.change({ rollouts: withEntries(keeper.now.rollouts, ends) });
    const at = deps.clock.now().mono;
    for (const [service, rollout] of ends) context.apply({ kind: 'rollout', service, rollout, at });
  };
  /** Somebody who asks again after a failed write is told only what is on disk. */
  const refuseUnknown = async (message: string): Promise<never> => {
    await keeper.saved();
    return refuse(problem('NOT_FOUND', message, { hint: 'oakctl nodes ls' }));
  };
  /** The node goes; who waits for its place has none to wait for. */
  const end = (record: NodeRecord): void => {
    const { wall } = deps.clock.now();
    const waiting = nodes().filter(({ revoked, replaces }) => revoked === undefined && replaces === record.id);
    const gone = [record, ...waiting.map((heir) => ({ ...heir, revoked: wall, removed: wall }))].map(
      ({ unheard: _mark, ...one }) => one,
    );
    keeper.change({ nodes: { ...keeper.now.nodes, ...Object.fromEntries(gone.map((one) => [one.id, one])) } });
    for (const { id } of gone) shutOut(id);
  };

  /** A node that no record knows: its credential is dead from now on, whatever its serial. */
  const giveUp = async (id: NodeId, actor = 'somebody'): Promise<{ removed: string }> => {
    const { wall } = deps.clock.now();
    const ordinal = keeper.now.nextOrdinal;
    const serial = beyondAnySerial;
    const record: NodeRecord = { id, name: id, ordinal, serial, joined: wall, revoked: wall, removed: wall };
    keeper.change({ nodes: withEntry(keeper.now.nodes, id, record), nextOrdinal: ordinal + 1 });
    await keeper.saved();
    forgotten.delete(id);
    dispatcher.clear(id);
    journal.add('node_removed', `node/${id}`, `given up by ${actor}: no record knew it`);
    return { removed: id };
  };

  return {
    shutOut,

    async revoke(name) {
      const found = nodes().find((node) => isMember(node) && (node.name === name || node.id === name));
      if (!found) return refuseUnknown(`no node is named ${name}`);
      end({ ...found, revoked: deps.clock.now().wall });
      await keeper.saved();
      journal.add('node_revoked', `node/${found.name}`, 'its credential is revoked');
      return { revoked: found.name };
    },

    async remove(name, { force = false, actor }) {
      if (forgotten.has(name)) return giveUp(name, actor);
      const found = nodes()
        .filter(({ removed, replaces }) => removed === undefined && replaces === undefined)
        .filter((node) => node.name === name || node.id === name)
        .sort((a, b) => Number(a.revoked !== undefined) - Number(b.revoked !== undefined))[0];
      if (!found) return refuseUnknown(`no node of that name has joined: ${name}`);
      const now = deps.clock.now();
      const inTheWay = refuseRemoval(world, found, { policy: context.policy(), now, force });
      if (inTheWay) return refuse(inTheWay);
      end({ ...found, revoked: found.revoked ?? now.wall, removed: now.wall });
      await keeper.saved();
      journal.add(
        'node_removed',
        `node/${found.name}`,
        `its name is free again; removed${actor ? ` by ${actor}` : ''}`,
      );
      return { removed: found.name };
    },
  };
}
