/** Join tokens: made, listed, revoked. Records keep a hash of the secret; what is said once is said in the answer only. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { TokenAnswer } from '../schemas/api.ts';
import { keysOf } from '../schemas/io/chain.ts';
import { fingerprintOf } from '../schemas/io/signatures.ts';
import { formatJoinToken, parseJoinToken, pinOf } from '../schemas/join-token.ts';
import type { Wall } from '../schemas/ports.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import type { TokenView } from '../schemas/views.ts';
import type { Context } from './context.ts';
import { tokenView } from './core/join-tokens.ts';
import type { TokenRecord } from './core/records.ts';
import { withEntry } from './records-keeper.ts';

export interface TokenWish {
  readonly name?: string;
  /** ms. */
  readonly ttl?: number;
  readonly uses?: number;
  readonly actor?: string;
  /** For a machine that takes the place of the node of that name, also of one that is online with `force`. */
  readonly replace?: boolean;
  readonly force?: boolean;
  readonly acceptEmptyVolume?: boolean;
}

/** What is on record of it. */
type TokenGrant = Omit<TokenWish, 'replace' | 'force' | 'acceptEmptyVolume'> &
  Pick<TokenRecord, 'replaces' | 'empties'>;

export interface JoinTokens<Wish = TokenWish> {
  create(wish: Wish): Promise<TokenAnswer>;
  /** Those that have not expired, newest first. */
  list(): readonly TokenView[];
  /** NOT_FOUND. */
  revoke(id: string, actor?: string): Promise<{ revoked: string }>;
  /** All that could still be used: their pins lead to a key that is not to be believed any more. Their ids. */
  revokeAll(why: string): Promise<readonly string[]>;
  /** The record of a token whose secret is right. TOKEN_INVALID; a wrong secret and an unknown token look the same. */
  find(text: string): TokenRecord;
}

const hourMs = 3_600_000;
const maxTtl = 30 * 24 * hourMs;

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/** TOKEN_INVALID: the join token `why`. */
export function tokenInvalid(why: string): ProblemError {
  return new ProblemError(
    problem('TOKEN_INVALID', `the join token ${why}`, { hint: 'on the cluster: oakctl nodes token create' }),
  );
}

export function createJoinTokens(context: Context): JoinTokens<TokenGrant> {
  const { deps, keeper, journal } = context;
  /** Of every key that was ever ours: who holds a token from before a rotation finds the way from its key to the one of now. */
  const pins = (): readonly string[] => keysOf(deps.keys.news().chain).map((key) => pinOf(fingerprintOf(key)));
  const wall = (): Wall => deps.clock.now().wall;
  const by = (actor: string | undefined): string => (actor === undefined ? '' : ` by ${actor}`);

  return {
    async create({ name, ttl = hourMs, uses = 1, actor, replaces, empties }) {
      const id = Buffer.from(deps.random.bytes(6)).toString('hex');
      const secret = Buffer.from(deps.random.bytes(32)).toString('base64url');
      const created = wall();
      const expires = (created + Math.min(Math.max(ttl, 1_000), maxTtl)) as Wall;
      const token: TokenRecord = {
        id,
        hash: hashOf(secret),
        expires,
        uses: Math.max(1, Math.floor(uses)),
        ...(name === undefined ? uses > 1 && { shared: true } : { name }),
        ...(replaces !== undefined && { replaces }),
        ...(empties && { empties }),
        created,
        ...(actor !== undefined && { by: actor }),
      };
      const kept = Object.entries(keeper.now.tokens)
        .filter(([, one]) => one.expires > created)
        .map(([key, one]) => [key, isRival(one, token) ? { ...one, revoked: created } : one] as const);
      keeper.change({ tokens: { ...Object.fromEntries(kept), [id]: token } });
      await keeper.saved();
      const who = name === undefined ? '' : ` for the node ${name}`;
      const times = token.uses === 1 ? 'once' : `${token.uses} times`;
      const what =
        replaces === undefined ? `lets nodes join ${times}${who}` : `lets a machine take the place of ${name}`;
      journal.add('token_created', `token/${id}`, `${what}; created${by(actor)}`);
      const authority = deps.authority?.();
      const pin = pinOf(fingerprintOf(deps.keys.publicKey));
      const parts = { id, secret, pin, ...(authority !== undefined && { authority }) };
      return { token: formatJoinToken(parts), id, expires };
    },

    list() {
      const now = wall();
      return Object.values(keeper.now.tokens)
        .filter(({ expires }) => expires > now)
        .sort((a, b) => (b.created ?? 0) - (a.created ?? 0) || (a.id < b.id ? -1 : 1))
        .map((token) => tokenView(token, now));
    },

    async revoke(id, actor) {
      const token = Object.hasOwn(keeper.now.tokens, id) ? keeper.now.tokens[id] : undefined;
      if (!token) {
        const hint = 'oakctl nodes token ls; a token that has expired is forgotten';
        throw new ProblemError(problem('NOT_FOUND', `no join token has the id ${id}`, { subject: id, hint }));
      }
      if (token.revoked === undefined) {
        keeper.change({ tokens: withEntry(keeper.now.tokens, id, { ...token, revoked: wall() }) });
        journal.add('token_revoked', `token/${id}`, `nobody joins with it any more; revoked${by(actor)}`);
      }
      await keeper.saved();
      return { revoked: id };
    },

    async revokeAll(why) {
      const now = wall();
      const open = Object.values(keeper.now.tokens).filter(
        ({ revoked, uses, expires }) => revoked === undefined && uses > 0 && expires > now,
      );
      const revoked = open.map((token) => [token.id, { ...token, revoked: now }] as const);
      keeper.change({ tokens: { ...keeper.now.tokens, ...Object.fromEntries(revoked) } });
      for (const { id } of open) journal.add('token_revoked', `token/${id}`, why);
      await keeper.saved();
      return open.map(({ id }) => id);
    },

    find(text) {
      const parsed = parseJoinToken(text);
      const record = Object.hasOwn(keeper.now.tokens, parsed.id) ? keeper.now.tokens[parsed.id] : undefined;
      const given = Buffer.from(hashOf(parsed.secret), 'hex');
      const right = record !== undefined && timingSafeEqual(Buffer.from(record.hash, 'hex'), given);
      if (record && right && pins().includes(parsed.pin)) return record;
      throw tokenInvalid('is unknown here, or belongs to another cluster');
    },
  };
}

/** Two machines for one place: the older token is worthless. */
function isRival(old: TokenRecord, { replaces }: TokenRecord): boolean {
  return replaces !== undefined && old.replaces === replaces && old.revoked === undefined;
}
