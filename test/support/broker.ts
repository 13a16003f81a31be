import { fileURLToPath } from 'node:url';
import { type Broker, type BrokerOptions, startBroker } from '../../reconciler/broker/supervisor.ts';
import { nodePassword } from '../../reconciler/keys/credentials.ts';
import { createSystemClock, createSystemRandom } from '../../schemas/io/clock.ts';
import { createMqttBus } from '../../schemas/io/mqtt-bus.ts';
import type { Bus, BusMessage, BusOptions } from '../../schemas/ports.ts';

const credentialKey = new Uint8Array(32).fill(7);
const clock = createSystemClock();
const random = createSystemRandom();

/** The broker as built (`npm run build`), on a free port of the loopback. */
export function startTestBroker(options: Partial<BrokerOptions> = {}): Promise<Broker> {
  const script = fileURLToPath(new URL('../../dist/reconciler/broker/child.js', import.meta.url));
  return startBroker({ host: '127.0.0.1', port: 0, credentialKey, clock, random, script, ...options });
}

/** The password that this broker takes from a node. */
export function testPassword(node: string, serial = 1): string {
  return nodePassword(credentialKey, node, serial);
}

/** A bus and what it heard. */
export interface TestClient {
  readonly bus: Bus;
  readonly messages: BusMessage[];
  /** `connected`, or `disconnected: <reason>`, in order. */
  readonly events: string[];
  /** How often the broker did not let it in. */
  refusals(): number;
}

/** Opens the bus of a node, or of the reconciler, with the production adapter. */
export function openTestClient(
  broker: Pick<Broker, 'url' | 'username' | 'password'>,
  who: string,
  options: BusOptions,
): TestClient {
  const password = who === broker.username ? broker.password : testPassword(who);
  let refusals = 0;
  const bus = createMqttBus({
    broker: { url: broker.url },
    username: who,
    password,
    clientId: who,
    clock,
    random,
    refused: () => {
      refusals += 1;
    },
  });
  const client: TestClient = { bus, messages: [], events: [], refusals: () => refusals };
  bus.open(options, {
    connected: () => void client.events.push('connected'),
    disconnected: (reason) => void client.events.push(`disconnected: ${reason}`),
    message: (message) => void client.messages.push(message),
  });
  return client;
}
