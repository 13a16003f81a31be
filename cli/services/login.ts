/** Logging in and out: the login is kept beside the contexts, and commands use it from then on. */
import type { Role } from '../../schemas/accounts.ts';
import { createAccountsClient } from '../../schemas/io/accounts-client.ts';
import type { Bearer } from '../../schemas/io/http.ts';
import { isProblemError } from '../../schemas/problem.ts';
import { endpointOf, type Target } from '../contexts.ts';
import { forgetSession, inTurn, keepSession, type Session, sessionOf, withLogin } from '../sessions.ts';

export interface LoggedIn {
  readonly context: string;
  readonly api: string;
  readonly user: string;
  readonly role: Role;
  /** ms since 1970. */
  readonly until: number;
}

export interface LoggedOut {
  readonly context: string;
  /** Absent: nobody was logged in. */
  readonly user?: string;
  /** Why the cluster could not be told: there the login goes on until then. */
  readonly untold?: { readonly message: string; readonly until: number };
}

interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Another login in the place of the one that is there, which ends. UNAUTHORIZED, TOO_MANY, TLS_REQUIRED. */
export async function login(
  target: Target,
  credentials: Credentials,
  home: string,
  signal: AbortSignal,
): Promise<LoggedIn> {
  const before = await sessionOf(home, target).catch(() => undefined);
  const answer = await beginLogin(target, credentials, home, signal);
  if (before) await ended(end(before, withoutToken(target), signal));
  return answer;
}

/** Of a login that is not kept any more; also when the time of its token is over, which its refresh token outlives. */
async function end({ token, refresh_token }: Session, place: Target, signal: AbortSignal): Promise<unknown> {
  const bearer: Bearer = {
    current: async () => token,
    renew: async () => (await createAccountsClient(endpointOf(place)).refresh(refresh_token, signal)).token,
  };
  return createAccountsClient(endpointOf({ ...place, bearer })).logout(signal);
}

/** As {@link login}, where the one before is over already. */
export async function beginLogin(
  target: Target,
  { user, password }: Credentials,
  home: string,
  signal: AbortSignal,
): Promise<LoggedIn> {
  const place = withoutToken(target);
  const answer = await createAccountsClient(endpointOf(place)).login(user, password, signal);
  await inTurn(home, () => keepSession(home, place, answer));
  return { context: place.name, api: place.api, user: answer.user, role: answer.role, until: answer.until };
}

function withoutToken({ token: _, bearer: __, ...place }: Target): Target {
  return place;
}

/** Nobody is logged in there any more. A cluster that does not answer is no failure. */
export async function logout(target: Target, home: string, signal: AbortSignal): Promise<LoggedOut> {
  const context = target.name;
  const session = await sessionOf(home, target).catch(damaged);
  if (!session) {
    await forgetSession(home, target);
    return { context };
  }
  const known = await withLogin(target, {}, {}, home);
  const why = await ended(createAccountsClient(endpointOf(known)).logout(signal));
  await inTurn(home, () => forgetSession(home, target));
  const { user, until } = session;
  return { context, user, ...(why !== undefined && { untold: { message: why, until } }) };
}

/** Why it may not have ended; one that is over already has. */
async function ended(asked: Promise<unknown>): Promise<string | undefined> {
  try {
    await asked;
    return undefined;
  } catch (error) {
    if (!isProblemError(error)) throw error;
    return error.problem.code === 'UNAUTHORIZED' ? undefined : error.problem.message;
  }
}

/** A file that does not count is gone, too. */
function damaged(error: unknown): Session | undefined {
  if (isProblemError(error)) return undefined;
  throw error;
}
