/** Who may be a node: joining, node records, credentials. Every answer follows the fsync. */
import { createHash } from 'node:crypto';
import type { TokenAnswer } from '../schemas/api.ts';
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
import { isMember, refuseReplacement, replacementOf } from './core/replace.ts';
import { nextSerial } from './core/serials.ts';
import type { Dispatcher } from './dispatch.ts';
import { createExpulsion, type Expulsion } from './expulsion.ts';
import { identityOf } from './identity.ts';
import { createJoinTokens, type JoinTokens, type TokenWish, tokenInvalid } from './join-tokens.ts';
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

export interface Enrolment extends Expulsion {
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
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const refuse = (p: Problem): never => {
  throw new ProblemError(p);
};

export function createEnrolment(context: Context, dispatcher: Dispatcher): Enrolment {
  const { deps, world, keeper, journal } = context;
  const tokens = createJoinTokens(context);
  const nodes = (): NodeRecord[] => Object.values(keeper.now.nodes);
  const members = (): NodeRecord[] => nodes().filter(isMember);
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
    members().find((node) => node.name.toLowerCase() === name.toLowerCase());
  const checkFree = (name: string): void => {
    // Seed nodes choose their ids: a name that is the id of another one would mean two.
    const same = holderOf(name) ?? members().find((node) => node.id === name);
    if (!same) return;
    refuse(
      problem('NAME_TAKEN', `a node named ${same.name} has joined already`, {
        hint: `choose another --name, or first: oakctl nodes rm ${same.name}; for another machine in its place: --replace`,
      }),
    );
  };

  /** The node whose place the token gives: whoever has its name now may be another one. */
  const placeOf = ({ replaces, name }: TokenRecord): NodeRecord => {
    const old = keeper.now.nodes[replaces ?? ''];
    if (old && isMember(old)) return old;
    const why = old?.heir === undefined ? 'was removed or revoked' : 'has been replaced by another machine';
    throw tokenInvalid(`is for the place of ${name}, which ${why}`);
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
    // Who waits for the place of another one is no node yet.
    if (record.replaces === undefined) context.apply({ kind: 'node', record });
  };
  const enrolled = async (record: NodeRecord, token: TokenRecord, before?: NodeRecord): Promise<JoinAnswer> => {
    const work = enrol(record, token, before);
    saving.set(record.id, work);
    await work;
    return answer(record);
  };

  const admission: Admission = {
    checkToken(text, name) {
      checkOpen();
      const token = tokens.find(text);
      const verdict = judgeClaim(token, { name }, undefined, deps.clock.now().wall);
      if (token.replaces !== undefined) throw tokenInvalid('is for an agent that takes the place of another one');
      if (verdict.kind === 'refuse') throw tokenInvalid(verdict.why);
      return token;
    },
    checkName(name) {
      checkName(name);
      checkFree(name);
    },
    enrol,
  };

  /** One machine at a time: what was made before for the same place is worthless from now on. */
  const createForReplacement = async ({ name, uses = 1, ...wish }: TokenWish): Promise<TokenAnswer> => {
    const place = { policy: context.policy(), now: deps.clock.now() };
    if (name === undefined || uses !== 1) {
      return refuse(problem('BAD_REQUEST', 'a token to replace a node names it, and is good for one machine'));
    }
    const old = members().find((node) => node.name === name);
    if (!old) {
      const hint = 'oakctl nodes ls; a node that is not there needs no --replace';
      return refuse(problem('NOT_FOUND', `no node is named ${name}: there is nothing to replace`, { hint }));
    }
    const inTheWay = refuseReplacement(world, old, { ...place, force: wish.force ?? false });
    if (inTheWay) return refuse(inTheWay);
    const empties = wish.acceptEmptyVolume ?? false;
    const made = await tokens.create({ ...wish, name, replaces: old.id, ...(empties && { empties }) });
    return { ...made, replaces: replacementOf(world, old, { ...place, empties }) };
  };

  return {
    ...createExpulsion(context, dispatcher, { unheard, forgotten, tellBroker }),
    admission,
    tellBroker,
    tokens: {
      ...tokens,
      async create(wish) {
        if (wish.name !== undefined) {
          checkName(wish.name);
          // Its machine may have lost the answer: who makes a token for this very name lets it try again.
          if (!wish.replace && holderOf(wish.name)?.unheard === undefined) checkFree(wish.name);
        }
        return wish.replace ? createForReplacement(wish) : tokens.create(wish);
      },
    },

    identity(nonce) {
      const endpoints = context.endpoints.shown();
      return { ...identityOf(deps.keys, nonce), wire: wireVersions, ...(endpoints && { endpoints }) };
    },

    forgotten(id) {
      if (keeper.now.nodes[id] || forgotten.has(id)) return;
      forgotten.add(id);
      context.apply({ kind: 'stranger', node: id, at: deps.clock.now().mono });
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
      const old = token.replaces === undefined ? undefined : placeOf(token);
      const holder = old
        ? nodes().find((node) => node.revoked === undefined && node.replaces === old.id)
        : members().find((node) => node.name === name);
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
        const { next: _next, empties: _before, ...known } = node;
        const serial = nextSerial(node, world.fence.epoch);
        const again = { ...known, serial, ...mark, ...(token.empties && { empties: token.empties }) };
        const given = await enrolled(again, token, node);
        // Who waits for a place may be connected already.
        deps.broker.disconnect(node.id);
        return given;
      }
      checkName(name);
      if (!old) checkFree(name);
      const record: NodeRecord = {
        id: hex(deps.random.bytes(8)),
        name,
        ordinal: old?.ordinal ?? keeper.now.nextOrdinal,
        serial: 1,
        joined: deps.clock.now().wall,
        ...(old && { replaces: old.id, ...(token.empties && { empties: token.empties }) }),
        ...mark,
      };
      const given = await enrolled(record, token);
      const place = old ? ', and takes its place when it has reported' : '';
      journal.add('node_joined', `node/${name}`, `joined as ${record.id} from ${ip}${place}`);
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
  };
}
