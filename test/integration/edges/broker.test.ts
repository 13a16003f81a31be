import { spawn } from 'node:child_process';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { connect, type MqttClient } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Broker } from '../../../reconciler/broker/supervisor.ts';
import type { Problem } from '../../../schemas/problem.ts';
import { agentFilters, reconcilerFilters, topic } from '../../../schemas/topics.ts';
import { openTestClient, startTestBroker, type TestClient, testPassword } from '../../support/broker.ts';
import { eventually, steadily } from '../../support/eventually.ts';
import { timely } from '../../support/machine.ts';

const a = 'aaaaaaaaaaaaaaaa';
const b = 'bbbbbbbbbbbbbbbb';
let broker: Broker;
const open: { bus: TestClient['bus'] }[] = [];
const raw: MqttClient[] = [];

function client(who: string, extra: Partial<Parameters<typeof openTestClient>[2]> = {}): TestClient {
  const subscribe = who === 'reconciler' ? reconcilerFilters() : agentFilters(who);
  const made = openTestClient(broker, who, { subscribe, ...extra });
  open.push(made);
  return made;
}
const connected = (c: TestClient) => eventually(() => c.events.includes('connected'), { what: 'connected' });
const heard = (c: TestClient, payload: string) =>
  eventually(() => c.messages.some((message) => message.payload === payload), { what: `message ${payload}` });

/** A client with everything under its own control; resolves with how the attempt ended. */
function attempt(options: Parameters<typeof connect>[1]): Promise<{ client: MqttClient; outcome: string }> {
  const made = connect(broker.url, { reconnectPeriod: 0, connectTimeout: 20_000, protocolVersion: 4, ...options });
  raw.push(made);
  return new Promise((resolve) => {
    made.on('connect', () => resolve({ client: made, outcome: 'connected' }));
    made.on('error', (error) => resolve({ client: made, outcome: error.message }));
    made.on('close', () => resolve({ client: made, outcome: 'closed' }));
  });
}
const asNode = (node: string) => ({ clientId: node, username: node, password: testPassword(node) });

beforeEach(async () => {
  broker = await startTestBroker();
  broker.setNodes([
    { id: a, serial: 1 },
    { id: b, serial: 1 },
  ]);
});
afterEach(async () => {
  for (const { bus } of open.splice(0)) await bus.close();
  for (const one of raw.splice(0)) one.end(true);
  await broker.close();
});

describe('traffic', () => {
  it('carries reports up and assignments down, and keeps retained rows for who comes later', async () => {
    const reconciler = client('reconciler');
    const node = client(a);
    await Promise.all([connected(reconciler), connected(node)]);
    node.bus.publish(topic(a, 'information'), 'beat', { qos: 0, retain: false });
    node.bus.publish(topic(a, 'instances'), 'report', { qos: 1, retain: true });
    reconciler.bus.publish(topic(a, 'assignment'), 'jobs', { qos: 1, retain: true });
    await Promise.all([heard(reconciler, 'beat'), heard(reconciler, 'report'), heard(node, 'jobs')]);
    expect(reconciler.messages.every((message) => !message.retained)).toBe(true);

    await node.bus.close();
    const again = client(a);
    await heard(again, 'jobs');
    expect(again.messages).toEqual([{ topic: `nodes/${a}/assignment/0`, payload: 'jobs', retained: true }]);
    expect(again.events[0]).toBe('connected');
  });

  it('sends the will of a connection that breaks, and not of one that is closed', async () => {
    const reconciler = client('reconciler');
    await connected(reconciler);
    const will = (payload: string) => ({ will: { topic: topic(a, 'online'), payload } });
    const polite = client(a, will('gone-1'));
    await connected(polite);
    await polite.bus.close({ topic: topic(a, 'online'), payload: 'goodbye' });
    await heard(reconciler, 'goodbye');

    const broken = await attempt({
      ...asNode(b),
      will: { topic: topic(b, 'online'), payload: Buffer.from('gone-2'), qos: 1, retain: true },
    });
    expect(broken.outcome).toBe('connected');
    (broken.client.stream as unknown as Socket).destroy();
    await heard(reconciler, 'gone-2');
    expect(reconciler.messages.map((message) => message.payload)).not.toContain('gone-1');
  });

  it('gives the connection to the newest client of a name', async () => {
    const first = client(a);
    await connected(first);
    const second = await attempt(asNode(a));
    expect(second.outcome).toBe('connected');
    await eventually(() => first.events.some((event) => event.startsWith('disconnected')));
  });
});

