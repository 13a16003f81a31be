/**
 * A broker in memory on virtual time, as hostile as the real ones: it forgets retained rows at a restart, sends wills, and can
 * lose, double and delay messages. Access is judged by the same table as in the real broker.
 */
import type { Bus, BusHandlers, BusMessage, BusOptions, Clock, Will } from '../../schemas/ports.ts';
import { mayPublish, mayReceive, maySubscribe, type Principal, parseTopic, rows } from '../../schemas/topics.ts';

/** What becomes of one delivery: how many times, and after how many ms each. */
export type Fate = (to: string, message: BusMessage) => readonly number[];

export interface MemoryBroker {
  /**
   * A bus for one client. The principal decides what it may do. `tag` tells clients of one id apart, whose connections end each
   * other: a cloned machine.
   */
  client(id: string, who: Principal, tag?: string): Bus;
  /** A broker that lies: delivers what nobody published to a client that is connected. */
  inject(tag: string, message: BusMessage): void;
  /** The process of the client died: its will is sent, its bus stays silent for ever. */
  kill(id: string): void;
  /** Ends the connections of this id, clones included. Their wills are sent; they try again, and are admitted or not. */
  drop(id: string): void;
  /** The link of the client is cut (no will until `patience` ms later) or restored. */
  cut(id: string, patience?: number): void;
  heal(id: string): void;
  /** All connections break; retained rows are lost; clients reconnect after `ms`. */
  restart(ms: number): void;
  readonly retained: Map<string, string>;
  /** Everything that was published and allowed, oldest first. */
  readonly log: { readonly from: string; readonly topic: string; readonly payload: string; readonly retain: boolean }[];
  /** Denied publishes and subscriptions, for assertions. */
  readonly denied: string[];
  fate: Fate;
  /** Who may connect. */
  admits: (id: string) => boolean;
}

/** ms until a client that was refused tries again. */
const refusedFor = 5_000;

interface Client {
  readonly id: string;
  readonly tag: string;
  readonly who: Principal;
  options?: BusOptions;
  filters?: readonly Filter[];
  will?: Will | undefined;
  handlers?: BusHandlers;
  state: 'new' | 'connected' | 'cut' | 'waiting' | 'dead';
}

type Filter = readonly string[];

function matches(filter: Filter, topic: readonly string[]): boolean {
  return filter.length === topic.length && filter.every((level, i) => level === '+' || level === topic[i]);
}

/** Brokers deliver what is retained by mistake; our own parts never do that. */
function isMarked(topic: string): boolean {
  const parsed = parseTopic(topic);
  return !parsed || rows[parsed.row].retained;
}

export function createMemoryBroker(clock: Clock): MemoryBroker {
  const clients = new Map<string, Client>();
  const retained = new Map<string, string>();
  const log: MemoryBroker['log'] = [];
  const denied: string[] = [];

  const deliver = (client: Client, message: BusMessage): void => {
    if (!mayReceive(client.who, message.topic)) return;
    for (const delay of broker.fate(client.tag, message)) {
      clock.after(delay, () => {
        if (client.state === 'connected') client.handlers?.message(message);
      });
    }
  };
  const route = (from: string, topic: string, payload: string, retain: boolean): void => {
    log.push({ from, topic, payload, retain });
    if (retain && payload === '') retained.delete(topic);
    else if (retain) retained.set(topic, payload);
    if (payload === '') return;
    const levels = topic.split('/');
    for (const client of clients.values()) {
      if (client.state !== 'connected') continue;
      if (client.filters?.some((filter) => matches(filter, levels)))
        deliver(client, { topic, payload, retained: false });
    }
  };
  const will = (client: Client): void => {
    const last = client.will;
    if (last && mayPublish(client.who, last.topic)) route(client.id, last.topic, last.payload, true);
  };
  const connect = (client: Client, ms: number): void => {
    client.state = 'waiting';
    clock.after(ms, () => {
      if (client.state !== 'waiting') return;
      if (!broker.admits(client.id)) return connect(client, refusedFor);
      for (const other of clients.values()) if (other.id === client.id && other !== client) takeOver(other);
      client.state = 'connected';
      const will = client.options?.will;
      client.will = typeof will === 'function' ? will() : will;
      const filters = (client.options?.subscribe ?? []).filter((s) => {
        const allowed = maySubscribe(client.who, s.filter);
        if (!allowed) denied.push(`${client.id} subscribe ${s.filter}`);
        return allowed;
      });
      client.handlers?.connected();
      for (const [topic, payload] of retained) {
        if (filters.some((s) => matches(s.filter.split('/'), topic.split('/'))))
          deliver(client, { topic, payload, retained: true });
      }
    });
  };
  const disconnect = (client: Client, state: Client['state'], reason: string): void => {
    if (client.state === 'dead') return;
    const wasConnected = client.state === 'connected';
    client.state = state;
    if (wasConnected) client.handlers?.disconnected(reason);
  };
  const takeOver = (other: Client): void => {
    if (other.state !== 'connected') return;
    disconnect(other, 'waiting', 'taken over');
    connect(other, refusedFor);
  };

  const broker: MemoryBroker = {
    retained,
    log,
    denied,
    fate: () => [1],
    admits: () => true,
    inject(tag, message) {
      const client = clients.get(tag);
      if (client?.state === 'connected') client.handlers?.message(message);
    },
    client(id, who, tag = id) {
      const old = clients.get(tag);
      if (old) disconnect(old, 'dead', 'taken over');
      const client: Client = { id, tag, who, state: 'new' };
      clients.set(tag, client);
      return {
        open(options, handlers) {
          client.options = options;
          client.filters = options.subscribe.map(({ filter }) => filter.split('/'));
          client.handlers = handlers;
          connect(client, 1);
        },
        pending: () => 0,
        publish(topic, payload, options) {
          if (client.state !== 'connected') return;
          if (!mayPublish(who, topic) || (options.retain && !isMarked(topic))) {
            denied.push(`${id} publish ${topic}`);
            return;
          }
          route(id, topic, payload, options.retain);
        },
        close(last) {
          if (last && client.state === 'connected') route(id, last.topic, last.payload, true);
          client.state = 'dead';
          return Promise.resolve();
        },
      };
    },
    kill(id) {
      const client = clients.get(id);
      if (!client || client.state === 'dead') return;
      const connected = client.state === 'connected';
      client.state = 'dead';
      if (connected) will(client);
    },
    drop(id) {
      for (const client of clients.values()) {
        if (client.id !== id || client.state !== 'connected') continue;
        disconnect(client, 'waiting', 'dropped by the broker');
        will(client);
        connect(client, refusedFor);
      }
    },
    cut(id, patience = 7_500) {
      const client = clients.get(id);
      if (!client) return;
      disconnect(client, 'cut', 'link cut');
      clock.after(patience, () => {
        if (client.state === 'cut') will(client);
      });
    },
    heal(id) {
      const client = clients.get(id);
      if (client?.state === 'cut') connect(client, 10);
    },
    restart(ms) {
      retained.clear();
      for (const client of clients.values()) {
        if (client.state !== 'connected') continue;
        disconnect(client, 'waiting', 'broker restarted');
        connect(client, ms);
      }
    },
  };
  return broker;
}
