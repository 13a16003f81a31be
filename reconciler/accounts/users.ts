/** Accounts: made, listed, changed, removed. Durable before anybody is told. */
import {
  firstUser,
  type Role,
  type UserAnswer,
  type UserBody,
  type UserView,
  userNamePattern,
} from '../../schemas/accounts.ts';
import type { Wall } from '../../schemas/ports.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { Context, ReconcilerDeps } from '../context.ts';
import type { UserRecord } from '../core/records.ts';
import type { Caller } from '../core/rights.ts';
import { savedOr, withEntry } from '../records-keeper.ts';
import { makePassword, type Passwords, requireGoodPassword } from './passwords.ts';

/** What accounts need of the loop. */
export interface AccountsContext extends Pick<Context, 'keeper' | 'journal'> {
  readonly deps: Pick<ReconcilerDeps, 'clock' | 'random' | 'keys'>;
}

export interface Users {
  /** The password of the first account, where there is no account yet: it is kept once `told` has resolved. */
  begin(told: (password: string) => Promise<void>): Promise<void>;
  list(): readonly UserView[];
  /** NAME_INVALID, NAME_TAKEN, BAD_REQUEST for a weak password. */
  add(wish: UserBody, by: Caller): Promise<UserAnswer>;
  /** Its tokens and sessions end with it. NOT_FOUND. */
  remove(name: string, by: Caller): Promise<{ readonly removed: string }>;
  setRole(name: string, role: Role, by: Caller): Promise<UserAnswer>;
  /** Its sessions end; its tokens stay. NOT_FOUND, BAD_REQUEST. */
  setPassword(name: string, password: string | undefined, by: Caller): Promise<UserAnswer>;
  /** All logins of the account with this id are over. */
  endLogins(id: string): Promise<void>;
  byName(name: string): UserRecord | undefined;
  byId(id: string): UserRecord | undefined;
  /** By name. NOT_FOUND. */
  required(name: string): UserRecord;
}

const mostUsers = 1000;

