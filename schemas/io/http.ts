/**
 * One HTTP exchange with a reconciler, over node:http: the global fetch costs a command 30 ms more before its first answer.
 * Every request has a connection of its own, so that a kept socket of a restarted reconciler cannot break the next one.
 */
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { request as httpRequest } from 'node:http';
import { hostOf, isLoopback } from '../addresses.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../problem.ts';
import { isUntrusted } from './certificates.ts';

/** How long a host may leave a connection attempt unanswered. */
const connectTimeout = 10_000;
/** Longer error answers are not ours. */
const maxErrorLength = 4 * 1024 * 1024;

export interface Exchange {
  readonly method: 'GET' | 'POST';
  /** Path and query, starting with a slash. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** The body holds a password: it travels as a token does, and a refusal may be about it. */
  readonly secret?: boolean;
}

/** A token that is exchanged for another one from time to time. */
export interface Bearer {
  /** The one to send now. */
  current(): Promise<string>;
  /** The one in the place of that which was refused. UNAUTHORIZED when there is none. */
  renew(refused: string): Promise<string>;
}

/** Where requests go, and with which credential. */
export interface Endpoint {
  /** `http://host:port` or `https://host:port`. */
  readonly url: string;
  /** Sent as bearer token. */
  readonly token?: string;
  /** Where a token comes from that does not last; in place of `token`. */
  readonly bearer?: Bearer;
  /** Sent as basic authentication, in place of a token: of a node, which does so wherever its owner let it join. */
  readonly basic?: { readonly user: string; readonly password: string };
  /** PEM of the only root to trust; without it: the public ones. */
  readonly ca?: string;
  /** The token may travel outside loopback without TLS: the owner of the cluster said so. */
  readonly insecure?: boolean;
}

/**
 * Sends a request and returns its successful answer, body unread and set to UTF-8.
 * An error answer is thrown as ProblemError with the problems it carries; a server that does not answer as UNREACHABLE;
 * a server that is not the one to trust as TLS_INVALID; a token that would travel in the open as TLS_REQUIRED; an abort as the
 * signal's reason.
 */
export function exchange(endpoint: Endpoint, what: Exchange, signal: AbortSignal): Promise<IncomingMessage> {
  return withToken(
    endpoint,
    async (known) => {
      const response = await send(known, what, signal);
      response.setEncoding('utf8');
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) return response;
      throw new ProblemError(problemsOf(status, await readText(known, response, signal, maxErrorLength), known));
    },
    what.secret,
  );
}

/** Sends JSON and answers the JSON that comes back. Fails as {@link exchange} does. */
export async function exchangeJson<T>(endpoint: Endpoint, what: Exchange, signal: AbortSignal): Promise<T> {
  return (await readJson(endpoint, await exchange(endpoint, what, signal), signal)) as T;
}

/** Does something with the token of now; once more with another one if that is refused, unless `once`: its time may be over. */
export async function withToken<T>(endpoint: Endpoint, act: (known: Endpoint) => Promise<T>, once = false): Promise<T> {
  const { bearer, ...rest } = endpoint;
  if (!bearer) return act(endpoint);
  const token = await bearer.current();
  try {
    return await act({ ...rest, token });
  } catch (error) {
    if (once || !isProblemError(error) || error.problem.code !== 'UNAUTHORIZED') throw error;
    return act({ ...rest, token: await bearer.renew(token) });
  }
}

/** The whole body as JSON. Fails as {@link exchange} does. */
export async function readJson(endpoint: Endpoint, response: IncomingMessage, signal: AbortSignal): Promise<unknown> {
  const text = await readText(endpoint, response, signal);
  try {
    return JSON.parse(text);
  } catch {
    throw new ProblemError(notOurs(endpoint, response.statusCode ?? 0));
  }
}

/** The body in pieces. Ends quietly on abort; UNREACHABLE when the connection breaks. Leaving the loop closes the connection. */
export async function* readPieces(
  endpoint: Endpoint,
  response: IncomingMessage,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  try {
    for await (const piece of response) yield piece as string;
  } catch (error) {
    if (!signal.aborted) throw unreachable(endpoint, error, 'the connection broke off');
  } finally {
    response.destroy();
  }
}

async function readText(endpoint: Endpoint, response: IncomingMessage, signal: AbortSignal, limit = Infinity) {
  let text = '';
  for await (const piece of readPieces(endpoint, response, signal)) {
    text += piece;
    if (text.length > limit) break;
  }
  signal.throwIfAborted();
  return text;
}

async function send(endpoint: Endpoint, what: Exchange, signal: AbortSignal): Promise<IncomingMessage> {
  signal.throwIfAborted();
  const body = what.body === undefined ? undefined : JSON.stringify(what.body);
  const { url, headers, trust } = dial(endpoint, what.path, what.secret);
  const open = url.protocol === 'https:' ? (await import('node:https')).request : httpRequest;
  headers['accept'] = 'application/json, text/*';
  if (body !== undefined) headers['content-type'] = 'application/json';
  const options: RequestOptions = { method: what.method, headers, signal, agent: false, ...trust };
  return new Promise((resolve, reject) => {
    const request = open(url, options, resolve);
    request.on('error', (error) => reject(signal.aborted ? signal.reason : unreachable(endpoint, error)));
    giveUpConnecting(request, url.protocol === 'https:' ? 'secureConnect' : 'connect');
    request.end(body);
  });
}

