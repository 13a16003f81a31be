/** Who comes with a credential that is not valid any more: what it is told, and who hears of it. */
import type { NodeId } from '../schemas/names.ts';
import type { Mono } from '../schemas/ports.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import type { Context } from './context.ts';
import type { NodeRecord } from './core/model.ts';

export interface Standing {
  /** Somebody asked to be let in as this node, with a credential that was once good. False: no record knows that node. */
  knocked(node: NodeId): boolean;
  /** See the control plane. */
  of(node: NodeId, password: string): { readonly node: string };
}

/** ms between two events of one node: its machine asks again and again. */
const tellEvery = 3_600_000;

/** Whom it tells of credentials that are shown. */
export interface StandingListeners {
  /** Of a node that no record knows. */
  unknown(node: NodeId): void;
  /** Of one that may come in with it. */
  shown(node: NodeId, serial: number): void;
}

export function createStanding(context: Context, { unknown, shown }: StandingListeners): Standing {
  const { deps, world, keeper, journal } = context;
  const told = new Map<NodeId, Mono>();

  const knocked = (id: NodeId): boolean => {
    const record = keeper.now.nodes[id];
    if (record?.revoked === undefined) return record !== undefined;
    const { mono } = deps.clock.now();
    const current = record.heir === undefined ? undefined : world.names.get(record.name);
    if (current !== undefined) context.apply({ kind: 'former', node: current, at: mono });
    const last = told.get(id);
    if (last !== undefined && mono - last < tellEvery) return true;
    told.set(id, mono);
    journal.add(
      'node_refused',
      `node/${record.name}`,
      `a machine asked to be let in, and was refused: ${fateOf(record)}`,
    );
    return true;
  };

  return {
    knocked,
    of(id, password) {
      const serial = deps.keys.verifyCredential(id, password);
      if (serial === undefined)
        throw new ProblemError(problem('UNAUTHORIZED', 'this is no credential of this cluster'));
      const record = keeper.now.nodes[id];
      if (!knocked(id)) unknown(id);
      if (record && record.revoked === undefined && serial >= record.serial) {
        shown(id, serial);
        return { node: record.name };
      }
      const why = record ? fateOf(record) : 'no record knows this node';
      const hint = record && record.revoked === undefined ? comeBack(record) : startAnew;
      throw new ProblemError(problem('REVOKED', why, { subject: `node/${record?.name ?? id}`, hint }));
    },
  };
}

const startAnew =
  "what runs here is nobody's; to use the machine again, remove its state folder and join it with a new token";

/** What it runs is still its own. */
function comeBack({ name }: NodeRecord): string {
  return `if this is ${name}: \`oakctl keys rotate node ${name} --now\` prints a token; here remove state/identity*, nothing else, and write it into agent.yaml`;
}

/** Why its credential is dead. */
function fateOf({ name, heir, removed, revoked }: NodeRecord): string {
  if (revoked === undefined) return `a newer credential of ${name} was given out`;
  const when = new Date(revoked).toISOString().slice(0, 10);
  if (heir !== undefined) return `another machine took the place of ${name} on ${when}`;
  return `${name} was ${removed === undefined ? 'revoked' : 'removed'} on ${when}`;
}
