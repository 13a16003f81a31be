/**
 * The bus over MQTT 3.1.1 (mqtt.js). The adapter owns reconnecting: mqtt.js waits a fixed second and would bring a fleet back in
 * step. Each attempt is a new client, so that nothing of an old connection is ever sent on a new one: owners republish.
 */
import { Socket } from 'node:net';
import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import type { Bus, BusHandlers, BusMessage, BusOptions, Clock, Random } from '../ports.ts';
import { isUntrusted } from './certificates.ts';
import type { Log } from './log.ts';

/** A broker. */
export interface BrokerPlace {
  /** `mqtt://host:port`, or `mqtts://host:port` for TLS. */
  readonly url: string;
  /** PEM of the only root to trust; without it: the public ones. */
  readonly ca?: string;
}

/** A broker that may be at several places. */
export interface BrokerPlaces {
  /** Where the next attempt goes; undefined: nowhere, this time. */
  next(): Promise<BrokerPlace | undefined>;
  /** That attempt came to a connection. */
  reached(): void;
}

export interface MqttBusOptions {
  readonly broker: BrokerPlace | BrokerPlaces;
  /** Absent: nobody in particular, where a broker takes that. */
  readonly username?: string;
  readonly password?: string | (() => string);
  /** The broker does not know the user, or not with this password. */
  readonly refused?: () => void;
  /** An attempt came to no connection, for whatever reason: a broker need not say that it refuses. */
  readonly failed?: () => void;
  readonly clientId: string;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Longest wait between two attempts, in ms; 5 s, unless this is less. It must stay well below the time after which silence counts as loss:
   * who waits longer after an outage is taken for lost although it is well. An agent gives its beat.
   */
  readonly longestDelay?: number;
  readonly log?: Log;
}

/** Seconds between pings. A ping goes out whatever else is sent: it is how a half-open connection is noticed. */
const keepalive = 10;
const connectTimeout = 10_000;
/** The first attempts come fast: a broker that crashed is back in less than a second. */
const fastAttempts = 3;
const baseDelay = 1_000;
const longestDelay = 5_000;
/** A connection that stood this long starts the counting of attempts anew. */
const stableAfter = 30_000;
/** More unsent bytes than this mean that the broker does not read: the connection is given up. */
const longestBacklog = 8 * 1024 * 1024;
const closeTimeout = 2_000;

/** Milliseconds before attempt `attempt` (from 0), with full jitter, never more than `limit`. */
export function reconnectDelay(attempt: number, random: Random, limit = longestDelay): number {
  const wished = attempt < fastAttempts ? 500 : baseDelay * 2 ** Math.min(attempt - fastAttempts + 1, 16);
  const highest = Math.min(limit, longestDelay, wished);
  const least = Math.min(100, highest);
  return least + random.number() * (highest - least);
}