describe('admission', () => {
  it.each([
    ['a wrong password', { clientId: a, username: a, password: 'wrong' }],
    ['no password', { clientId: a, username: a }],
    ['the password of another node', { clientId: a, username: a, password: testPassword(b) }],
    ['another client id than user name', { clientId: b, username: a, password: testPassword(a) }],
    ['a node that nobody knows', asNode('cccccccccccccccc')],
    ['a persistent session', { ...asNode(a), clean: false }],
    ['no keepalive', { ...asNode(a), keepalive: 0 }],
    [
      'the reconciler with the password of a node',
      { clientId: 'reconciler', username: 'reconciler', password: testPassword(a) },
    ],
    ['a client id with a wildcard', { clientId: '+', username: '+', password: testPassword('+') }],
    [
      'the will of another node',
      { ...asNode(a), will: { topic: topic(b, 'online'), payload: Buffer.from('x'), qos: 1 as const, retain: true } },
    ],
  ])('refuses %s', async (_, options) => {
    expect((await attempt(options)).outcome).not.toBe('connected');
  });

  it('tells a client of MQTT 5 which protocol it speaks', async () => {
    expect((await attempt({ ...asNode(a), protocolVersion: 5 })).outcome).toMatch(/version/i);
  });

  it('refuses every node while the list is empty, and an old serial once it was raised', async () => {
    broker.setNodes([]);
    expect((await attempt(asNode(a))).outcome).not.toBe('connected');
    broker.setNodes([{ id: a, serial: 2 }]);
    expect((await attempt(asNode(a))).outcome).not.toBe('connected');
    expect((await attempt({ ...asNode(a), password: testPassword(a, 2) })).outcome).toBe('connected');
  });

  it('cuts a revoked node, which does not come back', async () => {
    const node = client(a);
    await connected(node);
    broker.setNodes([{ id: b, serial: 1 }]);
    broker.disconnect(a);
    await eventually(() => node.events.length === 2);
    await steadily(() => node.events.length === 2, 1_500, 'staying out');
    expect(node.refusals()).toBeGreaterThan(0);
  });

  it('lets a right password in, however many wrong ones came from the same address', async () => {
    for (let times = 0; times < 8; times += 1) await attempt({ clientId: a, username: a, password: 'wrong' });
    expect((await attempt(asNode(b))).outcome).toBe('connected');
  });
});

