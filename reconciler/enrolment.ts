/** Who may be a node: join tokens, node records, credentials, revocation. Every answer follows the fsync. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IdentityAnswer, JoinAnswer, JoinRequest } from '../schemas/api.ts';
import { formatJoinToken, parseJoinToken } from '../schemas/join-token.ts';
import { nodeNamePattern } from '../schemas/names.ts';
import type { Wall } from '../schemas/ports.ts';
import { type Problem, ProblemError, problem } from '../schemas/problem.ts';
import type { Context } from './context.ts';
import type { NodeRecord } from './core/model.ts';
import type { TokenRecord } from './core/records.ts';
import type { Dispatcher } from './dispatch.ts';
import { withEntry } from './records-keeper.ts';

export interface Enrolment {
  createToken(request: {
    readonly name?: string;
    readonly ttl?: number;
    readonly uses?: number;
  }): Promise<{ token: string; id: string; expires: number }>;
  identity(nonce: string): IdentityAnswer;
  /** TOKEN_INVALID, NAME_INVALID, NAME_TAKEN. */
  join(request: JoinRequest): Promise<JoinAnswer>;
  /** NOT_FOUND. The node's credential is dead at once and stays dead. */
  revoke(name: string): Promise<{ revoked: string }>;
}

const hourMs = 3_600_000;
const maxTtl = 30 * 24 * hourMs;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');
const refuse = (p: Problem): never => {
  throw new ProblemError(p);
};

export function createEnrolment(context: Context, dispatcher: Dispatcher): Enrolment {
  const { deps, keeper, journal } = context;
  const pin = deps.keys.fingerprint.slice(0, 32);

  const tellBroker = (): void => {
    const valid = Object.values(keeper.now.nodes).filter((node) => node.revoked === undefined);
    deps.broker.setNodes(valid.map(({ id, serial }) => ({ id, serial })));
  };
  tellBroker();

  const checkToken = (request: JoinRequest): TokenRecord => {
    const wrong = (why: string): never =>
      refuse(problem('TOKEN_INVALID', `the join token ${why}`, { hint: 'oakctl nodes token create' }));
    const parsed = parseJoinToken(request.token);
    const record = keeper.now.tokens[parsed.id];
    if (!record || parsed.pin !== pin) return wrong('is unknown here, or belongs to another cluster');
    if (!timingSafeEqual(Buffer.from(record.hash, 'hex'), Buffer.from(hashOf(parsed.secret), 'hex'))) {
      return wrong('is unknown here, or belongs to another cluster');
    }
    if (record.expires <= deps.clock.now().wall) return wrong('has expired');
    if (record.uses <= 0) return wrong('is used up');
    if (record.name !== undefined && record.name !== request.name) return wrong(`is for the node ${record.name}`);
    return record;
  };

  const checkName = (name: string): void => {
    if (!nodeNamePattern.test(name)) {
      refuse(
        problem('NAME_INVALID', `the node name ${JSON.stringify(name)} is not allowed`, {
          hint: 'letters, digits, - and _, at most 63, beginning with a letter or digit',
        }),
      );
    }
    const same = Object.values(keeper.now.nodes).find(
      (node) => node.revoked === undefined && node.name.toLowerCase() === name.toLowerCase(),
    );
    if (same) {
      refuse(
        problem('NAME_TAKEN', `a node named ${same.name} has joined already`, {
          hint: `choose another --name, or first: oakctl nodes revoke ${same.name}`,
        }),
      );
    }
  };

  return {
    async createToken(request) {
      if (request.name !== undefined) checkName(request.name);
      const id = hex(deps.random.bytes(6));
      const secret = Buffer.from(deps.random.bytes(32)).toString('base64url');
      const ttl = Math.min(Math.max(request.ttl ?? hourMs, 1_000), maxTtl);
      const expires = (deps.clock.now().wall + ttl) as Wall;
      const token: TokenRecord = {
        id,
        hash: hashOf(secret),
        expires,
        uses: Math.max(1, Math.floor(request.uses ?? 1)),
        ...(request.name === undefined ? {} : { name: request.name }),
      };
      const live = Object.fromEntries(
        Object.entries(keeper.now.tokens).filter(([, t]) => t.uses > 0 && t.expires > deps.clock.now().wall),
      );
      keeper.change({ tokens: { ...live, [id]: token } });
      await keeper.saved();
      const authority = deps.authority?.();
      const parts = { id, secret, pin, ...(authority !== undefined && { authority }) };
      return { token: formatJoinToken(parts), id, expires };
    },

    identity(nonce) {
      const { cluster, fingerprint, kid, publicKey } = deps.keys;
      return { cluster, fingerprint, kid, key: publicKey, sig: deps.keys.sign(`oakctl/1/${cluster}/identity${nonce}`) };
    },

    async join(request) {
      const token = checkToken(request);
      checkName(request.name);
      const record: NodeRecord = {
        id: hex(deps.random.bytes(8)),
        name: request.name,
        ordinal: keeper.now.nextOrdinal,
        serial: 1,
        joined: deps.clock.now().wall,
      };
      // The use is counted in the same write that makes the node: a token cannot be spent twice, whatever crashes.
      keeper.change({
        tokens: withEntry(keeper.now.tokens, token.id, { ...token, uses: token.uses - 1 }),
        nodes: { ...keeper.now.nodes, [record.id]: record },
        nextOrdinal: record.ordinal + 1,
      });
      try {
        await keeper.saved();
      } catch (error) {
        // Nobody was told of the node: its name and the use of the token are free again.
        const { tokens, nodes } = keeper.now;
        const left = tokens[token.id];
        keeper.change({
          nodes: withEntry(nodes, record.id, undefined),
          tokens: left ? withEntry(tokens, token.id, { ...left, uses: left.uses + 1 }) : tokens,
        });
        throw error;
      }
      tellBroker();
      context.apply({ kind: 'node', record });
      journal.add('node_joined', `node/${record.name}`, `joined as ${record.id} from ${request.ip}`);
      return {
        id: record.id,
        name: record.name,
        cluster: deps.keys.cluster,
        fingerprint: deps.keys.fingerprint,
        ordinal: record.ordinal,
        mqtt: { ...deps.mqtt, username: record.id, password: deps.keys.credential(record.id, record.serial) },
        keys: { [deps.keys.kid]: deps.keys.publicKey },
      };
    },

    async revoke(name) {
      const found = Object.values(keeper.now.nodes).find(
        (node) => node.revoked === undefined && (node.name === name || node.id === name),
      );
      if (!found) return refuse(problem('NOT_FOUND', `no node is named ${name}`, { hint: 'oakctl nodes ls' }));
      keeper.change({ nodes: withEntry(keeper.now.nodes, found.id, { ...found, revoked: deps.clock.now().wall }) });
      // At once, whatever the disk says: a node that is not trusted any more must not stay for want of space.
      tellBroker();
      deps.broker.disconnect(found.id);
      dispatcher.clear(found.id);
      context.apply({ kind: 'node_forgotten', node: found.id });
      await keeper.saved();
      journal.add('node_revoked', `node/${found.name}`, 'its credential is revoked');
      return { revoked: found.name };
    },
  };
}
