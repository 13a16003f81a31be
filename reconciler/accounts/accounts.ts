/** Who may call the API: passwords, sessions and tokens behind one question, whose credential this is. */
import { firstUser, type SessionAnswer, type UserAnswer } from '../../schemas/accounts.ts';
import { eraOf } from '../../schemas/endpoints.ts';
import type { Mono } from '../../schemas/ports.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { createGuesses, houseOf } from '../core/guesses.ts';
import type { UserRecord } from '../core/records.ts';
import type { Caller } from '../core/rights.ts';
import { type ApiTokens, createApiTokens, isApiToken } from './api-tokens.ts';
import { type Cost, createPasswords, whereTheFirstLies } from './passwords.ts';
import { createSessionTokens } from './session-tokens.ts';
import { createSessions } from './sessions.ts';
import { type AccountsContext, createUsers, type Users } from './users.ts';

export interface Accounts extends Pick<Users, 'begin' | 'list' | 'add' | 'remove' | 'setRole' | 'required' | 'byId'> {
  readonly tokens: Omit<ApiTokens, 'callerOf' | 'current'>;
  /** UNAUTHORIZED; TOO_MANY before anything is looked at. `address`: of who asks. */
  login(name: string, password: string, address: string): Promise<SessionAnswer>;
  /** Another pair of tokens for a refresh token. UNAUTHORIZED. */
  refresh(token: string): Promise<SessionAnswer>;
  /** The session of this caller is over. */
  logout(caller: Caller): Promise<void>;
  /** UNAUTHORIZED. */
  callerOf(bearer: string): Promise<Caller>;
  /** The same caller as he is now; a login outlives its tokens. UNAUTHORIZED when login, token or account are over. */
  current(caller: Caller): Caller;
  /** `old`: checked as a login is. Absent: an admin does it. A new password is made where none is given. */
  setPassword(
    name: string,
    password: string | undefined,
    old: OldPassword | undefined,
    by: Caller,
  ): Promise<UserAnswer>;
}

export interface OldPassword {
  readonly password: string;
  readonly address: string;
}

/** ms between two events about guesses at one account. */
const tellEvery = 600_000;

export interface AccountsOptions {
  /** The first account has another password than the one that was made for it. */
  readonly onFirstPassword?: (() => void) | undefined;
  /** What passwords cost. Absent: enough. */
  readonly cost?: Cost;
}

export function createAccounts(context: AccountsContext, { onFirstPassword, cost }: AccountsOptions = {}): Accounts {
  const { deps, keeper, journal } = context;
  const passwords = createPasswords(deps.random, cost);
  const users = createUsers(context, passwords);
  const issuer = `oakctl/${deps.keys.fingerprint}/${eraOf(keeper.now.epoch)}`;
  const secret = (kind: string): Uint8Array => deps.keys.secretFor(`session/${kind}`);
  const sessionTokens = createSessionTokens({
    keys: { access: secret('access'), refresh: secret('refresh') },
    issuer,
  });
  const sessions = createSessions(context, users, sessionTokens);
  const tokens = createApiTokens(context, users);
  const guesses = createGuesses();
  const told = new Map<string, Mono>();

  /** Once in a while: whoever guesses must not fill the journal. */
  const tell = (user: UserRecord, address: string): void => {
    const { mono } = deps.clock.now();
    if (mono - (told.get(user.id) ?? Number.NEGATIVE_INFINITY) < tellEvery) return;
    told.set(user.id, mono);
    journal.add('user_locked', `user/${user.name}`, `wrong passwords again and again, the last from ${address}`);
  };
  /** The account, if this is its password. */
  const proven = async (name: string, password: string, address: string): Promise<UserRecord> => {
    const house = houseOf(address);
    const account = name.toLowerCase();
    const user = users.byName(name);
    const wait = guesses.take(account, house, deps.clock.now().mono);
    if (wait > 0) {
      if (user) tell(user, address);
      const what = `too many wrong passwords: the next one is looked at in ${Math.ceil(wait / 1000)} s`;
      const hint = "the token file of the cluster's folder, API tokens and sessions go on working";
      throw new ProblemError(problem('TOO_MANY', what, { hint, disposition: 'retry' }));
    }
    const matches = await passwords.matches(password, user?.hash).catch((error: unknown) => {
      guesses.giveBack(account, house);
      throw error;
    });
    const now = users.byName(name);
    if (matches && user && now?.version === user.version && now.id === user.id) {
      guesses.giveBack(account, house);
      return now;
    }
    const hint = name === firstUser && password === firstUser ? whereTheFirstLies : 'an admin can set another password';
    throw new ProblemError(problem('UNAUTHORIZED', 'name or password is wrong', { hint }));
  };

  return {
    ...users,
    tokens,
    login: async (name, password, address) => sessions.begin(await proven(name, password, address)),
    refresh: sessions.refresh,
    async logout({ login, user }) {
      if (login && user !== undefined) await sessions.end({ session: login.session, user });
    },
    callerOf: async (bearer) => (isApiToken(bearer) ? tokens.callerOf(bearer) : sessions.callerOf(bearer)),
    current(caller) {
      const { token, login, user } = caller;
      if (token !== undefined) return tokens.current(token);
      if (!login || user === undefined) return caller;
      const { name, role } = sessions.owner(user, login);
      return { ...caller, name, role };
    },
    async setPassword(name, password, old, by) {
      if (old) await proven(name, old.password, old.address);
      const answer = await users.setPassword(name, password, by);
      if (name === firstUser) onFirstPassword?.();
      return answer;
    },
  };
}
