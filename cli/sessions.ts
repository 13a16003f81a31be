/**
 * Who one is at a cluster: a file for each context in `<home>/sessions`, for its owner only, with the tokens of a login. A refresh token
 * is good for one use, and a second use ends the login: so one process at a time exchanges it, and the answer is kept whatever becomes
 * of the command.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SessionAnswer } from '../schemas/accounts.ts';
import { createAccountsClient } from '../schemas/io/accounts-client.ts';
import { type FolderLock, lockFolder } from '../schemas/io/folder-lock.ts';
import { readGuarded, secretFault } from '../schemas/io/guarded-file.ts';
import type { Bearer } from '../schemas/io/http.ts';
import { replaceSynced } from '../schemas/io/twin-file.ts';
import { isProblemError, ProblemError, problem } from '../schemas/problem.ts';
import { endpointOf, sameOrigin, type Target, type TargetFlags } from './contexts.ts';
import type { Env } from './home.ts';

export interface Session extends SessionAnswer {
  /** Where the login was made: its tokens are for nobody else. */
  readonly api: string;
  /** When its tokens came, ms since 1970 on this machine's clock. */
  readonly since: number;
}

/** ms after which a token is exchanged before it is refused: it lasts 10 minutes. Clocks need not agree: what is refused is exchanged, too. */
const renewAfter = 540_000;
/** ms for one exchange. Whoever waits for his turn waits a little longer. */
const patience = 10_000;
const turnEvery = 25;
const longest = 64 * 1024;

type Place = Pick<Target, 'name' | 'api' | 'folder'>;

/** The login that commands use there; absent: none. FILE_DAMAGED when others could have read it, or it is none. */
export async function sessionOf(home: string, place: Place): Promise<Session | undefined> {
  const file = sessionFile(home, place);
  const found = await readGuarded(file, longest, (info) => secretFault(file, info));
  if (found === undefined) return undefined;
  const session = 'text' in found ? parsed(found.text) : undefined;
  if (!session) {
    const why = 'why' in found ? found.why : 'it is not what `oakctl login` writes';
    const hint = `\`oakctl logout --context ${place.name}\` removes it, \`oakctl login\` makes another`;
    throw new ProblemError(problem('FILE_DAMAGED', `the login does not count: ${why}`, { file, hint }));
  }
  // A cluster of this machine may listen elsewhere after a restart.
  return place.folder !== undefined || sameOrigin(session.api, place.api) ? session : undefined;
}

/** FILE_UNWRITABLE. */
export async function keepSession(home: string, place: Place, answer: SessionAnswer): Promise<void> {
  const session: Session = { ...answer, api: place.api, since: Date.now() };
  const file = sessionFile(home, place);
  try {
    await mkdir(sessionsFolder(home), { recursive: true, mode: 0o700 });
    await replaceSynced(file, `${JSON.stringify(session)}\n`);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new ProblemError(problem('FILE_UNWRITABLE', `the login cannot be kept (${why})`, { file }), { cause: error });
  }
}

export async function forgetSession(home: string, place: Pick<Target, 'name'>): Promise<void> {
  await rm(sessionFile(home, place), { force: true });
}

/** The login that this command line means: none where it, or the environment, names a token file. */
export async function loginOf(
  target: Target,
  flags: TargetFlags,
  env: Env,
  home: string,
): Promise<Session | undefined> {
  if ((flags['token-file'] ?? env['OAKCTL_TOKEN_FILE']) !== undefined) return undefined;
  return sessionOf(home, target);
}

/** Its token is to be exchanged, as far as the clock of this machine knows. */
export function isDue({ since }: Session): boolean {
  const age = Date.now() - since;
  return age < 0 || age > renewAfter;
}

/** The target as who is logged in there, if somebody is: before the token file of the context, or of the cluster's folder. */
export async function withLogin(target: Target, flags: TargetFlags, env: Env, home: string): Promise<Target> {
  const session = await loginOf(target, flags, env, home);
  if (!session) return target;
  const { token: _, ...rest } = target;
  return { ...rest, bearer: createBearer(home, rest, session.user), user: session.user };
}

