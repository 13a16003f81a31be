/**
 * Streams that agents open to us: a WebSocket at /v1/streams/<id>; up and text for logs and ledgers, both ways for sessions. Only the node that was asked may open
 * it, once, and soon. When the consumer is slow the socket is not read, so that the agent waits.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import { execConnection } from '../../schemas/io/exec-connection.ts';
import type { NodeId } from '../../schemas/names.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { Streams } from '../ports.ts';
import { parseBasic } from './access.ts';

/** Longest message in bytes: a ledger part has up to 256 KiB, agents cut longer texts. */
const maxPayload = 512 * 1024;
/** Messages that are held for a slow consumer. */
const heldMessages = 4;
/** ms between two looks whether the agent is still there. */
const pingInterval = 15_000;
const path = /^\/v1\/streams\/([0-9a-f]{32})$/;

export interface StreamServer extends Streams {
  /** For the `upgrade` event of the HTTP server: takes every upgrade, refuses what it does not expect. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Is this the credential of a node that may connect? */
  readonly authenticate: StreamDeps['authenticate'];
  /** Cuts all streams. Later upgrades are refused. */
  close(): void;
}

export interface StreamDeps {
  /** Is this the credential of a node that may connect? */
  readonly authenticate: (node: NodeId, password: string) => boolean;
  /** ms that an agent has to connect. */
  readonly connectTimeout?: number;
}

/** A stream that an agent may still open. */
interface Expected {
  readonly node: NodeId;
  connected(socket: WebSocket): void;
  failed(error: Error): void;
}

/** An open stream: its texts, and how its connection ended. */
interface Link {
  readonly texts: Duplex;
  closeCode(): number | undefined;
}

/** See {@link StreamServer}. A stream that is not opened in time, or breaks off, fails its reader with UNAVAILABLE. */
export function createStreams({ authenticate, connectTimeout = 10_000 }: StreamDeps): StreamServer {
  const sockets = new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false });
  const expected = new Map<string, Expected>();

  /** A connection that the node may open under a new id; undefined when aborted. `wrap` sees its socket before any message. */
  const awaitSocket = <T>(node: NodeId, signal: AbortSignal, wrap: (socket: WebSocket) => T) => {
    const id = randomBytes(16).toString('hex');
    const connection = new Promise<T | undefined>((resolve, reject) => {
      const failed = (error: Error) => done(() => reject(error));
      const aborted = () => done(() => resolve(undefined));
      const late = setTimeout(() => failed(notOpened(node, connectTimeout)), connectTimeout);
      const done = (then: () => void) => {
        clearTimeout(late);
        signal.removeEventListener('abort', aborted);
        expected.delete(id);
        then();
      };
      expected.set(id, { node, failed, connected: (socket) => done(() => resolve(wrap(socket))) });
      signal.addEventListener('abort', aborted, { once: true });
      if (signal.aborted) aborted();
    });
    // Whoever reads sees the failure; that nobody reads is no bug.
    connection.catch(() => {});
    return { id, connection };
  };

  return {
    authenticate,
    upgrade(request, socket, head) {
      socket.on('error', () => socket.destroy());
      const who = parseBasic(request.headers.authorization);
      if (!who || !authenticate(who.user, who.password)) return refuse(socket, '401 Unauthorized');
      const stream = expected.get(path.exec(request.url ?? '')?.[1] ?? '');
      if (stream?.node !== who.user) return refuse(socket, '404 Not Found');
      sockets.handleUpgrade(request, socket, head, stream.connected);
    },
    expect(node, signal) {
      const { id, connection } = awaitSocket(node, signal, link);
      return { id, chunks: read(connection, node, signal) };
    },
    session(node, signal) {
      const { id, connection } = awaitSocket(node, signal, (socket) => {
        keepWatch(socket);
        return execConnection(socket, signal);
      });
      const opened = connection.then((session) => session ?? Promise.reject(signal.reason));
      opened.catch(() => {});
      return { id, opened };
    },
    close() {
      for (const stream of expected.values()) stream.failed(brokenOff(stream.node, 'the reconciler stops'));
      for (const client of sockets.clients) client.terminate();
    },
  };
}

function link(socket: WebSocket): Link {
  let code: number | undefined;
  socket.once('close', (closeCode) => {
    code = closeCode;
  });
  keepWatch(socket);
  const texts = createWebSocketStream(socket, { readableObjectMode: true, readableHighWaterMark: heldMessages });
  // Told to the reader by `read`; here only so that a failure before it reads is no crash.
  texts.on('error', () => {});
  return { texts, closeCode: () => code };
}

/** Ends connections whose other side is gone without a word. A paused one cannot hear the answer, so it is not asked. */
export function keepWatch(socket: WebSocket): void {
  let answered = true;
  const heard = (): void => {
    answered = true;
  };
  socket.on('pong', heard);
  // On a slow link the answer waits behind what is sent: that is a sign of life, too.
  socket.on('message', heard);
  const timer = setInterval(() => {
    if (!answered && !socket.isPaused) return socket.terminate();
    answered = socket.isPaused;
    if (!socket.isPaused) socket.ping();
  }, pingInterval);
  timer.unref();
  socket.once('close', () => clearInterval(timer));
}

async function* read(
  connection: Promise<Link | undefined>,
  node: NodeId,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const opened = await connection;
  if (!opened) return;
  const cut = () => opened.texts.destroy();
  signal.addEventListener('abort', cut, { once: true });
  try {
    if (signal.aborted) return;
    for await (const text of opened.texts) yield String(text);
    if (opened.closeCode() !== 1000) throw new Error(`closed with code ${opened.closeCode()}`);
  } catch (error) {
    if (!signal.aborted) throw brokenOff(node, (error as Error).message);
  } finally {
    signal.removeEventListener('abort', cut);
    cut();
  }
}

/** Answers an upgrade with a status, and hangs up. */
export function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function notOpened(node: NodeId, ms: number): ProblemError {
  return new ProblemError(
    problem('UNAVAILABLE', `the agent did not open the stream within ${ms / 1000} s`, {
      subject: `node/${node}`,
      hint: 'does it run, and can it reach the API? `oakctl nodes ls`',
      disposition: 'retry',
    }),
  );
}

function brokenOff(node: NodeId, why: string): ProblemError {
  return new ProblemError(
    problem('UNAVAILABLE', `the stream of the agent broke off: ${why}`, {
      subject: `node/${node}`,
      disposition: 'retry',
    }),
  );
}
