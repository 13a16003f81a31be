/** Who may be a node: joining, node records, credentials, revocation. Every answer follows the fsync. */
import { createHash } from 'node:crypto';
import { fingerprintOf } from '../schemas/io/signatures.ts';
import type { IdentityAnswer, JoinAnswer, JoinRequest } from '../schemas/joining.ts';
import { type NodeId, nodeNamePattern } from '../schemas/names.ts';
import { type Problem, ProblemError, problem } from '../schemas/problem.ts';
import { wireVersions } from '../schemas/skew.ts';
import type { Context } from './context.ts';
import { recordsMissing } from './core/enrolment-problems.ts';
import { type Claim, judgeClaim } from './core/join-tokens.ts';
import type { NodeRecord } from './core/model.ts';
import type { TokenRecord } from './core/records.ts';
import { refuseRemoval } from './core/removal.ts';
import type { Dispatcher } from './dispatch.ts';
import { identityOf } from './identity.ts';
import { createJoinTokens, type JoinTokens, tokenInvalid } from './join-tokens.ts';
import { onceSaved, withEntry } from './records-keeper.ts';

/** What every way into the cluster goes through. */
export interface Admission {
  /** The record of a token that lets a new node of this name in. TOKEN_INVALID. */
  checkToken(text: string, name: string): TokenRecord;
  /** NAME_INVALID, NAME_TAKEN. */
  checkName(name: string): void;
  /**
   * Makes the node and counts the use of the token, in one durable write; then the broker lets it in. `before`: the record that had
   * its id; it comes back when nothing can be written.
   */
  enrol(record: NodeRecord, token: TokenRecord, before?: NodeRecord): Promise<void>;
}

