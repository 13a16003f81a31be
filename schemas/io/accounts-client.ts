/** Accounts of the native API as an object: who one is, who else there is, and what they did. Fails as api-client.ts does. */
import type {
  ApiTokenAnswer,
  ApiTokenBody,
  ApiTokenView,
  CallerView,
  PasswordBody,
  Role,
  SessionAnswer,
  UserAnswer,
  UserBody,
  UserView,
} from '../accounts.ts';
import type { AuditEntry, AuditQuery } from '../audit.ts';
import { type Endpoint, type Exchange, exchangeJson } from './http.ts';

export interface AccountsClient {
  /** Needs no token. UNAUTHORIZED, TOO_MANY, TLS_REQUIRED. */
  login(username: string, password: string, signal: AbortSignal): Promise<SessionAnswer>;
  /** The next pair for this refresh token, which is worth nothing from then on. UNAUTHORIZED. */
  refresh(refreshToken: string, signal: AbortSignal): Promise<SessionAnswer>;
  /** The session of the token is over. */
  logout(signal: AbortSignal): Promise<{ readonly name: string }>;
  whoami(signal: AbortSignal): Promise<CallerView>;
  users(signal: AbortSignal): Promise<readonly UserView[]>;
  /** NAME_INVALID, NAME_TAKEN, BAD_REQUEST for a weak password. */
  addUser(wish: UserBody, signal: AbortSignal): Promise<UserAnswer>;
  /** NOT_FOUND. */
  removeUser(name: string, signal: AbortSignal): Promise<{ readonly removed: string }>;
  setRole(name: string, role: Role, signal: AbortSignal): Promise<UserAnswer>;
  /** UNAUTHORIZED for an old password that is wrong; BAD_REQUEST for a weak new one, or without the old one where it is needed. */
  setPassword(name: string, wish: PasswordBody, signal: AbortSignal): Promise<UserAnswer>;
  /** The own ones; of an admin all. The newest first. */
  apiTokens(signal: AbortSignal): Promise<readonly ApiTokenView[]>;
  createApiToken(name: string, wish: ApiTokenBody, signal: AbortSignal): Promise<ApiTokenAnswer>;
  /** NOT_FOUND. */
  revokeApiToken(id: string, signal: AbortSignal): Promise<{ readonly revoked: string }>;
  /** The newest that fit, the oldest of them first. */
  audit(query: AuditQuery, signal: AbortSignal): Promise<readonly AuditEntry[]>;
}

export function createAccountsClient(endpoint: Endpoint): AccountsClient {
  const get = <T>(path: string, signal: AbortSignal) => exchangeJson<T>(endpoint, { method: 'GET', path }, signal);
  const list = async <T>(path: string, signal: AbortSignal): Promise<readonly T[]> =>
    (await get<{ items: readonly T[] }>(path, signal)).items;
  const post = <T>(path: string, body: Exchange['body'], signal: AbortSignal, secret = false) =>
    exchangeJson<T>(endpoint, { method: 'POST', path, body, secret }, signal);
  const ofUser = (name: string, verb: string): string => `/v1/users/${encodeURIComponent(name)}/${verb}`;
  return {
    login: (username, password, signal) => post('/v1/login', { username, password }, signal, true),
    refresh(token, signal) {
      const { bearer: _, ...rest } = endpoint;
      return exchangeJson<SessionAnswer>({ ...rest, token }, { method: 'POST', path: '/v1/refresh', body: {} }, signal);
    },
    logout: (signal) => post('/v1/logout', {}, signal),
    whoami: (signal) => get('/v1/whoami', signal),
    users: (signal) => list('/v1/users', signal),
    addUser: (wish, signal) => post('/v1/users', wish, signal),
    removeUser: (name, signal) => post(ofUser(name, 'remove'), {}, signal),
    setRole: (name, role, signal) => post(ofUser(name, 'role'), { role }, signal),
    setPassword: (name, wish, signal) => post(ofUser(name, 'password'), wish, signal, true),
    apiTokens: (signal) => list('/v1/api-tokens', signal),
    createApiToken: (name, wish, signal) => post(ofUser(name, 'tokens'), wish, signal),
    revokeApiToken: (id, signal) => post(`/v1/api-tokens/${encodeURIComponent(id)}/revoke`, {}, signal),
    audit({ last, who, outcome }, signal) {
      const query = new URLSearchParams({
        ...(last !== undefined && { last: String(last) }),
        ...(who !== undefined && { who }),
        ...(outcome !== undefined && { outcome }),
      });
      return list(`/v1/audit?${query}`, signal);
    },
  };
}
