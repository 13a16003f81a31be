/**
 * New credentials for nodes that have joined. The next one is on disk before the node hears of it; the node fetches it with the one
 * that it has, writes it down beside that, and shows it: only then the old one ends. Whoever crashes in between begins again.
 */
import type { CredentialAnswer } from '../schemas/joining.ts';
import type { NodeId } from '../schemas/names.ts';
import type { Wall } from '../schemas/ports.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import type { Context } from './context.ts';
import type { NodeRecord } from './core/model.ts';
import { isMember } from './core/replace.ts';
import { nextSerial } from './core/serials.ts';
import type { Dispatcher } from './dispatch.ts';
import { onceSaved, savedOr } from './records-keeper.ts';

export interface Credentials {
  /** These nodes are to have another credential; the old ones last until it is used, or until `until`. Already begun: as it is. */
  begin(nodes: readonly NodeRecord[], until: Wall | undefined): Promise<void>;
  /**
   * The credential is dead at once, and its connection cut. A join token for the name of the node gives the same node another one:
   * whoever holds the old one could fetch the next just as well.
   */
  cut(node: NodeRecord): Promise<void>;
  /** What a node is to have, for whoever shows what it has. UNAUTHORIZED. */
  renew(node: NodeId, password: string): Promise<CredentialAnswer>;
  /** The node has a credential with this serial. One that is on no record came after the backup that the records come from. */
  shown(node: NodeId, serial: number): void;
  /** Ends overlaps that are over. */
  tick(): void;
}

/** In place of the id of a token: no token gives this node its identity again but one that is made for its name. */
const noToken = 'rotated';

export function createCredentials(
  context: Context,
  dispatcher: Pick<Dispatcher, 'republish'>,
  tellBroker: () => void,
): Credentials {
  const { deps, world, keeper, journal } = context;
  /** Whose new credential was not seen yet. */
  const waiting = new Set(Object.values(keeper.now.nodes).flatMap(({ id, next }) => (next ? [id] : [])));
  const put = (...records: readonly NodeRecord[]): void => {
    for (const { id, next } of records) {
      if (next) waiting.add(id);
      else waiting.delete(id);
    }
    keeper.change({ nodes: { ...keeper.now.nodes, ...Object.fromEntries(records.map((one) => [one.id, one])) } });
    for (const record of records) context.apply({ kind: 'node', record });
  };
  const valid = (id: NodeId): NodeRecord | undefined => {
    const record = Object.hasOwn(keeper.now.nodes, id) ? keeper.now.nodes[id] : undefined;
    return record && isMember(record) ? record : undefined;
  };
  /** From now on this one counts, and what comes after it. */
  const promote = (record: NodeRecord, serial: number, why: string): void => {
    const { next, ...rest } = record;
    const isAhead = next && next.serial > serial;
    put({ ...rest, serial, renewed: deps.clock.now().wall, ...(isAhead && { next }) });
    journal.add(
      'key_rotated',
      `node/${record.name}`,
      `credential ${serial} is in use, and older ones are dead: ${why}`,
    );
    // The broker follows the disk: a crash in between must not leave a node that only the lost record lets in.
    onceSaved(context, () => {
      tellBroker();
      dispatcher.republish(record.id);
    });
  };

  return {
    async begin(nodes, until) {
      const since = deps.clock.now().wall;
      const begun = nodes.flatMap(({ id }): NodeRecord[] => {
        const record = valid(id);
        if (!record || record.next) return [];
        const serial = nextSerial(record, world.fence.epoch);
        return [{ ...record, next: { serial, since, ...(until !== undefined && { until }) } }];
      });
      // All at once: a fleet is copied once for it.
      put(...begun);
      await savedOr(keeper, () => {
        // Who shows it by now has it.
        const open = begun.flatMap(({ id, next }): NodeRecord[] => {
          const { next: now, ...record } = valid(id) ?? {};
          return now === next && 'id' in record ? [record as NodeRecord] : [];
        });
        put(...open);
      });
      for (const { id } of nodes) dispatcher.republish(id);
    },

    async cut({ id }) {
      const record = valid(id);
      if (!record) return;
      const { next: _over, ...rest } = record;
      const serial = nextSerial(record, world.fence.epoch);
      put({ ...rest, serial, renewed: deps.clock.now().wall, unheard: { token: noToken } });
      // At once, whatever the disk says.
      tellBroker();
      deps.broker.disconnect(id);
      await keeper.saved();
      journal.add(
        'key_rotated',
        `node/${record.name}`,
        'its credential is dead; a join token for its name gives another',
      );
    },

    async renew(id, password) {
      const record = valid(id);
      const serial = deps.keys.verifyCredential(id, password);
      if (!record || serial === undefined || serial < record.serial) {
        throw new ProblemError(problem('UNAUTHORIZED', 'this is no credential of a node of this cluster'));
      }
      const { next } = record;
      if (next && serial >= next.serial) promote(record, serial, 'the node has it');
      await keeper.saved();
      const wanted = Math.max(next?.serial ?? 0, serial);
      return { serial: wanted, password: deps.keys.credential(id, wanted) };
    },

    shown(id, serial) {
      const record = valid(id);
      if (record && serial > record.serial) promote(record, serial, 'the node has it');
    },

    tick() {
      const { wall } = deps.clock.now();
      for (const id of waiting) {
        const record = valid(id);
        const next = record?.next;
        if (record && next?.until !== undefined && next.until <= wall)
          promote(record, next.serial, 'the overlap is over');
      }
    },
  };
}
