/** The agent's side of streams: a WebSocket that it opens to the API when asked, for logs and ledgers. No inbound port. */
import { WebSocket } from 'ws';
import { type ExecConnection, maxFrame } from '../schemas/exec.ts';
import { execConnection } from '../schemas/io/exec-connection.ts';
import type { NodeId } from '../schemas/names.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import type { OpenStream, Streams } from './ports.ts';
import type { Trusted } from './trust.ts';

/** ms until a connection must stand. */
const openTimeout = 10_000;
/** Longest text in one message, in UTF-16 units: at most three times as many bytes, below the limit of the API. */
const maxLength = 128 * 1024;

/** Streams whose end is always told. */
export interface StreamOpener extends Streams {
  open(id: string, signal: AbortSignal): Promise<Required<OpenStream>>;
  session(id: string, signal: AbortSignal): Promise<ExecConnection>;
}

/** A stream has no way down but its end. */
const maxDown = 1024;

export interface StreamOpenerDeps {
  /** Where the reconciler is now. */
  api(): Trusted;
  readonly node: NodeId;
  /** The node's MQTT password. A function is asked at each connection. */
  readonly password: string | (() => string);
}

/**
 * `open` fails with UNAUTHORIZED, NOT_FOUND (not asked for, or too late) or UNREACHABLE; an abort, also later, cuts the stream.
 * `write` cuts long texts, readers join what they get. `close` resolves when the other side knows that this was all.
 */
export function createStreamOpener({ api: where, node, password }: StreamOpenerDeps): StreamOpener {
  const shown = (): string => (typeof password === 'function' ? password() : password);
  const dial = ({ url, ca }: Trusted, id: string, maxPayload: number): WebSocket =>
    new WebSocket(new URL(`/v1/streams/${encodeURIComponent(id)}`, url), {
      headers: { authorization: `Basic ${Buffer.from(`${node}:${shown()}`).toString('base64')}` },
      handshakeTimeout: openTimeout,
      perMessageDeflate: false,
      maxPayload,
      rejectUnauthorized: true,
      ...(ca !== undefined && { ca }),
    });
  return {
    async session(id, signal) {
      signal.throwIfAborted();
      const api = where();
      const socket = dial(api, id, maxFrame);
      const connection = execConnection(socket, signal);
      await opened(socket, api.url, signal);
      return connection;
    },
    async open(id, signal) {
      signal.throwIfAborted();
      const api = where();
      const socket = dial(api, id, maxDown);
      const cut = () => socket.terminate();
      signal.addEventListener('abort', cut, { once: true });
      socket.once('close', () => signal.removeEventListener('abort', cut));
      await opened(socket, api.url, signal);
      return streamOf(socket, api.url);
    },
  };
}

function opened(socket: WebSocket, api: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('unexpected-response', (request, response) => {
      reject(refused(response.statusCode ?? 0, api));
      request.destroy();
    });
    // Stays for the life of the socket: later errors are told by `gone` and by failing writes.
    socket.on('error', (error) => reject(signal.aborted ? signal.reason : lost(api, error)));
  });
}

function streamOf(socket: WebSocket, api: string): Required<OpenStream> {
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  return {
    gone: gone.signal,
    async write(text) {
      for (const piece of cut(text)) await send(socket, piece, api);
    },
    close: () =>
      new Promise((resolve) => {
        if (socket.readyState === WebSocket.CLOSED) return resolve();
        socket.once('close', () => resolve());
        socket.close(1000);
      }),
  };
}

/** The callback comes when the system took the bytes, so a full socket makes the writer wait. */
function send(socket: WebSocket, text: string, api: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(text, (error) => (error ? reject(lost(api, error)) : resolve()));
  });
}

/** Pieces of at most `maxLength` units. No character is cut in two. */
function* cut(text: string): Generator<string> {
  for (let from = 0; from < text.length; ) {
    let to = Math.min(from + maxLength, text.length);
    if (to < text.length && isHighSurrogate(text.charCodeAt(to - 1))) to -= 1;
    yield text.slice(from, to);
    from = to;
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function refused(status: number, api: string): ProblemError {
  if (status === 401 || status === 403) {
    return new ProblemError(problem('UNAUTHORIZED', `the API at ${api} refuses the credential of this node`));
  }
  if (status === 404)
    return new ProblemError(problem('NOT_FOUND', 'the reconciler does not expect this stream (any more)'));
  return new ProblemError(problem('UNREACHABLE', `the API at ${api} answers HTTP ${status}`, { disposition: 'retry' }));
}

function lost(api: string, cause: Error): ProblemError {
  const message = `no stream to the API at ${api}: ${cause.message}`;
  return new ProblemError(problem('UNREACHABLE', message, { disposition: 'retry' }), { cause });
}
