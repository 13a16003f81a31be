/**
 * Logins: a session is what its tokens say, until it is refreshed or ended; from then on a record says which of its refresh tokens
 * is the last one. Whoever shows an older one has stolen it, or was stolen from: the session ends for both.
 */
import type { SessionAnswer } from '../../schemas/accounts.ts';
import type { Wall } from '../../schemas/ports.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { SessionRecord, UserRecord } from '../core/records.ts';
import type { Caller, Login } from '../core/rights.ts';
import { withEntry } from '../records-keeper.ts';
import { accessTtl, type Claims, refused, type SessionTokens, sessionTtl } from './session-tokens.ts';
import type { AccountsContext, Users } from './users.ts';

/** ms in which the token before the last one gives the last one again: an answer was lost, or two commands came at once. */
const again = 10_000;
/** Sessions of one account that were refreshed, or ended before their time: of these there are records. */
const mostSessions = 1000;

export interface Sessions {
  begin(user: UserRecord): Promise<SessionAnswer>;
  /** The next pair. UNAUTHORIZED. */
  refresh(token: string): Promise<SessionAnswer>;
  /** Whose access token it is. UNAUTHORIZED. */
  callerOf(token: string): Promise<Caller>;
  /** Whose login it is. UNAUTHORIZED when it is over. */
  owner(user: string, login: Login): Pick<Caller, 'name' | 'role'>;
  end(claims: Pick<Claims, 'session' | 'user'>): Promise<void>;
}

export function createSessions(context: AccountsContext, users: Users, tokens: SessionTokens): Sessions {
  const { deps, keeper, journal } = context;
  const wall = (): Wall => deps.clock.now().wall;
  const known = (session: string): SessionRecord | undefined =>
    Object.hasOwn(keeper.now.sessions ?? {}, session) ? keeper.now.sessions?.[session] : undefined;
  /** What nothing is valid of any more goes at each change. */
  const keep = (session: string, record: SessionRecord): void => {
    const now = wall();
    const live = Object.entries(keeper.now.sessions ?? {}).filter(([, { until }]) => until > now);
    keeper.change({ sessions: withEntry(Object.fromEntries(live), session, record) });
  };
  const ownerOf = (claims: Pick<Claims, 'user' | 'session' | 'version'>): UserRecord => {
    const user = users.byId(claims.user);
    if (user?.version !== claims.version || known(claims.session)?.ended) throw refused('is of a session that ended');
    return user;
  };
  const answer = async (user: UserRecord, session: string, turn: number, until: Wall): Promise<SessionAnswer> => {
    const now = wall();
    const expires = Math.min(now + accessTtl, until) as Wall;
    const claims = { user: user.id, session, version: user.version, turn };
    const [token, refresh] = await Promise.all([
      tokens.make('access', { ...claims, expires }, now),
      tokens.make('refresh', { ...claims, expires: until }, now),
    ]);
    return { user: user.name, role: user.role, token, refresh_token: refresh, expires, until };
  };
  const end = async ({ session, user }: Pick<Claims, 'session' | 'user'>): Promise<void> => {
    const now = wall();
    const record = known(session);
    // Whoever logs in and out all the time makes no more records than that.
    if (!record && recorded(user, now) >= mostSessions) return users.endLogins(user);
    if (!record?.ended) {
      const until = (now + sessionTtl) as Wall;
      keep(session, { user, turn: record?.turn ?? 0, at: now, ended: true, until });
    }
    await keeper.saved();
  };

  return {
    begin(user) {
      const session = Buffer.from(deps.random.bytes(12)).toString('hex');
      return answer(user, session, 0, (wall() + sessionTtl) as Wall);
    },
    async refresh(token) {
      const now = wall();
      const claims = await tokens.read('refresh', token, now);
      const user = ownerOf(claims);
      const record = known(claims.session);
      const turn = record?.turn ?? 0;
      if (claims.turn === turn - 1 && record && now - record.at < again && now >= record.at) {
        await keeper.saved();
        return answer(user, claims.session, turn, claims.expires);
      }
      if (claims.turn !== turn) {
        await end(claims);
        journal.add(
          'session_reused',
          `user/${user.name}`,
          'a refresh token came for the second time: that login was ended',
        );
        throw refused('was used already; the session is ended, because somebody else may have a copy of it');
      }
      if (!record) requireRoom(user, now);
      keep(claims.session, { user: user.id, turn: turn + 1, at: now, until: claims.expires });
      await keeper.saved();
      return answer(user, claims.session, turn + 1, claims.expires);
    },
    async callerOf(token) {
      const claims = await tokens.read('access', token, wall());
      const { id, name, role } = ownerOf(claims);
      const { session, version, expires } = claims;
      // The first token of a login has no record: it begins with the login.
      const until = known(session)?.until ?? ((expires - accessTtl + sessionTtl) as Wall);
      return { name, user: id, role, by: 'login', expires, login: { session, version, until } };
    },
    owner(user, { session, version, until }) {
      if (until <= wall()) throw refused('is of a session that ended');
      return ownerOf({ user, session, version });
    },
    end,
  };

  function requireRoom({ id, name }: UserRecord, now: Wall): void {
    const count = recorded(id, now);
    if (count < mostSessions) return;
    const hint = 'another password ends all of them';
    throw new ProblemError(problem('TOO_MANY', `${name} has ${count} sessions`, { hint }));
  }

  function recorded(id: string, now: Wall): number {
    return Object.values(keeper.now.sessions ?? {}).filter(({ user, until }) => user === id && until > now).length;
  }
}