export function createUsers({ deps, keeper, journal }: AccountsContext, passwords: Passwords): Users {
  const wall = (): Wall => deps.clock.now().wall;
  const all = (): readonly UserRecord[] => Object.values(keeper.now.users ?? {});
  const byName = (name: string): UserRecord | undefined => all().find((user) => user.name === name);
  const byId: Users['byId'] = (id) => (Object.hasOwn(keeper.now.users ?? {}, id) ? keeper.now.users?.[id] : undefined);
  const required = (name: string): UserRecord => {
    const user = byName(name);
    if (user) return user;
    throw new ProblemError(
      problem('NOT_FOUND', `there is no account ${name}`, { subject: name, hint: '`oakctl users ls` lists them' }),
    );
  };
  /** Puts one record in place of another, durably or not at all. */
  const put = async (id: string, next: UserRecord | undefined): Promise<void> => {
    const before = keeper.now.users?.[id];
    keeper.change({ users: withEntry(keeper.now.users ?? {}, id, next) });
    await savedOr(keeper, () => {
      if (keeper.now.users?.[id] === next) keeper.change({ users: withEntry(keeper.now.users ?? {}, id, before) });
    });
  };
  /** All its logins are over: their tokens are of another version. */
  const putAnew = async (user: UserRecord): Promise<UserRecord> => {
    const next = { ...user, version: user.version + 1 };
    const { sessions: before = {} } = keeper.now;
    await put(user.id, next);
    // Worthless by now; those that began since are others.
    const live = Object.entries(keeper.now.sessions ?? {}).filter(
      ([session, { user: of }]) => of !== user.id || !Object.hasOwn(before, session),
    );
    keeper.change({ sessions: Object.fromEntries(live) });
    return next;
  };
  const view = ({ id, name, role, created, changed }: UserRecord): UserView => {
    const now = wall();
    const tokens = Object.values(keeper.now.apiTokens ?? {}).filter(
      ({ user, expires, revoked }) => user === id && expires > now && revoked === undefined,
    );
    return { name, role, created, changed, tokens: tokens.length };
  };
  const answer = (user: UserRecord, password: string | undefined): UserAnswer => ({
    user: view(user),
    ...(password !== undefined && { password }),
  });
  const newUser = async (name: string, role: Role, password: string): Promise<UserRecord> => {
    const hash = await passwords.hash(password);
    const now = wall();
    const id = Buffer.from(deps.random.bytes(12)).toString('hex');
    return { id, name, role, hash, version: 1, created: now, changed: now };
  };
  const requireFree = (name: string): void => {
    if (!userNamePattern.test(name)) {
      const hint = 'letters, digits and _ . @ + -, at most 63, and a letter or digit first';
      throw new ProblemError(problem('NAME_INVALID', `\`${name}\` is no name for an account`, { subject: name, hint }));
    }
    const taken = all().find((user) => user.name.toLowerCase() === name.toLowerCase());
    if (taken)
      throw new ProblemError(
        problem('NAME_TAKEN', `there is an account ${taken.name} already`, {
          subject: name,
          hint: '`oakctl users ls`; `users role` and `users passwd` change it',
        }),
      );
    if (all().length >= mostUsers)
      throw new ProblemError(problem('REFUSED', `a cluster has at most ${mostUsers} accounts`, { subject: name }));
  };

  return {
    byName,
    byId,
    required,
    async endLogins(id) {
      const user = byId(id);
      if (!user) return;
      await putAnew(user);
      journal.add('user_changed', `user/${user.name}`, 'all its logins were ended: there were too many to keep');
    },
    async begin(told) {
      if (keeper.now.users) return;
      const password = makePassword(deps.random);
      const user = await newUser(firstUser, 'admin', password);
      // Told before it counts: what is interrupted here begins anew with another password.
      await told(password);
      await put(user.id, user);
      journal.add('user_added', `user/${firstUser}`, 'the first account was made, with a password of its own');
    },
    list: () => [...all()].sort((a, b) => (a.name < b.name ? -1 : 1)).map(view),
    async add({ name, role, password: chosen }, by) {
      requireFree(name);
      if (chosen !== undefined) requireGoodPassword(chosen, name);
      const made = chosen === undefined ? makePassword(deps.random) : undefined;
      const user = await newUser(name, role, chosen ?? made ?? '');
      requireFree(name);
      await put(user.id, user);
      journal.add('user_added', `user/${name}`, `${role}; added by ${by.name}`);
      return answer(user, made);
    },
    async remove(name, by) {
      const { id } = required(name);
      await put(id, undefined);
      // Worthless by now. Taken away before, it would be missing where the disk refuses: a login that ended would be good again.
      const { apiTokens = {}, sessions = {} } = keeper.now;
      const others = <T extends { readonly user: string }>(map: Readonly<Record<string, T>>): Record<string, T> =>
        Object.fromEntries(Object.entries(map).filter(([, { user }]) => user !== id));
      keeper.change({ apiTokens: others(apiTokens), sessions: others(sessions) });
      journal.add('user_removed', `user/${name}`, `removed by ${by.name}`);
      return { removed: name };
    },
    async setRole(name, role, by) {
      const user = required(name);
      if (user.role === role) return answer(user, undefined);
      const next = { ...user, role };
      await put(user.id, next);
      journal.add('user_changed', `user/${name}`, `${role} instead of ${user.role}, by ${by.name}`);
      return answer(next, undefined);
    },
    async setPassword(name, chosen, by) {
      const { id } = required(name);
      if (chosen !== undefined) requireGoodPassword(chosen, name);
      const made = chosen === undefined ? makePassword(deps.random) : undefined;
      const hash = await passwords.hash(chosen ?? made ?? '');
      const user = required(name);
      if (user.id !== id) throw new ProblemError(problem('NOT_FOUND', `the account ${name} was removed meanwhile`));
      const next = await putAnew({ ...user, hash, changed: wall() });
      journal.add('user_changed', `user/${name}`, `another password, set by ${by.name}`);
      return answer(next, made);
    },
  };
}
