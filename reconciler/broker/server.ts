/** The broker inside its process: aedes, behind the frame guard and the access rules. */
import type { EventEmitter } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Aedes, type AuthenticateError, type Client, type ConnectPacket } from 'aedes';
import { isKept, principalOf, userOf } from '../../schemas/topics.ts';
import { minVersion, type ServerTls } from '../tls/material.ts';
import type { Access } from './access.ts';
import { type Guarded, guardFrames } from './frame-guard.ts';
import { type BrokerLimits, brokerLimits, createBucket, createBuckets, createGate } from './limits.ts';
import { reconcilerUser } from './messages.ts';
import type { Notices } from './notices.ts';
import { createRetained, keepRetained } from './retained.ts';
import { createTakeovers } from './takeovers.ts';

export interface BrokerServer {
  readonly port: number;
  /** Where the reconciler connects without TLS: loopback, there only with TLS on `port`. */
  readonly insidePort?: number;
  /** Shows this certificate from the next connection on. */
  setTls(tls: ServerTls): void;
  /** Cuts all connections of a user. Their wills are sent. */
  disconnect(user: string): void;
  close(): Promise<void>;
}

/** A subscriber that does not read for this long is cut: the others would wait for it. */
const drainTimeout = 2_000;
/** As long as an agent waits for its answer: when thousands come at once, the last ones are read late. */
const connectTimeout = 10_000;
const handshakeTimeout = 10_000;
/** Seconds. A client must ping within it. */
const keepaliveLimit = 120;
const failuresPerMinute = 5;
const identifierRejected = 2;
const serverUnavailable = 3;
/** Of one user at the same time, under different client ids: one node must not take the room of all. */
const mostConnections = 16;
const badPassword = 4;

/** Listens; rejects with the error of the socket (EADDRINUSE, EADDRNOTAVAIL, EACCES). */
export async function serveBroker(
  address: {
    readonly host: string;
    readonly port: number;
    readonly tls?: ServerTls;
    readonly insidePort?: number;
    readonly limits?: BrokerLimits;
  },
  access: Access,
  notices: Notices,
  contested: (node: string, from: string) => void = () => undefined,
  forgotten: (node: string) => void = () => undefined,
): Promise<BrokerServer> {
  const mono = (): number => performance.now();
  const { limits = brokerLimits } = address;
  /** Kept over reconnects: a new connection is no new share. */
  const shareOf = createBuckets(limits.packets, mono);
  const failures = createFailureCount();
  const guards = new WeakMap<object, Guarded>();
  const addressOf = (client: Client): string => addresses.get(client.conn) ?? 'unknown';
  const addresses = new WeakMap<object, string>();
  const takeovers = createTakeovers(mono);
  const seats = createSeats();
  const sessions = new WeakMap<object, string>();
  /** True when the client must go because another one with its id is connected and stays. */
  const isTurnedAway = (client: Client): boolean => {
    const elder = clientsOf(broker)[client.id];
    if (!elder || elder.closed || client.id === reconcilerUser) return false;
    // An agent that comes back over a new connection before the old one is known to be dead.
    const session = sessions.get(client);
    const isSame = session !== undefined && session === sessions.get(elder) && addressOf(client) === addressOf(elder);
    const { stays, tell } = isSame ? { stays: 'newest', tell: false } : takeovers.judge(client.id);
    if (tell) contested(client.id, addressOf(client));
    return stays === 'elder';
  };

  const broker = await Aedes.createBroker({
    drainTimeout,
    connectTimeout,
    keepaliveLimit,
    maxTopicLevels: 8,
    maxInflightInbound: 1,
    preConnect(client, packet, done) {
      // A wrong protocol version gets its own answer from the broker.
      const wrong = packet.protocolVersion === 4 ? refuseConnect(packet, access) : undefined;
      if (wrong) notices.note(addressOf(client), wrong);
      const session = sessionIn(packet.will?.payload);
      if (session !== undefined) sessions.set(client, session);
      done(wrong ? new Error(wrong) : null, wrong === undefined);
    },
    authenticate(client, username, password, done) {
      const where = addressOf(client);
      if (
        username !== undefined &&
        username === userOf(client.id) &&
        access.admits(username, password?.toString('utf8') ?? '')
      ) {
        if (isTurnedAway(client)) {
          notices.note(where, `refused: another agent is connected as ${client.id}`);
          const inUse = Object.assign(new Error('in use'), { returnCode: identifierRejected });
          done(inUse as AuthenticateError, false);
          return;
        }
        if (!seats.take(client.conn, username)) {
          notices.note(where, `refused: ${username} has ${mostConnections} connections`);
          const full = Object.assign(new Error('too many connections'), { returnCode: serverUnavailable });
          done(full as AuthenticateError, false);
          return;
        }
        guards.get(client.conn)?.admitted(username === reconcilerUser ? undefined : shareOf(username));
        done(null, true);
        return;
      }
      if (username === client.id && access.isForgotten(username, password?.toString('utf8') ?? '')) forgotten(username);
      notices.note(where, `wrong user or password for ${client.id}`);
      // A right password always passes. Whoever guesses is told so five times a minute, then cut without an answer.
      if (failures.count(where) > failuresPerMinute) {
        client.close();
        return;
      }
      const code = username === userOf(client.id) ? badPassword : identifierRejected;
      done(Object.assign(new Error('not admitted'), { returnCode: code }) as AuthenticateError, false);
    },
    authorizePublish(client, packet, done) {
      // Without a client: the broker clears the will of a connection that it no longer has.
      const id = client?.id ?? ownerOf(packet.topic);
      const wrong = access.refusePublish(id, packet);
      if (packet.retain && !isKept(packet.topic)) packet.retain = false;
      if (wrong) notices.note(id, `denied: ${wrong}`);
      done(wrong ? new Error(`denied: ${wrong}`) : null);
    },
    authorizeSubscribe(client, subscription, done) {
      const allowed = access.maySubscribe(client.id, subscription.topic);
      if (!allowed) notices.note(client.id, `denied: subscribe ${subscription.topic}`);
      done(null, allowed ? subscription : null);
    },
    authorizeForward: (client, packet) => (access.mayReceive(client.id, packet.topic) ? packet : null),
  });
  keepRetained(broker, createRetained());
  // Without listeners an error of one client would end the process.
  const inside: EventEmitter = broker;
  inside.on('error', (error: Error) => notices.note('broker', error.message));
  broker.on('clientError', (client, error) => notices.note(client.id, error.message));
  broker.on('connectionError', (client, error) => notices.note(addressOf(client), error.message));

  const welcome = (socket: Socket): void => {
    const from = socket.remoteAddress ?? 'unknown';
    const guarded = guardFrames(socket, createBucket(limits.packets, mono), (verdict) =>
      notices.note(from, `cut: ${verdict}`),
    );
    guards.set(guarded.stream, guarded);
    addresses.set(guarded.stream, from);
    broker.handle(guarded.stream);
  };
  const { tls } = address;
  const secure = tls && createTlsServer({ ...tls, minVersion, handshakeTimeout, noDelay: true }, welcome);
  secure?.on('tlsClientError', (error: NodeJS.ErrnoException, socket) =>
    notices.note(socket.remoteAddress ?? 'unknown', isPlain(error) ? 'refused: it speaks without TLS' : error.message),
  );
  const servers: Server[] = [];
  /** Each listener has a gate of its own: what comes from the network does not close the one inside. */
  const open = async (accept: (socket: Socket) => void, host: string, port: number): Promise<number> => {
    const gate = createGate(limits, mono);
    const server = createServer({ noDelay: true }, (socket) => {
      const from = socket.remoteAddress ?? 'unknown';
      const verdict = gate.enter(from);
      if (verdict !== 'pass') {
        notices.note(from, `not let in: ${verdict}`);
        socket.destroy();
        return;
      }
      socket.once('close', gate.leave);
      accept(socket);
    });
    const bound = await listen(server, { host, port });
    servers.push(server);
    return bound;
  };
  const outside = secure ? (socket: Socket) => void secure.emit('connection', socket) : welcome;
  const port = await open(outside, address.host, address.port);
  // What the two processes of one reconciler say to each other stays on this machine, whatever becomes of certificates.
  const insidePort = secure && (await open(welcome, '127.0.0.1', address.insidePort ?? 0));
  return {
    port,
    ...(insidePort !== undefined && { insidePort }),
    setTls(next) {
      secure?.setSecureContext({ ...next, minVersion });
    },
    disconnect: (user) => {
      for (const [id, client] of Object.entries(clientsOf(broker))) if (userOf(id) === user) client?.close();
    },
    close: () =>
      new Promise((resolve) => {
        for (const server of servers) server.close();
        broker.close(() => resolve());
      }),
  };
}

