import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { connect as connectTcp } from 'node:net';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { afterEach, expect, it } from 'vitest';
import { brokerLimits } from '../../../reconciler/broker/limits.ts';
import type { Broker, BrokerOptions } from '../../../reconciler/broker/supervisor.ts';
import { agentFilters, topic } from '../../../schemas/topics.ts';
import { openTestClient, startTestBroker, testPassword } from '../../support/broker.ts';
import { eventually } from '../../support/eventually.ts';
import { slowness, timely } from '../../support/machine.ts';

const a = 'aaaaaaaaaaaaaaaa';
const b = 'bbbbbbbbbbbbbbbb';
const closing: (() => unknown)[] = [];

async function start(options: Partial<BrokerOptions> = {}): Promise<{ broker: Broker; pid: () => number }> {
  let pid = 0;
  const broker = await startTestBroker({
    ...options,
    onStart: (id) => {
      pid = id;
    },
  });
  closing.push(() => broker.close());
  broker.setNodes([
    { id: a, serial: 1 },
    { id: b, serial: 1 },
  ]);
  return { broker, pid: () => pid };
}

function raw(broker: Broker, who: string, extra: IClientOptions = {}): Promise<MqttClient> {
  const password = who === broker.username ? broker.password : testPassword(who);
  const client = connect(broker.url, {
    clientId: who,
    username: who,
    password,
    reconnectPeriod: 0,
    protocolVersion: 4,
    ...extra,
  });
  closing.push(() => client.end(true));
  client.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve(client));
    client.once('close', () => reject(new Error('closed before it was connected')));
  });
}

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

it('slows down a node that sends more than its share, and cuts one that floods; the other node does not notice', async () => {
  const { broker } = await start();
  const reconciler = await raw(broker, 'reconciler');
  const got = { [a]: 0, [b]: 0 };
  reconciler.on('message', (to) => {
    got[to.split('/')[1] as typeof a | typeof b] += 1;
  });
  await reconciler.subscribeAsync('nodes/+/information');
  const busy = await raw(broker, a);
  const quiet = await raw(broker, b);
  const started = performance.now();
  for (let n = 0; n < 160; n += 1) {
    busy.publish(topic(a, 'information'), 'beat');
    // One segment each: what comes in one piece is judged in one piece.
    if (n % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await timely({ what: 'the message of the other node', work: 1_400 }, async () => {
    quiet.publish(topic(b, 'information'), 'beat');
    await eventually(() => got[b] === 1, { interval: 5 });
  });
  await eventually(() => got[a] === 160, { what: 'all messages of the slowed one' });
  expect(performance.now() - started).toBeGreaterThan(1_000);

  const closed = new Promise<void>((resolve) => busy.once('close', () => resolve()));
  for (let n = 0; n < 5_000; n += 1) busy.publish(topic(a, 'information'), 'flood');
  await closed;
  expect(quiet.connected).toBe(true);
});

it('lets so many connections stand and so many begin at once, and the next ones in when there is room', async () => {
  const limits = { ...brokerLimits, connections: 5, perAddress: { rate: 5, burst: 8 } };
  const { broker } = await start({ limits });
  const sockets = Array.from({ length: 20 }, () => connectTcp(broker.port, '127.0.0.1'));
  const closed = sockets.map(() => false);
  sockets.forEach((socket, index) => {
    socket
      .on('error', () => undefined)
      .on('close', () => {
        closed[index] = true;
      });
  });
  await eventually(() => closed.filter(Boolean).length === 15, { what: 'the ones beyond the cap' });
  for (const socket of sockets) socket.destroy();
  // 5 of 8 were used; the refused ones cost nothing.
  const again = Array.from({ length: 5 }, () => connectTcp(broker.port, '127.0.0.1'));
  let refused = 0;
  for (const socket of again) socket.on('error', () => undefined).on('close', () => (refused += 1));
  await eventually(() => refused >= 1, { what: 'the rate' });
  for (const socket of again) socket.destroy();
  const client = await eventually(() => raw(broker, a));
  expect(client.connected).toBe(true);
});

it('stands 6,000 messages of 64 KiB to a subscriber that froze: others wait 3 s at most, and memory stays bounded', async () => {
  const { broker, pid } = await start();
  const frozen = await raw(broker, a);
  await frozen.subscribeAsync(topic(a, 'requests'));
  (frozen.stream as unknown as Socket).pause();
  const healthy = openTestClient(broker, b, { subscribe: agentFilters(b) });
  closing.push(() => healthy.bus.close());
  await eventually(() => healthy.events.length > 0);
  const reconciler = await raw(broker, 'reconciler');
  const block = Buffer.alloc(64 * 1024);
  const memory = async (): Promise<number> =>
    Number(/VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid()}/status`, 'utf8'))?.[1]) / 1024;
  const before = await memory();
  let longest = 0;
  const sentAt: number[] = [];
  for (let n = 0; n < 6_000; n += 1) {
    const last = new Promise<void>((resolve) =>
      reconciler.publish(topic(a, 'requests'), block, { qos: 0 }, () => resolve()),
    );
    if (n % 100 === 0) {
      reconciler.publish(topic(b, 'requests'), `n${n}`, { qos: 1 });
      sentAt.push(performance.now());
      await last;
      await eventually(() => healthy.messages.length === sentAt.length, { interval: 5 });
      longest = Math.max(longest, performance.now() - (sentAt.at(-1) ?? 0));
    }
  }
  expect(broker.restarts()).toBe(0);
  expect(longest).toBeLessThan(3_000 * (await slowness()));
  expect((await memory()) - before).toBeLessThan(200);
});

it('gives one node a handful of connections, whatever it calls them, and one back when one ends', async () => {
  const { broker } = await start();
  const open: MqttClient[] = [];
  const more = () => raw(broker, a, { clientId: `${a}.${open.length}` }).then((client) => void open.push(client));
  for (let n = 0; n < 16; n += 1) await more();
  await expect(more()).rejects.toThrow();
  await raw(broker, b);
  await open[0]?.endAsync();
  await eventually(
    () =>
      more().then(
        () => true,
        () => false,
      ),
    { what: 'room for another one' },
  );
});