/** A bus of one client. A cleared row (empty payload) is not delivered: it holds nothing to read. */
export function createMqttBus(settings: MqttBusOptions): Bus {
  const { clock, random, log } = settings;
  let options: BusOptions = { subscribe: [] };
  let handlers: BusHandlers | undefined;
  let client: MqttClient | undefined;
  let ready = false;
  let closed = false;
  let attempts = 0;
  let unacknowledged = 0;
  let cancel = (): void => undefined;

  const attempt = (): void => {
    const { broker } = settings;
    if (!('next' in broker)) dial(broker);
    else
      void broker.next().then((place) => {
        if (closed) return;
        if (place) dial(place);
        else again('no endpoint answers');
      });
  };

  const dial = (place: BrokerPlace): void => {
    const current = connect(place.url, clientOptions(settings, place, options));
    let reason = 'connection closed';
    let early: BusMessage[] | undefined = [];
    const isCurrent = (): boolean => client === current && !closed;
    client = current;

    current.on('connect', () => {
      setNoDelay(current);
      subscribe(current, options, (error) => {
        if (!isCurrent()) return;
        if (error) {
          reason = `subscription refused: ${error.message}`;
          current.end(true);
          return;
        }
        ready = true;
        unacknowledged = 0;
        cancel = clock.after(stableAfter, () => {
          attempts = 0;
        });
        if ('reached' in settings.broker) settings.broker.reached();
        handlers?.connected();
        // What arrived between the broker's answer and this line is retained content: it comes after `connected`.
        const waiting = early ?? [];
        early = undefined;
        for (const message of waiting) if (isCurrent()) handlers?.message(message);
      });
    });
    current.on('message', (topic, payload, packet: IPublishPacket) => {
      if (!isCurrent() || payload.length === 0) return;
      const message = { topic, payload: payload.toString('utf8'), retained: packet.retain };
      if (early) early.push(message);
      else handlers?.message(message);
    });
    current.on('error', (error) => {
      reason = error.message;
      if (isRefusal(error)) settings.refused?.();
      if (isUntrusted(error)) log?.('warn', 'broker not trusted: nothing was sent to it', { reason });
    });
    current.on('close', () => {
      if (!isCurrent()) return;
      if (!ready) settings.failed?.();
      lost(current, reason);
    });
  };

  const lost = (current: MqttClient, reason: string): void => {
    client = undefined;
    cancel();
    current.end(true);
    // An error may still come from the socket of a client that is given up; without a listener it would end the process.
    current.on('error', () => undefined);
    again(reason);
    if (!ready) return;
    ready = false;
    handlers?.disconnected(reason);
  };

  const again = (reason: string): void => {
    const delay = reconnectDelay(attempts, random, settings.longestDelay);
    attempts += 1;
    log?.(ready ? 'warn' : 'debug', 'broker connection lost', { reason, attempt: attempts, delay: Math.round(delay) });
    cancel = clock.after(delay, attempt);
  };

  return {
    open(wanted, to) {
      if (handlers) throw new TypeError('a bus is opened once');
      options = wanted;
      handlers = to;
      attempt();
    },
    publish(topic, payload, how) {
      if (!ready || !client) return;
      if (backlog(client) > longestBacklog) {
        lost(client, `the broker does not read: ${backlog(client)} bytes wait`);
        return;
      }
      const current = client;
      if (how.qos === 1) unacknowledged += 1;
      current.publish(topic, payload, { qos: how.qos, retain: how.retain }, (error) => {
        if (how.qos === 1 && client === current) unacknowledged -= 1;
        if (error) log?.('debug', 'publish dropped', { topic, reason: error.message });
      });
    },
    pending: () => (ready ? unacknowledged : 0),
    async close(last) {
      if (closed) return;
      closed = true;
      cancel();
      const current = client;
      client = undefined;
      if (!current) return;
      current.on('error', () => undefined);
      if (ready && last)
        await withDeadline(clock, (done) => {
          current.publish(last.topic, last.payload, { qos: 1, retain: true }, () => done());
        });
      const wasReady = ready;
      ready = false;
      await withDeadline(clock, (done) => current.end(!wasReady, {}, () => done()));
      current.end(true);
    },
  };
}

function clientOptions(settings: MqttBusOptions, { ca }: BrokerPlace, options: BusOptions): IClientOptions {
  const { username, clientId } = settings;
  const password = typeof settings.password === 'function' ? settings.password() : settings.password;
  const will = typeof options.will === 'function' ? options.will() : options.will;
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    clientId,
    protocolVersion: 4,
    clean: true,
    keepalive,
    reschedulePings: false,
    connectTimeout,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    rejectUnauthorized: true,
    ...(ca !== undefined && { ca }),
    ...(will && { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: true } }),
  };
}

/** MQTT 3.1.1: a bad user name or password, or not authorised. */
function isRefusal(error: Error): boolean {
  return 'code' in error && (error.code === 4 || error.code === 5);
}

/** All filters in one packet; an error when any of them is refused. */
function subscribe(client: MqttClient, { subscribe: filters }: BusOptions, done: (error?: Error | null) => void): void {
  if (filters.length === 0) {
    done();
    return;
  }
  client.subscribe(Object.fromEntries(filters.map(({ filter, qos }) => [filter, { qos }])), (error) => done(error));
}

/** Small messages must not wait for the acknowledgement of the ones before them. */
function setNoDelay(client: MqttClient): void {
  if (client.stream instanceof Socket) client.stream.setNoDelay(true);
}

function backlog(client: MqttClient): number {
  return client.stream.writableLength;
}

function withDeadline(clock: Clock, work: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(closeTimeout, resolve);
    work(() => {
      cancel();
      resolve();
    });
  });
}
