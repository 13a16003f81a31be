/** Wrappers around the ports of the loop that count what goes through them. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Bus, BusMessage } from '../../schemas/ports.ts';
import { rows } from '../../schemas/topics.ts';
import type { Git, RecordsStore } from '../ports.ts';

export interface PortMeter {
  bus(bus: Bus): Bus;
  /** `source`: its name in the settings. */
  git(source: string, git: Git): Git;
  store(store: RecordsStore): RecordsStore;
}

export function meterPorts(registers: Registry[], now: () => number): PortMeter {
  return { bus: busMeter(registers), git: gitMeter(registers, now), store: storeMeter(registers, now) };
}

function busMeter(registers: Registry[]): PortMeter['bus'] {
  const connected = new Gauge({
    name: 'oakctl_broker_connected',
    help: '1 while the reconciler is connected to its broker.',
    registers,
  });
  const connections = new Counter({
    name: 'oakctl_broker_connections_total',
    help: 'Connections to the broker that the reconciler made.',
    registers,
  });
  const counter = (name: string, help: string): ((topic: string) => void) => {
    const total = new Counter({ name, help, labelNames: ['row'], registers });
    // Bound once: this runs at every message of every node.
    const bound = new Map([...Object.keys(rows), 'other'].map((row) => [row, total.labels({ row })]));
    return (topic) => bound.get(rowOf(topic))?.inc();
  };
  const received = counter('oakctl_broker_messages_received_total', 'Messages of nodes, by row.');
  const sent = counter(
    'oakctl_broker_messages_sent_total',
    'Messages to nodes, by row; what was dropped while not connected included.',
  );
  return (bus) => ({
    ...bus,
    open(options, handlers) {
      bus.open(options, {
        connected() {
          connected.set(1);
          connections.inc();
          handlers.connected();
        },
        disconnected(reason) {
          connected.set(0);
          handlers.disconnected(reason);
        },
        message(message: BusMessage) {
          received(message.topic);
          handlers.message(message);
        },
      });
    },
    publish(topic, payload, how) {
      sent(topic);
      bus.publish(topic, payload, how);
    },
  });
}

/** The row of a topic of a node, as far as it is one: whether it is, others say. */
function rowOf(topic: string): string {
  const begin = topic.startsWith('nodes/') ? topic.indexOf('/', 6) + 1 : 0;
  if (begin === 0) return 'other';
  const end = topic.indexOf('/', begin);
  const row = end < 0 ? topic.slice(begin) : topic.slice(begin, end);
  return Object.hasOwn(rows, row) ? row : 'other';
}

function gitMeter(registers: Registry[], now: () => number): PortMeter['git'] {
  const durations = new Histogram({
    name: 'oakctl_git_duration_seconds',
    help: 'Time that git took: to ask the remote for its head, to fetch, to read from the mirror.',
    labelNames: ['source', 'step'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  });
  const failures = new Counter({
    name: 'oakctl_git_failures_total',
    help: 'Steps of git that failed.',
    labelNames: ['source', 'step'],
    registers,
  });
  return (source, git) => {
    const timed =
      <A extends unknown[], R>(step: string, run: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        const begun = now();
        try {
          return await run(...args);
        } catch (error) {
          failures.inc({ source, step });
          throw error;
        } finally {
          durations.observe({ source, step }, (now() - begun) / 1000);
        }
      };
    for (const step of ['head', 'fetch', 'read']) failures.inc({ source, step }, 0);
    return {
      ...git,
      head: timed('head', git.head),
      fetch: timed('fetch', git.fetch),
      tree: timed('read', git.tree),
      blobs: timed('read', git.blobs),
      oldBlobs: timed('read', git.oldBlobs),
    };
  };
}

function storeMeter(registers: Registry[], now: () => number): PortMeter['store'] {
  const durations = new Histogram({
    name: 'oakctl_records_save_duration_seconds',
    help: 'Time until a change of the records was on disk.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers,
  });
  const failures = new Counter({
    name: 'oakctl_records_save_failures_total',
    help: 'Changes of the records that could not be written.',
    registers,
  });
  return (store) => ({
    ...store,
    async save(records) {
      const begun = now();
      try {
        await store.save(records);
      } catch (error) {
        failures.inc();
        throw error;
      } finally {
        durations.observe((now() - begun) / 1000);
      }
    },
  });
}