export interface Enrolment {
  readonly admission: Admission;
  readonly tokens: JoinTokens;
  /** Tells the broker who may connect. */
  tellBroker(): void;
  identity(nonce: string): IdentityAnswer;
  /**
   * RECORDS_MISSING, TOKEN_INVALID, NAME_INVALID, NAME_TAKEN. Who asks again with the same token and attempt before it was ever heard gets the same
   * identity again: its machine lost the first answer.
   */
  join(request: JoinRequest): Promise<JoinAnswer>;
  /** A node spoke with its credential: nobody else gets the same one from now on. */
  heard(node: NodeId): void;
  /** Somebody has a credential of this cluster for a node; when no record knows it, enrolment is closed until it is removed. */
  forgotten(node: NodeId): void;
  /** What closes enrolment. */
  conditions(): readonly Problem[];
  /** NOT_FOUND. The node's credential is dead at once and stays dead. */
  revoke(name: string): Promise<{ revoked: string }>;
  /** Revokes and forgets. NOT_FOUND; REFUSED while copies are there, unless it is lost and `force` is set. */
  remove(name: string, options: { readonly force?: boolean; readonly actor?: string }): Promise<{ removed: string }>;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const refuse = (p: Problem): never => {
  throw new ProblemError(p);
};

/** Whoever gets the id again gets a serial above this one: more than any machine was ever given. */
const beyondAnySerial = 1_000_000;

export function createEnrolment(context: Context, dispatcher: Dispatcher): Enrolment {
  const { deps, world, keeper, journal } = context;
  const tokens = createJoinTokens(context);
  const nodes = (): NodeRecord[] => Object.values(keeper.now.nodes);
  const unheard = new Set(nodes().flatMap((node) => (node.unheard ? [node.id] : [])));
  const forgotten = new Set<NodeId>();
  /** Joins on their way to the disk. */
  const saving = new Map<NodeId, Promise<void>>();

  const isRevoked = (id: NodeId): boolean => keeper.now.nodes[id]?.revoked !== undefined;
  const tellBroker = (): void => {
    const valid = nodes().filter((node) => node.revoked === undefined);
    deps.broker.setNodes(valid.map(({ id, serial }) => ({ id, serial })));
  };

  /** While nodes are about that no record knows, an id, a serial or an ordinal could be given out a second time. */
  const checkOpen = (): void => {
    if (forgotten.size > 0) refuse(recordsMissing(forgotten));
  };
  const checkName = (name: string): void => {
    if (nodeNamePattern.test(name)) return;
    refuse(
      problem('NAME_INVALID', `the node name ${JSON.stringify(name)} is not allowed`, {
        hint: 'letters, digits, - and _, at most 63, beginning with a letter or digit',
      }),
    );
  };
  const holderOf = (name: string): NodeRecord | undefined =>
    nodes().find((node) => node.revoked === undefined && node.name.toLowerCase() === name.toLowerCase());
  const checkFree = (name: string): void => {
    // Seed nodes choose their ids: a name that is the id of another one would mean two.
    const same = holderOf(name) ?? nodes().find((node) => node.revoked === undefined && node.id === name);
    if (!same) return;
    refuse(
      problem('NAME_TAKEN', `a node named ${same.name} has joined already`, {
        hint: `choose another --name, or first: oakctl nodes rm ${same.name}`,
      }),
    );
  };

  const answer = ({ id, name, ordinal, serial }: NodeRecord): JoinAnswer => ({
    id,
    name,
    cluster: deps.keys.cluster,
    // Of the key that signs: agents of earlier versions compare it with what they were shown.
    fingerprint: fingerprintOf(deps.keys.publicKey),
    ordinal,
    mqtt: { ...deps.mqtt, username: id, password: deps.keys.credential(id, serial) },
    keys: { [deps.keys.kid]: deps.keys.publicKey },
  });

  /**
   * The use is counted in the same write that makes the node: a token cannot be spent twice, whatever crashes. When it cannot be
   * written nobody was told of the node: all is as before.
   */
  const enrol = async (record: NodeRecord, token: TokenRecord, before?: NodeRecord): Promise<void> => {
    keeper.change({
      tokens: withEntry(keeper.now.tokens, token.id, { ...token, uses: token.uses - 1 }),
      nodes: { ...keeper.now.nodes, [record.id]: record },
      nextOrdinal: Math.max(keeper.now.nextOrdinal, record.ordinal + 1),
    });
    unheard.add(record.id);
    try {
      await keeper.saved();
    } catch (error) {
      const left = keeper.now.tokens[token.id];
      keeper.change({
        // Revoked meanwhile: what was before was revoked as well.
        ...(!isRevoked(record.id) && { nodes: withEntry(keeper.now.nodes, record.id, before) }),
        ...(left && { tokens: withEntry(keeper.now.tokens, token.id, { ...left, uses: left.uses + 1 }) }),
      });
      if (!before) unheard.delete(record.id);
      throw error;
    } finally {
      saving.delete(record.id);
    }
    if (isRevoked(record.id)) refuse(problem('REVOKED', `the node ${record.name} was revoked meanwhile`));
    tellBroker();
    context.apply({ kind: 'node', record });
  };
  const enrolled = async (record: NodeRecord, token: TokenRecord, before?: NodeRecord): Promise<JoinAnswer> => {
    const work = enrol(record, token, before);
    saving.set(record.id, work);
    await work;
    return answer(record);
  };

  const dropCredential = (id: NodeId): void => {
    unheard.delete(id);
    // At once, whatever the disk says: a node that is not trusted any more must not stay for want of space.
    tellBroker();
    deps.broker.disconnect(id);
    dispatcher.clear(id);
    context.apply({ kind: 'node_forgotten', node: id });
  };

  const admission: Admission = {
    checkToken(text, name) {
      checkOpen();
      const token = tokens.find(text);
      const verdict = judgeClaim(token, { name }, undefined, deps.clock.now().wall);
      if (verdict.kind === 'refuse') throw tokenInvalid(verdict.why);
      return token;
    },
    checkName(name) {
      checkName(name);
      checkFree(name);
    },
    enrol,
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
    admission,
    tellBroker,
    tokens: {
      ...tokens,
      async create(wish) {
        if (wish.name !== undefined) {
          checkName(wish.name);
          // Its machine may have lost the answer: who makes a token for this very name lets it try again.
          if (holderOf(wish.name)?.unheard === undefined) checkFree(wish.name);
        }
        return tokens.create(wish);
      },
    },

    identity(nonce) {
      const endpoints = context.endpoints();
      return { ...identityOf(deps.keys, nonce), wire: wireVersions, ...(endpoints && { endpoints }) };
    },

    forgotten(id) {
      if (keeper.now.nodes[id] || forgotten.has(id)) return;
      forgotten.add(id);
      journal.add(
        'node_forgotten',
        `node/${id}`,
        'it has a credential of this cluster, and records/ knows nothing of it',
      );
    },
    conditions: () => (forgotten.size === 0 ? [] : [recordsMissing(forgotten)]),

    async join(request) {
      checkOpen();
      const token = tokens.find(request.token);
      const { name, ip } = request;
      const attempt = request.attempt && createHash('sha256').update(request.attempt).digest('hex');
      const claim: Claim = { name, ...(attempt && { attempt }) };
      const holder = nodes().find((node) => node.revoked === undefined && node.name === name);
      const verdict = judgeClaim(token, claim, holder, deps.clock.now().wall);
      const mark = { unheard: { token: token.id, ...(attempt && { attempt }) } };
      if (verdict.kind === 'refuse') throw tokenInvalid(verdict.why);
      if (verdict.kind === 'again') {
        await (saving.get(verdict.node.id) ?? keeper.saved());
        journal.add('node_joined', `node/${name}`, `asked again for its identity from ${ip}, before it was ever heard`);
        return answer(verdict.node);
      }
      if (verdict.kind === 'renew') {
        const { node } = verdict;
        journal.add('node_joined', `node/${name}`, `joined anew from ${ip}, before it was ever heard`);
        const { next, ...known } = node;
        return enrolled({ ...known, serial: (next?.serial ?? known.serial) + 1, ...mark }, token, node);
      }
      checkName(name);
      checkFree(name);
      const record: NodeRecord = {
        id: hex(deps.random.bytes(8)),
        name,
        ordinal: keeper.now.nextOrdinal,
        serial: 1,
        joined: deps.clock.now().wall,
        ...mark,
      };
      const given = await enrolled(record, token);
      journal.add('node_joined', `node/${name}`, `joined as ${record.id} from ${ip}`);
      return given;
    },

    heard(id) {
      if (!unheard.delete(id)) return;
      const { unheard: _mark, ...record } = keeper.now.nodes[id] ?? {};
      if (!('id' in record)) return;
      keeper.change({ nodes: withEntry(keeper.now.nodes, id, record as NodeRecord) });
      context.apply({ kind: 'node', record: record as NodeRecord });
      onceSaved(context, () => undefined);
    },

    async revoke(name) {
      const found = nodes().find((node) => node.revoked === undefined && (node.name === name || node.id === name));
      if (!found) return refuse(problem('NOT_FOUND', `no node is named ${name}`, { hint: 'oakctl nodes ls' }));
      const { unheard: _mark, ...record } = found;
      keeper.change({ nodes: withEntry(keeper.now.nodes, found.id, { ...record, revoked: deps.clock.now().wall }) });
      dropCredential(found.id);
      await keeper.saved();
      journal.add('node_revoked', `node/${found.name}`, 'its credential is revoked');
      return { revoked: found.name };
    },

    async remove(name, { force = false, actor }) {
      if (forgotten.has(name)) return giveUp(name, actor);
      const found = nodes()
        .filter((node) => node.removed === undefined && (node.name === name || node.id === name))
        .sort((a, b) => Number(a.revoked !== undefined) - Number(b.revoked !== undefined))[0];
      if (!found)
        return refuse(problem('NOT_FOUND', `no node of that name has joined: ${name}`, { hint: 'oakctl nodes ls' }));
      const now = deps.clock.now();
      const inTheWay = refuseRemoval(world, found, { policy: context.policy(), now, force });
      if (inTheWay) return refuse(inTheWay);
      const { unheard: _mark, ...record } = found;
      const removed = { ...record, revoked: found.revoked ?? now.wall, removed: now.wall };
      keeper.change({ nodes: withEntry(keeper.now.nodes, found.id, removed) });
      dropCredential(found.id);
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
