/** Oakestra's logins and users. */
import type { FastifyInstance } from 'fastify';
import { CredentialsBody, type Role, type UserView } from '../../../schemas/accounts.ts';
import {
  OakestraPasswordsBody,
  OakestraRegisterBody,
  OakestraRolesBody,
  type OakestraUser,
} from '../../../schemas/oakestra.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { Accounts } from '../../accounts/accounts.ts';
import { refused } from '../../accounts/session-tokens.ts';
import { oakestraRoles } from '../../core/oakestra.ts';
import { type Caller, hasRight } from '../../core/rights.ts';
import { bearerOf, needs } from '../access.ts';
import { checkBody } from '../bodies.ts';

interface UserRoute {
  Params: { username: string };
}

export function oakestraAccountRoutes(app: FastifyInstance, accounts: Accounts): void {
  app.post('/api/auth/login', needs('open'), async (request, reply) => {
    const { body, ip } = request;
    if (body === undefined || body === null)
      return reply.code(403).send({ code: 403, message: 'the body must hold username and password' });
    const { username, password } = checkBody(CredentialsBody, body);
    const { user, role, token, refresh_token } = await accounts.login(username, password, ip);
    request.caller = { name: user, role, by: 'login' };
    return { token, refresh_token };
  });
  app.post('/api/auth/refresh', needs('open'), async ({ headers }) => {
    const bearer = bearerOf(headers.authorization);
    if (bearer === undefined) throw refused('is missing: a refresh token is the bearer of this request');
    const { token, refresh_token } = await accounts.refresh(bearer);
    return { token, refresh_token };
  });
  app.post('/api/auth/register', needs('admin'), async ({ body, caller }) => {
    const { name, password, roles = [] } = checkBody(OakestraRegisterBody, body);
    const { user } = await accounts.add({ name, password, role: roleIn(roles) }, caller);
    return userOf(user, accounts);
  });
  app.get<UserRoute>('/api/permission/:username', needs('known'), async ({ params, caller }) => {
    const { role } = seen(params.username, caller, accounts);
    return { roles: [{ name: oakestraRoles[role] }] };
  });
  app.get<UserRoute>('/api/user/:username', needs('known'), async ({ params, caller }) =>
    userOf(seen(params.username, caller, accounts), accounts),
  );
  app.get('/api/users', needs('admin'), async () => accounts.list().map((user) => userOf(user, accounts)));
  app.post<UserRoute>('/api/user/:username', needs('self'), async ({ params, body, caller, ip }) => {
    const { oldPassword, newPassword } = checkBody(OakestraPasswordsBody, body);
    const { name } = seen(params.username, caller, accounts);
    await accounts.setPassword(name, newPassword, { password: oldPassword, address: ip }, caller);
    return { message: 'the password was changed' };
  });
  app.put<UserRoute>('/api/user/:username', needs('admin'), async ({ params, body, caller }) => {
    const { roles } = checkBody(OakestraRolesBody, body);
    return userOf((await accounts.setRole(params.username, roleIn(roles), caller)).user, accounts);
  });
  app.delete<UserRoute>('/api/user/:username', needs('admin'), async ({ params, caller }) => {
    const { removed } = await accounts.remove(params.username, caller);
    return { message: `${removed} was removed` };
  });
}

/** Oneself, or for an admin anybody. Whoever has the token file is called as he likes. */
function seen(name: string, caller: Caller, accounts: Accounts): UserView {
  const user =
    caller.name === name || hasRight(caller, 'admin') ? accounts.list().find((one) => one.name === name) : undefined;
  if (user) return user;
  if (hasRight(caller, 'admin')) accounts.required(name);
  throw new ProblemError(problem('FORBIDDEN', `${caller.name} may see only the own account`, { subject: name }));
}

function userOf({ name, role, created }: UserView, accounts: Accounts): OakestraUser {
  const { id } = accounts.required(name);
  return { _id: { $oid: id }, name, email: '', created_at: created / 1000, roles: [{ name: oakestraRoles[role] }] };
}

function roleIn(roles: readonly (string | { readonly name: string })[]): Role {
  const names = roles.map((one) => (typeof one === 'string' ? one : one.name));
  const unknown = names.find((name) => !Object.hasOwn(byName, name));
  if (unknown !== undefined) {
    const hint = `there are ${Object.keys(byName).join(', ')}`;
    throw new ProblemError(problem('BAD_REQUEST', `there is no role ${unknown}`, { subject: 'roles', hint }));
  }
  const found = names.map((name) => byName[name]);
  return found.includes('admin') ? 'admin' : found.includes('application_provider') ? 'application_provider' : 'viewer';
}

/** Who has infrastructure has no say in Oakestra, either. */
const byName: Readonly<Record<string, Role>> = {
  Admin: 'admin',
  Application_Provider: 'application_provider',
  Infrastructure_Provider: 'viewer',
  Viewer: 'viewer',
};