describe('access', () => {
  const denied: [string, { topic: string; retain?: boolean; qos?: 0 | 1 | 2 }][] = [
    ['a row of another node', { topic: topic(b, 'information') }],
    ['its own assignment', { topic: topic(a, 'assignment'), retain: true, qos: 1 }],
    ['its own controls', { topic: topic(a, 'controls') }],
    ['a row that does not exist', { topic: `nodes/${a}/anything` }],
    ['no row at all', { topic: 'anything' }],
    ['QoS 2', { topic: topic(a, 'instances'), qos: 2 }],
    ['a part beyond all bounds', { topic: `nodes/${a}/instances/9999`, retain: true }],
    ['the inside of the broker', { topic: '$SYS/x/heartbeat' }],
  ];
  it.each(denied)('cuts a node that publishes on %s', async (_, { topic: to, retain = false, qos = 0 }) => {
    const reconciler = client('reconciler');
    const victim = client(b);
    await Promise.all([connected(reconciler), connected(victim)]);
    const { client: node } = await attempt(asNode(a));
    const closed = new Promise<void>((resolve) => node.on('close', () => resolve()));
    node.publish(to, 'evil', { qos, retain });
    await closed;
    victim.bus.publish(topic(b, 'information'), 'after', { qos: 0, retain: false });
    await heard(reconciler, 'after');
    expect([...reconciler.messages, ...victim.messages].map((message) => message.payload)).not.toContain('evil');
  });

  it('grants a node its own filters and nothing else, also in one packet with a good one', async () => {
    const reconciler = client('reconciler');
    await connected(reconciler);
    const { client: node } = await attempt(asNode(a));
    const got: string[] = [];
    node.on('message', (to) => got.push(to));
    const wanted = [
      `nodes/${b}/assignment/+`,
      `nodes/${a}/assignment/+`,
      'nodes/+/controls',
      '#',
      '$SYS/#',
      `nodes/${a}/information`,
    ];
    const granted = await new Promise<number[]>((resolve) => {
      node.on('packetreceive', (packet) => {
        if (packet.cmd === 'suback') resolve(packet.granted.map(Number));
      });
      node.subscribe(wanted, { qos: 1 }, () => undefined);
    });
    expect(granted).toEqual([128, 1, 128, 128, 128, 128]);
    reconciler.bus.publish(topic(b, 'assignment'), 'secret', { qos: 1, retain: true });
    reconciler.bus.publish(topic(b, 'controls'), 'secret', { qos: 1, retain: false });
    reconciler.bus.publish(topic(a, 'assignment'), 'mine', { qos: 1, retain: true });
    await eventually(() => got.length > 0);
    expect(got).toEqual([topic(a, 'assignment')]);
  });

  it('lets the reconciler clear the rows of a node, and keeps no row that is not marked so', async () => {
    const node = client(a);
    const first = client('reconciler');
    await Promise.all([connected(node), connected(first)]);
    node.bus.publish(topic(a, 'instances'), 'report', { qos: 1, retain: true });
    await heard(first, 'report');
    first.bus.publish(topic(a, 'instances'), '', { qos: 1, retain: true });
    first.bus.publish(topic(a, 'controls'), 'done', { qos: 1, retain: false });
    await heard(node, 'done');
    await first.bus.close();
    const second = client('reconciler');
    await connected(second);
    node.bus.publish(topic(a, 'information'), 'beat', { qos: 0, retain: false });
    await heard(second, 'beat');
    expect(second.messages.map((message) => message.payload)).toEqual(['beat']);
    node.bus.publish(topic(a, 'information'), 'kept?', { qos: 1, retain: true });
    await heard(second, 'kept?');
    await second.bus.close();
    const third = client('reconciler');
    await connected(third);
    node.bus.publish(topic(a, 'information'), 'last', { qos: 0, retain: false });
    await heard(third, 'last');
    expect(third.messages.map((message) => message.payload)).toEqual(['last']);
  });

  it('refuses a bus whose subscription is denied', async () => {
    const curious = client(a, { subscribe: [{ filter: `nodes/${b}/controls`, qos: 1 }] });
    await steadily(() => curious.events.length === 0, 1_000, 'not connected');
  });
});

describe('limits', () => {
  const until = (socket: Socket) =>
    new Promise<void>((resolve) => socket.on('close', () => resolve()).on('error', () => undefined));

  it('cuts 200 MiB before login at the header', async () => {
    const socket = connectTcp(broker.port, '127.0.0.1');
    const closed = until(socket);
    // CONNECT with a remaining length of 200 MiB, and as much of it as the broker takes.
    socket.write(Buffer.from([0x10, 0x80, 0x80, 0x80, 0x64]));
    const block = Buffer.alloc(64 * 1024);
    let sent = 0;
    const pour = (): void => {
      while (!socket.destroyed && sent < 200 * 1024 * 1024) {
        sent += block.length;
        if (!socket.write(block)) {
          socket.once('drain', pour);
          return;
        }
      }
    };
    pour();
    await closed;
    expect(sent).toBeLessThan(20 * 1024 * 1024);
    const node = client(a);
    await connected(node);
  });

  it('cuts what does not begin with CONNECT, and what never ends its header', async () => {
    for (const bytes of [
      [0x30, 0x02],
      [0x10, 0xff, 0xff, 0xff, 0xff],
      [0x47, 0x45, 0x54],
    ]) {
      const socket = connectTcp(broker.port, '127.0.0.1');
      const closed = until(socket);
      socket.write(Buffer.from(bytes));
      await closed;
    }
  });

  it('takes an assignment of 200 KiB and cuts a packet above 256 KiB', async () => {
    const reconciler = client('reconciler');
    const node = client(a);
    await Promise.all([connected(reconciler), connected(node)]);
    const large = 'x'.repeat(200 * 1024);
    reconciler.bus.publish(topic(a, 'assignment'), large, { qos: 1, retain: true });
    await heard(node, large);
    node.bus.publish(topic(a, 'instances'), 'y'.repeat(257 * 1024), { qos: 1, retain: true });
    await eventually(() => node.events.length >= 2);
    expect(node.events[1]).toMatch(/^disconnected/);
  });

  it('goes on serving the others while one subscriber does not read', async () => {
    const reconciler = client('reconciler');
    const healthy = client(b);
    await Promise.all([connected(reconciler), connected(healthy)]);
    const { client: frozen } = await attempt(asNode(a));
    await new Promise<void>((resolve) => frozen.subscribe(`nodes/${a}/requests`, { qos: 0 }, () => resolve()));
    let cut = false;
    frozen.on('close', () => {
      cut = true;
    });
    (frozen.stream as unknown as Socket).pause();
    const large = 'z'.repeat(64 * 1024);
    for (let n = 0; n < 40; n += 1) {
      for (let m = 0; m < 10; m += 1) reconciler.bus.publish(topic(a, 'requests'), large, { qos: 0, retain: false });
      reconciler.bus.publish(topic(b, 'requests'), `n${n}`, { qos: 0, retain: false });
      await eventually(() => healthy.messages.length === n + 1, {
        what: `message ${n} of the healthy one`,
        interval: 5,
      });
    }
    expect(broker.restarts()).toBe(0);
    (frozen.stream as unknown as Socket).resume();
    await eventually(() => cut, { what: 'the frozen one is cut' });
  });
});