/** The token of the login, as it is in the file: another process may have exchanged it. A command never becomes somebody else. */
function createBearer(home: string, target: Target, user: string): Bearer {
  let running: Promise<string> | undefined;
  const required = async (): Promise<Session> => {
    const session = await sessionOf(home, target);
    if (session?.user === user) return session;
    const what = session ? `${session.user} logged in at` : 'somebody logged out of';
    throw new ProblemError(
      problem('UNAUTHORIZED', `${what} ${target.name} while this was going on as ${user}`, { hint: '`oakctl whoami`' }),
    );
  };
  const exchanged = async (refused: string): Promise<string> => {
    const session = await required();
    if (session.token !== refused) return session.token;
    // Not ended with the command: an exchange whose answer nobody keeps ends the login.
    const asked = createAccountsClient(endpointOf(target)).refresh(
      session.refresh_token,
      AbortSignal.timeout(patience),
    );
    const next = await asked.catch((error: unknown) => {
      throw explained(error, session, target);
    });
    await keepSession(home, target, next);
    return next.token;
  };
  const renew = (refused: string): Promise<string> => {
    running ??= inTurn(home, () => exchanged(refused)).finally(() => {
      running = undefined;
    });
    return running;
  };
  return {
    async current() {
      const session = await required();
      return isDue(session) ? renew(session.token) : session.token;
    },
    renew,
  };
}

/** Changes logins while no other process does. FOLDER_LOCKED when that takes too long. */
export async function inTurn<T>(home: string, act: () => Promise<T>): Promise<T> {
  const lock = await turn(sessionsFolder(home));
  try {
    return await act();
  } finally {
    await lock.release();
  }
}

/** The lock of a folder, as soon as it is free. FOLDER_LOCKED when that takes too long. */
async function turn(folder: string): Promise<FolderLock> {
  const end = performance.now() + patience + patience / 2;
  for (;;) {
    try {
      return await lockFolder(folder);
    } catch (error) {
      if (!isProblemError(error) || error.problem.code !== 'FOLDER_LOCKED' || performance.now() > end) throw error;
      await sleep(turnEvery);
    }
  }
}

/** Why a login cannot go on, and what to do. */
function explained(error: unknown, { user }: Session, { name, api, folder }: Target): unknown {
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    const what = `no answer from the reconciler at ${api} within ${patience / 1000} s`;
    return new ProblemError(problem('UNREACHABLE', what, { disposition: 'retry' }), { cause: error });
  }
  if (!isProblemError(error) || error.problem.code !== 'UNAUTHORIZED') return error;
  const instead = folder === undefined ? 'forgets this one' : 'goes back to the token file of the cluster';
  const hint = `\`oakctl login --context ${name} --user ${user}\` begins another, \`oakctl logout --context ${name}\` ${instead}`;
  const what = `the login of ${user} at ${name} is over: ${error.problem.message}`;
  return new ProblemError(problem('UNAUTHORIZED', what, { hint }), { cause: error });
}

function sessionsFolder(home: string): string {
  return join(home, 'sessions');
}

/** An address that was given by hand is its origin. */
function sessionFile(home: string, { name }: Pick<Target, 'name'>): string {
  const key = /^https?:\/\//.test(name) && URL.canParse(name) ? new URL(name).origin : name;
  return join(sessionsFolder(home), `${encodeURIComponent(key)}.json`);
}

function parsed(text: string): Session | undefined {
  try {
    const session = JSON.parse(text) as Partial<Session> | null;
    const texts = [session?.api, session?.user, session?.token, session?.refresh_token];
    return texts.every((one) => typeof one === 'string') && typeof session?.since === 'number'
      ? (session as Session)
      : undefined;
  } catch {
    return undefined;
  }
}
