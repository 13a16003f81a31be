/**
 * The API over TLS. Whoever speaks plain HTTP on the same port is answered without TLS: with what the certificates are, which is
 * how an agent that has only a pin gets the root without sending anything; with what a new machine downloads, which it checks by its
 * hash; and for all else with the right address.
 */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type Server, type Socket } from 'node:net';
import type { TlsAnswer } from '../../schemas/joining.ts';
import { type Problem, problem } from '../../schemas/problem.ts';
import { minVersion, type ServerTls } from '../tls/material.ts';
import { openPath } from './routes/packages.ts';
import type { StreamServer } from './streams.ts';

/** What the API needs of the keeper of certificates. */
export interface ApiTls {
  current(): ServerTls;
  onChange(listener: (tls: ServerTls) => void): void;
  describe(): TlsAnswer;
}

/** The first byte of a TLS connection: a handshake record. */
const handshakeRecord = 0x16;
/** ms until it must be there, and until the handshake must be done. */
const handshakeTimeout = 10_000;

/** A server that is not listening yet. Closing it cuts what is open. */
export function createTlsListener(options: {
  readonly tls: ApiTls;
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  readonly upgrade: StreamServer['upgrade'];
  readonly requestTimeout: number;
}): Server {
  const { tls, handle, upgrade, requestTimeout } = options;
  const secure = createHttpsServer({ ...tls.current(), minVersion, handshakeTimeout, requestTimeout }, handle);
  secure.on('upgrade', upgrade);
  // Not ours, or does not trust us: nothing to do, and nothing to fall over.
  secure.on('tlsClientError', (_error, socket) => socket.destroy());
  tls.onChange((next) => secure.setSecureContext({ ...next, minVersion }));
  const plain = createHttpServer({ requestTimeout: handshakeTimeout }, (request, response) =>
    answerPlain(request, response, { tls, handle }),
  );
  plain.on('upgrade', (_request, socket) => socket.destroy());

  const open = new Set<Socket>();
  const front = createServer({ noDelay: true }, (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    const tooLate = setTimeout(() => socket.destroy(), handshakeTimeout);
    socket.once('close', () => clearTimeout(tooLate));
    socket.once('readable', () => {
      clearTimeout(tooLate);
      const first = socket.read(1) as Buffer | null;
      if (!first) return void socket.destroy();
      socket.unshift(first);
      (first[0] === handshakeRecord ? secure : plain).emit('connection', socket);
    });
  });
  front.once('close', () => {
    secure.closeAllConnections();
    plain.closeAllConnections();
  });
  const close = front.close.bind(front);
  front.close = (done) => {
    close(done);
    for (const socket of open) socket.destroy();
    return front;
  };
  return front;
}

function answerPlain(
  request: IncomingMessage,
  response: ServerResponse,
  { tls, handle }: { readonly tls: ApiTls; handle(request: IncomingMessage, response: ServerResponse): void },
): void {
  response.setHeader('connection', 'close');
  if (request.method === 'GET' && openPath.test(request.url ?? '')) {
    handle(request, response);
    return;
  }
  request.resume();
  response.setHeader('content-type', 'application/json; charset=utf-8');
  if (request.method === 'GET' && request.url === '/v1/tls') {
    response.end(JSON.stringify(tls.describe()));
    return;
  }
  response.statusCode = 400;
  response.end(JSON.stringify({ problems: [speaksTls(request)] }));
}

function speaksTls({ headers, url }: IncomingMessage): Problem {
  const host = headers.host ?? 'this host';
  const certificate = '`oakctl ca export > ca.pem` gives the certificate to trust';
  // What was sent cannot be taken back: it is to be dead before somebody uses it.
  const seen = headers.authorization === undefined ? '' : '; the token was sent in the open: revoke it';
  const isSeed = url === '/api/node/register';
  const hint = isSeed
    ? `${certificate}; then curl --cacert ca.pem https://${host}${url}, and mosquitto_sub --cafile ca.pem${seen}`
    : `https://${host}; ${certificate}${seen}`;
  return problem('TLS_REQUIRED', 'this API speaks TLS, and was asked in plain HTTP', { hint });
}