describe('the process', () => {
  it('comes back on the same port after a crash; retained rows are put back by their owners', async () => {
    await broker.close();
    let pid = 0;
    const exits: string[] = [];
    broker = await startTestBroker({
      onExit: (reason) => exits.push(reason),
      onStart: (id) => {
        pid = id;
      },
    });
    broker.setNodes([{ id: a, serial: 1 }]);
    const { port } = broker;
    const reconciler = client('reconciler');
    const node = client(a);
    await Promise.all([connected(reconciler), connected(node)]);
    reconciler.bus.publish(topic(a, 'assignment'), 'jobs', { qos: 1, retain: true });
    await heard(node, 'jobs');
    await timely({ what: 'the return of the broker and its clients', work: 3_000 }, async () => {
      process.kill(pid, 'SIGKILL');
      await eventually(() => node.events.length === 3 && reconciler.events.length === 3, { interval: 10 });
    });
    expect(node.events).toEqual(['connected', expect.stringMatching(/^disconnected/), 'connected']);
    expect([broker.port, broker.restarts(), exits.length]).toEqual([port, 1, 1]);
    expect(node.messages).toHaveLength(1);
    reconciler.bus.publish(topic(a, 'assignment'), 'jobs again', { qos: 1, retain: true });
    await heard(node, 'jobs again');
  });

  it('says that a port is taken', async () => {
    const error = await startTestBroker({ port: broker.port }).catch((caught: unknown) => caught);
    expect((error as { problem: Problem }).problem).toMatchObject({
      code: 'PORT_TAKEN',
      subject: `127.0.0.1:${broker.port}`,
    });
  });

  it('refuses a host that is not an address', async () => {
    const error = await startTestBroker({ host: 'example.org' }).catch((caught: unknown) => caught);
    expect((error as { problem: Problem }).problem.code).toBe('SETTINGS_INVALID');
  });

  it('ends with its parent, however that ends', async () => {
    const script = new URL('../../../dist/reconciler/broker/child.js', import.meta.url).pathname;
    const code = `const child = require('node:child_process').fork(${JSON.stringify(script)}, { stdio: 'ignore' });
      child.send({ kind: 'start', host: '127.0.0.1', port: 0, credentialKey: '', reconcilerPassword: 'x', nodes: [] });
      child.on('message', (m) => console.log(JSON.stringify({ port: m.port, pid: child.pid })));`;
    const parent = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    const line = await new Promise<string>((resolve) =>
      parent.stdout.once('data', (data: Buffer) => resolve(data.toString())),
    );
    const { pid, port } = JSON.parse(line) as { pid: number; port: number };
    parent.kill('SIGKILL');
    await eventually(() => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    });
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    server.close();
  });
});
