/**
 * A machine takes the place of a node: its name, its ordinal, its entry in nodes.yaml, and what was told to be there. It joins as
 * a node of its own that nobody sees, and the place is its when it has said what it has: until then the old one stays, and one
 * that never comes changes nothing. From then on the old one's credential is dead, and what it reported counts no more.
 */
import { InformationMessage, InstancesMessage, OnlineMessage } from '../schemas/messages.ts';
import type { NodeId } from '../schemas/names.ts';
import { parseMessage } from '../schemas/parse.ts';
import type { BusMessage } from '../schemas/ports.ts';
import type { Row } from '../schemas/topics.ts';
import type { Context } from './context.ts';
import type { Seats } from './core/deviations.ts';
import type { NodeRecord } from './core/model.ts';
import { isMember, reseat, reseatOverride, withoutDrain } from './core/replace.ts';
import type { Direct } from './direct.ts';
import type { Enrolment } from './enrolment.ts';
import type { Overrides } from './overrides.ts';
import { onceSaved } from './records-keeper.ts';

export interface Replacement {
  /** A live message of who is no node. Returns what it said since it came, in order, once it is one; before, and else, nothing. */
  heard(node: NodeId, row: Row, message: BusMessage): readonly BusMessage[];
}

/** What it has to say before the place is its. */
const needed = ['information', 'instances'] as const;

export function createReplacement(
  context: Context,
  enrolment: Pick<Enrolment, 'shutOut'>,
  { direct, overrides }: { direct: Pick<Direct, 'reseat' | 'names'>; overrides: Pick<Overrides, 'amend'> },
): Replacement {
  const { deps, world, keeper, journal } = context;
  /** The last message of each row, of one life of its agent. */
  const said = new Map<NodeId, { readonly session: string; readonly rows: ReadonlyMap<Row, BusMessage> }>();

  /** What is on record is changed as a whole, before anything is planned; on disk with what the planner decides next. */
  const takePlace = (heir: NodeRecord, old: NodeRecord): void => {
    const { replaces: _place, empties, cordon: _none, ...rest } = heir;
    const { unheard: _mark, ...gone } = old;
    const { wall } = deps.clock.now();
    const cordon = world.nodes.get(old.id)?.record.cordon ?? old.cordon;
    const record: NodeRecord = { ...rest, ordinal: old.ordinal, ...(cordon && { cordon: withoutDrain(cordon) }) };
    const ended = { ...gone, revoked: wall, removed: wall, heir: heir.id };
    keeper.change({ nodes: { ...keeper.now.nodes, [old.id]: ended, [heir.id]: record } });
    const instances = new Set([...(world.copiesOn.get(old.id)?.values() ?? [])].map(({ instance }) => instance));
    context.apply({ kind: 'heir', node: old.id, heir: heir.id });
    moveSeats(old.id, heir.id);
    if (empties) moveHomes(old.id, heir.id);
    enrolment.shutOut(old.id);
    context.apply({ kind: 'node', record });
    const follow = instances.size === 0 ? '' : `; it gets what is missing now of ${instances.size} instances`;
    journal.add(
      'node_replaced',
      `node/${old.name}`,
      `${heir.id} took the place of ${old.id}, which is shut out${follow}`,
    );
    onceSaved(context, () => undefined);
  };

  const moveSeats = (from: NodeId, to: NodeId): void => {
    const moved = (seats: Seats | undefined): Seats | undefined => reseat(seats, from, to) ?? seats;
    for (const service of direct.names()) {
      direct.reseat(service, moved);
      const desired = world.desired.get(service);
      const seats = reseat(desired?.seats, from, to);
      if (desired && seats) context.apply({ kind: 'desired', service, desired: { ...desired, seats } });
    }
    for (const override of Object.values(keeper.now.overrides)) {
      const next = reseatOverride(override, from, to);
      if (next) overrides.amend(next);
    }
  };
  const moveHomes = (from: NodeId, to: NodeId): void => {
    const there = Object.entries(keeper.now.homes).filter(([, home]) => home === from);
    keeper.change({ homes: { ...keeper.now.homes, ...Object.fromEntries(there.map(([instance]) => [instance, to])) } });
    for (const [instance] of there) context.apply({ kind: 'home', instance, node: to });
  };

  return {
    heard(id, row, message) {
      const heir = keeper.now.nodes[id];
      const old = keeper.now.nodes[heir?.replaces ?? ''];
      if (!heir || heir.revoked !== undefined || !old || !isMember(old)) return [];
      const session = sessionIn(row, message.payload);
      if (session === undefined) return [];
      const before = said.get(id);
      const rows = new Map([...(before?.session === session ? before.rows : []), [row, message]]);
      said.set(id, { session, rows });
      if (!needed.every((one) => rows.has(one))) return [];
      said.delete(id);
      takePlace(heir, old);
      return (['online', ...needed] as const).flatMap((one) => rows.get(one) ?? []);
    },
  };
}

/** The session that a message is of; undefined when it is none that we read, or a goodbye: who is not there takes nobody's place. */
function sessionIn(row: Row, payload: string): string | undefined {
  const schema = row === 'information' ? InformationMessage : row === 'instances' ? InstancesMessage : OnlineMessage;
  const parsed = parseMessage<{ readonly session: string; readonly online?: boolean }>(schema, payload);
  return parsed.ok && parsed.value.online !== false ? parsed.value.session : undefined;
}