export interface Dial {
  readonly url: URL;
  /** The credential. */
  readonly headers: Record<string, string>;
  /** Options of TLS. */
  readonly trust: { readonly ca?: string; readonly rejectUnauthorized: true };
}

/** Where a connection goes, what it shows and whom it trusts. USAGE for what is no address, TLS_REQUIRED as {@link exchange}. */
export function dial(endpoint: Endpoint, path: string, secret = false): Dial {
  const url = target(endpoint, path);
  if (endpoint.token !== undefined) refuseToTell('API token', endpoint, url);
  else if (secret) refuseToTell('password', endpoint, url);
  return {
    url,
    headers: credentialOf(endpoint),
    // Said aloud: an environment variable could turn it off.
    trust: { ...(endpoint.ca !== undefined && { ca: endpoint.ca }), rejectUnauthorized: true },
  };
}

function credentialOf({ token, basic }: Endpoint): Record<string, string> {
  if (basic) return { authorization: `Basic ${Buffer.from(`${basic.user}:${basic.password}`).toString('base64')}` };
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function target(endpoint: Endpoint, path: string): URL {
  if (/^https?:\/\//.test(endpoint.url) && URL.canParse(path, endpoint.url)) return new URL(path, endpoint.url);
  throw new ProblemError(
    problem('USAGE', `\`${endpoint.url}\` is not the address of an API`, { hint: 'write it as http://host:port' }),
  );
}

/** A credential is for the cluster, not for everybody on the way. */
function refuseToTell(what: string, { insecure }: Endpoint, { protocol, hostname, host }: URL): void {
  if (insecure || protocol === 'https:' || isLoopback(hostOf({ hostname }))) return;
  throw new ProblemError(
    problem('TLS_REQUIRED', `the ${what} would be readable on the way to ${host}: that address is not loopback`, {
      hint: `write https://${host}; \`--ca-file\` names the certificate to trust (\`oakctl ca export\` on the cluster prints it)`,
    }),
  );
}

function giveUpConnecting(request: ClientRequest, connected: 'connect' | 'secureConnect'): void {
  request.once('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(
      () => request.destroy(new Error(`no connection within ${connectTimeout / 1000} s`)),
      connectTimeout,
    );
    const stop = () => clearTimeout(timer);
    socket.once(connected, stop);
    request.once('close', stop);
  });
}

/** A board without a battery begins in 1970: what it is waiting for is the time. */
const clockHints: Readonly<Record<string, string>> = {
  CERT_NOT_YET_VALID: 'is the clock of this machine right? its certificate begins later than what this clock says',
  CERT_HAS_EXPIRED: 'is the clock of this machine right? else the certificate must be renewed',
};

/** The problem of a connection that failed: UNREACHABLE, or TLS_INVALID when the other side is not trusted. */
export function unreachable(endpoint: Endpoint, cause: unknown, what = 'no answer'): ProblemError {
  const error = cause as NodeJS.ErrnoException;
  if (isUntrusted(error)) return notTrusted(endpoint, error);
  const detail = error.code ?? error.message;
  return new ProblemError(
    problem('UNREACHABLE', `${what} from the reconciler at ${endpoint.url} (${detail})`, {
      hint: clockHints[error.code ?? ''] ?? 'is the reconciler running? `oakctl up` starts one, `--api` names another',
      disposition: 'retry',
    }),
    { cause },
  );
}

function notTrusted({ url, ca }: Endpoint, error: NodeJS.ErrnoException): ProblemError {
  const whose = ca === undefined ? 'no public authority signed' : 'the authority of the cluster did not sign';
  const why =
    error.code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? error.message : `${whose} its certificate (${error.code})`;
  return new ProblemError(
    problem('TLS_INVALID', `what answers at ${url} is not trusted: ${why}; nothing was sent`, {
      hint: '`oakctl ca export` on the cluster prints the certificate to trust: `--ca-file`, OAKCTL_CA_FILE or the context names it',
    }),
    { cause: error },
  );
}

function problemsOf(status: number, text: string, endpoint: Endpoint): readonly Problem[] {
  try {
    const { problems } = JSON.parse(text) as { problems?: unknown };
    if (Array.isArray(problems) && problems.length > 0 && problems.every(isProblem)) return problems;
  } catch {
    // Told below: whatever answered is not a reconciler.
  }
  return [notOurs(endpoint, status)];
}

function isProblem(value: unknown): value is Problem {
  const { code, message } = (value ?? {}) as Partial<Problem>;
  return typeof code === 'string' && typeof message === 'string';
}

function notOurs(endpoint: Endpoint, status: number): Problem {
  return problem('UNREACHABLE', `what answers at ${endpoint.url} is not a reconciler (HTTP ${status})`, {
    hint: 'check the address given by `--api`, OAKCTL_API or the context',
  });
}
