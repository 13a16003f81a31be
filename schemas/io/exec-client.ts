/** The CLI's side of a session: a WebSocket to the API, with the same credential and trust as every request. */
import { WebSocket } from 'ws';
import { type ExecConnection, maxFrame } from '../exec.ts';
import { ProblemError, problem } from '../problem.ts';
import { execConnection } from './exec-connection.ts';
import { dial, type Endpoint, unreachable } from './http.ts';

const openTimeout = 10_000;

/** UNAUTHORIZED, UNREACHABLE, TLS_REQUIRED, TLS_INVALID; all else comes as the last word of the session. An abort cuts it. */
export async function openExec(
  endpoint: Endpoint,
  instance: string,
  actor: string,
  signal: AbortSignal,
): Promise<ExecConnection> {
  signal.throwIfAborted();
  const path = `/v1/instances/${encodeURIComponent(instance)}/exec?${new URLSearchParams({ actor })}`;
  const { url, headers, trust } = dial(endpoint, path);
  url.protocol = url.protocol.replace('http', 'ws');
  const options = { headers, handshakeTimeout: openTimeout, perMessageDeflate: false, maxPayload: maxFrame };
  const socket = new WebSocket(url, { ...options, ...trust });
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
    return new ProblemError(problem('UNAUTHORIZED', `the API at ${url} refuses the token`, { hint: '`--token-file`' }));
  const hint = 'is it an older oakctl? `oakctl version`';
  return new ProblemError(problem('UNREACHABLE', `the API at ${url} offers no sessions (HTTP ${status})`, { hint }));
}
