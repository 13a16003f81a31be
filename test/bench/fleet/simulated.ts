/**
 * One process with many agents: the real loop of an agent, its real MQTT connection and its real signatures, over a runtime and a
 * ledger in memory. Forked by the bench, which says who they are.
 */
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { type Agent, createAgent } from '../../../agent/loop.ts';
import { createStreamOpener } from '../../../agent/streams.ts';
import { createSystemClock, createSystemRandom } from '../../../schemas/io/clock.ts';
import { createMqttBus } from '../../../schemas/io/mqtt-bus.ts';
import { verifyMessage } from '../../../schemas/io/signatures.ts';
import type { Bus } from '../../../schemas/ports.ts';
import { oakctlVersion } from '../../../schemas/version.ts';
import { createFakeRuntime } from '../../support/fake-runtime.ts';
import { createMemoryFiles } from '../../support/memory-files.ts';

/** A node as the bench enrolled it. */
export interface SimulatedNode {
  readonly id: string;
  readonly name: string;
  readonly password: string;
  readonly ip: string;
}

/** Where they belong. */
export interface Home {
  readonly cluster: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly mqtt: string;
  readonly api: string;
  /** ms between two heartbeats. */
  readonly beat: number;
}

export type ToSimulator =
  | { readonly kind: 'start'; readonly home: Home; readonly nodes: readonly SimulatedNode[] }
  /** Cuts so many connections at once, as a switch that fails. */
  | { readonly kind: 'cut'; readonly count: number };

export interface FromSimulator {
  readonly connected: number;
  /** Connections that ended so far. */
  readonly ended: number;
  /** Messages that an agent did not take. */
  readonly refused: number;
}

/** Called with the usage that an agent says in its next heartbeat. */
export type OnBeat = (cpu: number) => void;

/** Runs the agent of one node. `say` is told of its connection. */
export function simulate(home: Home, node: SimulatedNode, say: (what: Said) => void, onBeat?: OnBeat): Agent {
  const clock = createSystemClock();
  const random = createSystemRandom();
  const { id, name, password, ip } = node;
  const { cluster, keys, mqtt, api, beat } = home;
  const bus = createMqttBus({
    broker: { url: mqtt },
    username: id,
    password,
    clientId: id,
    clock,
    random,
    longestDelay: beat,
  });
  let beats = 0;
  return createAgent({
    identity: { id, name, cluster },
    profile: { ip, labels: {}, arch: 'x64', version: oakctlVersion, beat, boot: 'simulated' },
    clock,
    random,
    bus: told(bus, say),
    runtimes: [createFakeRuntime({ clock, ip })],
    files: createMemoryFiles(),
    verify: (topic, message) => verifyMessage({ cluster, keys }, topic, message),
    usage() {
      beats += 1;
      onBeat?.(beats);
      return { cpu: onBeat ? beats : (beats * 7) % 100, memory: 40, capacity: { cpu: 4, memory: 4096 } };
    },
    streams: createStreamOpener({ api: () => ({ url: api }), node: id, password }),
    trace(event) {
      if (event.kind === 'message_refused') say('refused');
    },
  });
}

type Said = 'connected' | 'disconnected' | 'refused';

function told(bus: Bus, say: (what: Said) => void): Bus {
  return {
    ...bus,
    open: (options, handlers) =>
      bus.open(options, {
        ...handlers,
        connected() {
          say('connected');
          handlers.connected();
        },
        disconnected(reason) {
          say('disconnected');
          handlers.disconnected(reason);
        },
      }),
  };
}

/** The child's side: starts and cuts what it is told, and says once in a while how many are connected. */
function serve(): void {
  const sockets = new Set<Socket>();
  let port = '';
  subscribe('net.client.socket', (message) => {
    const { socket } = message as { socket: Socket };
    socket.once('connect', () => {
      if (String(socket.remotePort) === port) sockets.add(socket);
    });
    socket.once('close', () => sockets.delete(socket));
  });
  const count = { connected: 0, disconnected: 0, refused: 0 };
  const report = (): void => {
    const { connected, disconnected: ended, refused } = count;
    process.send?.({ connected: connected - ended, ended, refused } satisfies FromSimulator);
  };
  process.on('message', (message: ToSimulator) => {
    if (message.kind === 'start') {
      port = new URL(message.home.mqtt).port;
      // Not in one turn: a fleet is switched on within a beat.
      message.nodes.forEach((node, index) => {
        const agent = simulate(message.home, node, (what) => {
          count[what] += 1;
        });
        setTimeout(() => void agent.start(), (index / message.nodes.length) * message.home.beat);
      });
      setInterval(report, 250);
    } else {
      for (const socket of [...sockets].slice(0, message.count)) socket.destroy();
    }
  });
  process.on('disconnect', () => process.exit(0));
}

if (process.send) serve();
