/** Tokens of accounts, for programs: told once, kept as a hash, and never good for more than the account itself is. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { ApiTokenAnswer, ApiTokenBody, ApiTokenView } from '../../schemas/accounts.ts';
import type { Wall } from '../../schemas/ports.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { ApiTokenRecord, UserRecord } from '../core/records.ts';
import { type Caller, leastRole } from '../core/rights.ts';
import { withEntry } from '../records-keeper.ts';
import { refused } from './session-tokens.ts';
import type { AccountsContext, Users } from './users.ts';

export interface ApiTokens {
  create(user: UserRecord, wish: ApiTokenBody, by: Caller): Promise<ApiTokenAnswer>;
  /** Of one account, or all; the newest first. */
  list(user: UserRecord | undefined): readonly ApiTokenView[];
  /** `of`: only if it is of this account. NOT_FOUND. */
  revoke(id: string, of: UserRecord | undefined, by: Caller): Promise<{ readonly revoked: string }>;
  /** UNAUTHORIZED. */
  callerOf(token: string): Caller;
  /** By the id of the token. UNAUTHORIZED. */
  current(id: string): Caller;
}

const pattern = /^oakt_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;
const month = 30 * 86_400_000;
const mostTokens = 1000;

/** What looks like one: everything else is a token of a session. */
export function isApiToken(text: string): boolean {
  return text.startsWith('oakt_');
}

export function createApiTokens({ deps, keeper, journal }: AccountsContext, users: Users): ApiTokens {
  const wall = (): Wall => deps.clock.now().wall;
  const all = (): Readonly<Record<string, ApiTokenRecord>> => keeper.now.apiTokens ?? {};
  const current = (id: string): Caller => {
    const record = Object.hasOwn(all(), id) ? all()[id] : undefined;
    const user = record && users.byId(record.user);
    if (!record || !user) throw unknown();
    if (record.revoked !== undefined) throw refused('was revoked');
    if (record.expires <= wall()) throw refused('has expired');
    const { expires, apps } = record;
    const role = leastRole(record.role, user.role);
    const own = role === 'viewer' && [record.role, user.role].includes('application_provider');
    return {
      name: user.name,
      user: user.id,
      role,
      by: 'token',
      token: id,
      expires,
      ...(apps && { apps }),
      ...(own && { own }),
    };
  };
  const view = ({ id, user, role, apps, purpose, created, expires, revoked }: ApiTokenRecord): ApiTokenView => ({
    id,
    user: users.byId(user)?.name ?? user,
    role,
    ...(apps && { apps }),
    ...(purpose !== undefined && { purpose }),
    created,
    expires,
    state: revoked !== undefined ? 'revoked' : expires > wall() ? 'valid' : 'expired',
  });

  return {
    async create(user, { role = user.role, apps, purpose, ttl = month }, by) {
      if (leastRole(role, user.role) !== role) {
        const what = `${user.name} is ${user.role}, and a token of it cannot be ${role}`;
        throw new ProblemError(
          problem('FORBIDDEN', what, {
            subject: user.name,
            hint: `leave out the role, or \`oakctl users role ${user.name} ${role}\` first`,
          }),
        );
      }
      const now = wall();
      const live = Object.fromEntries(Object.entries(all()).filter(([, { expires }]) => expires > now - month));
      if (Object.values(live).filter((one) => one.user === user.id).length >= mostTokens) {
        const hint = 'revoke what nobody uses, and come back in a month';
        throw new ProblemError(problem('TOO_MANY', `${user.name} has ${mostTokens} tokens`, { hint }));
      }
      const id = Buffer.from(deps.random.bytes(6)).toString('hex');
      const secret = Buffer.from(deps.random.bytes(32)).toString('base64url');
      const record: ApiTokenRecord = {
        ...{ id, user: user.id, hash: hashOf(secret), role, created: now, expires: (now + ttl) as Wall },
        ...(apps && { apps }),
        ...(purpose !== undefined && { purpose }),
      };
      keeper.change({ apiTokens: { ...live, [id]: record } });
      await keeper.saved();
      journal.add('token_created', `user/${user.name}`, `API token ${id}, as ${role}; created by ${by.name}`);
      return { token: `oakt_${id}_${secret}`, view: view(record) };
    },
    list: (user) =>
      Object.values(all())
        .filter((token) => user === undefined || token.user === user.id)
        .sort((a, b) => b.created - a.created || (a.id < b.id ? -1 : 1))
        .map(view),
    async revoke(id, of, by) {
      const record = Object.hasOwn(all(), id) ? all()[id] : undefined;
      if (!record || (of && record.user !== of.id)) {
        const hint = '`oakctl users token ls` lists them';
        throw new ProblemError(problem('NOT_FOUND', `there is no API token ${id}`, { subject: id, hint }));
      }
      if (record.revoked === undefined) {
        keeper.change({ apiTokens: withEntry(all(), id, { ...record, revoked: wall() }) });
        const user = users.byId(record.user)?.name ?? record.user;
        journal.add('token_revoked', `user/${user}`, `API token ${id}; revoked by ${by.name}`);
      }
      await keeper.saved();
      return { revoked: id };
    },
    callerOf(text) {
      const [, id = '', secret = ''] = pattern.exec(text) ?? [];
      const record = Object.hasOwn(all(), id) ? all()[id] : undefined;
      const given = Buffer.from(hashOf(secret), 'hex');
      if (!record || !timingSafeEqual(Buffer.from(record.hash, 'hex'), given)) throw unknown();
      return current(id);
    },
    current,
  };
}

function unknown(): ProblemError {
  return refused('is no token of this cluster');
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