/** MQTT in the open is, to TLS, a record of a version that nobody knows. */
function isPlain({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG';
}

function refuseConnect(packet: ConnectPacket, access: Access): string | undefined {
  if (!principalOf(packet.clientId)) return `refused: client id ${JSON.stringify(packet.clientId.slice(0, 64))}`;
  if (packet.username !== userOf(packet.clientId)) return 'refused: user name and client id differ';
  if (!packet.clean) return 'refused: persistent sessions are not kept';
  const will = packet.will && access.refusePublish(packet.clientId, { qos: 0, ...packet.will });
  return will && `refused: will, ${will}`;
}

/** The node that a topic belongs to: only that node can have left a will on it. */
function ownerOf(topic: string): string {
  return topic.split('/')[1] ?? '';
}

/** The session of the agent that connects: its will says it. */
function sessionIn(will: Buffer | string | undefined): string | undefined {
  if (will === undefined) return undefined;
  try {
    const { session } = JSON.parse(will.toString()) as { session?: unknown };
    return typeof session === 'string' ? session : undefined;
  } catch {
    return undefined;
  }
}

/** The types of aedes leave out its client table. */
function clientsOf(broker: Aedes): Readonly<Record<string, Client | undefined>> {
  return (broker as unknown as { clients: Record<string, Client | undefined> }).clients;
}

/** Counts the connections of each user until they close. */
function createSeats(): { take(connection: EventEmitter, user: string): boolean } {
  const taken = new Map<string, number>();
  return {
    take(connection, user) {
      const before = taken.get(user) ?? 0;
      if (before >= mostConnections) return false;
      taken.set(user, before + 1);
      connection.once('close', () => {
        const left = (taken.get(user) ?? 1) - 1;
        if (left > 0) taken.set(user, left);
        else taken.delete(user);
      });
      return true;
    },
  };
}

function createFailureCount(): { count(address: string): number } {
  let minute = 0;
  let counts = new Map<string, number>();
  return {
    count(address) {
      const now = Math.floor(performance.now() / 60_000);
      if (now !== minute || counts.size > 10_000) counts = new Map();
      minute = now;
      const times = (counts.get(address) ?? 0) + 1;
      counts.set(address, times);
      return times;
    },
  };
}

function listen(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      server.on('error', () => undefined);
      const bound = server.address();
      resolve(typeof bound === 'object' && bound ? bound.port : port);
    });
  });
}
