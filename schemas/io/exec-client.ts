/** The CLI's side of sessions: a WebSocket to the API, with the same credential and trust as every request. */
import { WebSocket } from 'ws';
import { type ExecConnection, maxFrame } from '../exec.ts';
import { ProblemError, problem } from '../problem.ts';
import { execConnection } from './exec-connection.ts';
import { dial, type Endpoint, unreachable, withToken } from './http.ts';

const openTimeout = 10_000;

/** ms without a sign of the reconciler, which asks every 15 s whether we are there, after which it is taken for gone. */
const longestSilence = 60_000;

/** Inside an instance. As {@link openSession}. */
export function openExec(
  endpoint: Endpoint,
  instance: string,
  actor: string,
  signal: AbortSignal,
): Promise<ExecConnection> {
  const path = `/v1/instances/${encodeURIComponent(instance)}/exec`;
  return withToken(endpoint, (known) => openSession(known, path, actor, signal));
}

/** For an archive of images. As {@link openSession}; a reconciler that falls silent breaks it off. */
export function openLoad(
  endpoint: Endpoint,
  node: string,
  actor: string,
  signal: AbortSignal,
): Promise<ExecConnection> {
  const path = `/v1/nodes/${encodeURIComponent(node)}/images`;
  return withToken(endpoint, (known) => openSession(known, path, actor, signal, endSilence));
}

function endSilence(socket: WebSocket): void {
  const timer = setTimeout(() => socket.terminate(), longestSilence).unref();
  const heard = () => timer.refresh();
  socket.on('ping', heard);
  socket.on('message', heard);
  socket.once('close', () => clearTimeout(timer));
}

/** UNAUTHORIZED, UNREACHABLE, TLS_REQUIRED, TLS_INVALID; all else comes as the last word of the session. An abort cuts it. */
async function openSession(
  endpoint: Endpoint,
  path: string,
  actor: string,
  signal: AbortSignal,
  watch: (socket: WebSocket) => void = () => {},
): Promise<ExecConnection> {
  signal.throwIfAborted();
  const { url, headers, trust } = dial(endpoint, `${path}?${new URLSearchParams({ actor })}`);
  url.protocol = url.protocol.replace('http', 'ws');
  const options = { headers, handshakeTimeout: openTimeout, perMessageDeflate: false, maxPayload: maxFrame };
  const socket = new WebSocket(url, { ...options, ...trust });
  watch(socket);
  const connection = execConnection(socket, signal);
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('unexpected-response', (request, response) => {
      reject(refused(endpoint, response.statusCode ?? 0));
      request.destroy();
    });
    socket.on('error', (error) => reject(signal.aborted ? signal.reason : unreachable(endpoint, error)));
  });
  return connection;
}

function refused({ url }: Endpoint, status: number): ProblemError {
  if (status === 401)
    return new ProblemError(
      problem('UNAUTHORIZED', `the API at ${url} refuses the token`, {
        hint: '`--token-file`; an older oakctl there says the same of what it does not know',
      }),
    );
  if (status === 403)
    return new ProblemError(
      problem('FORBIDDEN', `the API at ${url} does not let this account, or its token, do that`, {
        hint: '`oakctl whoami` says who calls, and as what; an admin gives another role: `oakctl users role`',
      }),
    );
  const hint = 'is it an older oakctl? `oakctl version`';
  return new ProblemError(
    problem('UNREACHABLE', `the API at ${url} offers no such sessions, or has too many (HTTP ${status})`, { hint }),
  );
}
