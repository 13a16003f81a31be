/** Who is who: logins, the own account, and for admins those of all others. */
import type { FastifyInstance } from 'fastify';
import {
  ApiTokenBody,
  type CallerView,
  CredentialsBody,
  PasswordBody,
  RoleBody,
  UserBody,
} from '../../../schemas/accounts.ts';
import { EmptyBody } from '../../../schemas/api-bodies.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { Accounts } from '../../accounts/accounts.ts';
import { refused } from '../../accounts/session-tokens.ts';
import type { UserRecord } from '../../core/records.ts';
import { type Caller, hasRight } from '../../core/rights.ts';
import { bearerOf, needs } from '../access.ts';
import { checkBody, type NamedRoute } from '../bodies.ts';

export function accountRoutes(app: FastifyInstance, accounts: Accounts): void {
  sessionRoutes(app, accounts);
  userRoutes(app, accounts);
  tokenRoutes(app, accounts);
}

function sessionRoutes(app: FastifyInstance, accounts: Accounts): void {
  app.post('/v1/login', needs('open'), async (request) => {
    const { username, password } = checkBody(CredentialsBody, request.body);
    const answer = await accounts.login(username, password, request.ip);
    request.caller = { name: answer.user, role: answer.role, by: 'login' };
    return answer;
  });
  app.post('/v1/refresh', needs('open'), async ({ headers }) => {
    const bearer = bearerOf(headers.authorization);
    if (bearer === undefined) throw refused('is missing: a refresh token is the bearer of this request');
    return accounts.refresh(bearer);
  });
  app.post('/v1/logout', needs('known'), async ({ body, caller }) => {
    checkBody(EmptyBody, body);
    await accounts.logout(caller);
    return { name: caller.name };
  });
  app.get('/v1/whoami', needs('known'), async ({ caller }): Promise<CallerView> => {
    const { name, role, by, apps, expires } = caller;
    return { name, role, by, ...(apps && { apps }), ...(expires !== undefined && { expires }) };
  });
}

function userRoutes(app: FastifyInstance, accounts: Accounts): void {
  app.get('/v1/users', needs('admin'), async () => ({ items: accounts.list() }));
  app.post('/v1/users', needs('admin'), async ({ body, caller }) => accounts.add(checkBody(UserBody, body), caller));
  app.post<NamedRoute>('/v1/users/:name/remove', needs('admin'), async ({ body, params, caller }) => {
    checkBody(EmptyBody, body);
    return accounts.remove(params.name, caller);
  });
  app.post<NamedRoute>('/v1/users/:name/role', needs('admin'), async ({ body, params, caller }) =>
    accounts.setRole(params.name, checkBody(RoleBody, body).role, caller),
  );
  app.post<NamedRoute>('/v1/users/:name/password', needs('self'), async (request) => {
    const { caller, params, body, ip } = request;
    const { password, old } = checkBody(PasswordBody, body);
    requireOwnOrAdmin(caller, accounts, params.name);
    if (old === undefined && isOwn(caller, accounts, params.name))
      throw new ProblemError(problem('BAD_REQUEST', 'the old password is needed, too', { subject: 'old' }));
    return accounts.setPassword(
      params.name,
      password,
      old === undefined ? undefined : { password: old, address: ip },
      caller,
    );
  });
}

function tokenRoutes(app: FastifyInstance, accounts: Accounts): void {
  app.get('/v1/api-tokens', needs('known'), async ({ caller }) => ({
    items: accounts.tokens.list(ownerSeen(caller, accounts)),
  }));
  app.post<NamedRoute>('/v1/users/:name/tokens', needs('self'), async ({ caller, params, body }) => {
    requireOwnOrAdmin(caller, accounts, params.name);
    return accounts.tokens.create(accounts.required(params.name), checkBody(ApiTokenBody, body), caller);
  });
  app.post<{ Params: { id: string } }>('/v1/api-tokens/:id/revoke', needs('self'), async ({ body, params, caller }) => {
    checkBody(EmptyBody, body);
    return accounts.tokens.revoke(params.id, ownerSeen(caller, accounts), caller);
  });
}

/** Whose tokens a caller sees and revokes; of an admin everybody's. An account that went since the request began has none. */
function ownerSeen(caller: Caller, accounts: Accounts): UserRecord | undefined {
  if (hasRight(caller, 'admin')) return undefined;
  const own = accounts.byId(caller.user ?? '');
  if (own) return own;
  throw refused('is of an account that is gone');
}

/** By its id: somebody else may have the name by now. */
function isOwn({ user }: Caller, accounts: Accounts, name: string): boolean {
  return user !== undefined && accounts.byId(user)?.name === name;
}

function requireOwnOrAdmin(caller: Caller, accounts: Accounts, name: string): void {
  if (isOwn(caller, accounts, name) || hasRight(caller, 'admin')) return;
  throw new ProblemError(problem('FORBIDDEN', `${caller.name} may change only the own account`, { subject: name }));
}
