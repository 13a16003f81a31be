import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createStreamOpener } from '../../../agent/streams.ts';
import { type Api, createApi } from '../../../reconciler/api/server.ts';
import { createStreams, type StreamServer } from '../../../reconciler/api/streams.ts';
import type { ApiTls } from '../../../reconciler/api/tls-listener.ts';
import type { Broker } from '../../../reconciler/broker/supervisor.ts';
import type { ServerTls } from '../../../reconciler/tls/material.ts';
import { createApiClient } from '../../../schemas/io/api-client.ts';
import { createSystemClock, createSystemRandom } from '../../../schemas/io/clock.ts';
import { createMqttBus } from '../../../schemas/io/mqtt-bus.ts';
import { ProblemError } from '../../../schemas/problem.ts';
import { startTestBroker, testPassword } from '../../support/broker.ts';
import { day, localCertificate, testAuthority } from '../../support/certificates.ts';
import { eventually } from '../../support/eventually.ts';
import { fakeControlPlane } from '../../support/fake-control-plane.ts';
import { memoryAccounts, memoryDesk } from '../../support/memory-accounts.ts';

const authority = testAuthority();
const expired = localCertificate(authority, { from: -2 * day, until: -day });
const notYet = localCertificate(authority, { from: day, until: 2 * day });
const node = 'aaaaaaaaaaaaaaaa';
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const failure = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) =>
      error instanceof ProblemError ? `${error.problem.code} ${error.problem.message}` : String(error),
  );
const soon = (): AbortSignal => AbortSignal.timeout(60_000);

/** All that comes until the other side ends. */
function dialogue(socket: Socket, text?: string): Promise<string> {
  return new Promise((resolve) => {
    let heard = '';
    socket.on('data', (bytes: Buffer) => {
      heard += bytes.toString('latin1');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      heard += error.code ?? error.message;
    });
    socket.on('close', () => resolve(heard));
    if (text !== undefined) socket.write(text);
  });
}

describe('the API over TLS', () => {
  let shown: ServerTls;
  let listener: ((tls: ServerTls) => void) | undefined;
  let streams: StreamServer;
  let api: Api;
  const tls: ApiTls = {
    current: () => shown,
    onChange: (one) => {
      listener = one;
    },
    describe: () => ({ mode: 'auto', server: { names: ['test'], fingerprint: '', expires: 0 } }),
  };
  const show = (next: ServerTls): void => {
    shown = next;
    listener?.(next);
  };
  const client = () => createApiClient({ url: api.url, ca: authority.certificate, token: 'token' });
  const port = (): number => Number(new URL(api.url).port);

  beforeEach(async () => {
    shown = localCertificate(authority);
    streams = createStreams({ authenticate: (who, password) => who === node && password === 'right' });
    const bind = { host: '127.0.0.1', port: 0 };
    const logger = pino({ level: 'silent' });
    const control = fakeControlPlane();
    const { accounts } = memoryAccounts();
    api = await createApi({
      control,
      accounts,
      oakestra: memoryDesk(),
      limit: () => control,
      token: 'token',
      streams,
      logger,
      bind,
      tls,
    });
    closers.push(api.close);
  });

  it('takes up a renewed certificate without a restart; with an expired one it is not believed', async () => {
    expect((await client().status(soon())).cluster).toBe('test');
    for (const [bad, why] of [
      [expired, 'CERT_HAS_EXPIRED'],
      [notYet, 'CERT_NOT_YET_VALID'],
    ] as const) {
      show(bad);
      expect(await failure(client().status(soon()))).toMatch(new RegExp(`^UNREACHABLE .*${why}`));
    }
    show(localCertificate(authority));
    expect((await client().status(soon())).cluster).toBe('test');
  });

  it('carries streams of agents, over the change of a certificate', async () => {
    const opener = createStreamOpener({
      api: () => ({ url: api.url, ca: authority.certificate }),
      node,
      password: 'right',
    });
    const { id, chunks } = streams.expect(node, soon());
    const stream = await opener.open(id, soon());
    show(localCertificate(authority));
    await stream.write('hello');
    await stream.close();
    let heard = '';
    for await (const chunk of chunks) heard += chunk;
    expect(heard).toBe('hello');
    const wrong = createStreamOpener({
      api: () => ({ url: api.url, ca: authority.certificate }),
      node,
      password: 'wrong',
    });
    expect(await failure(wrong.open(streams.expect(node, soon()).id, soon()))).toMatch(/^UNAUTHORIZED/);
  });

  it('tells whoever speaks plain HTTP what its certificates are, and nothing else', async () => {
    const plain = createApiClient({ url: api.url.replace('https:', 'http:'), token: 'token' });
    expect(await plain.tls(soon())).toEqual(tls.describe());
    expect(await client().tls(soon())).toEqual(tls.describe());
    for (const work of [plain.status(soon()), plain.identity('ab'.repeat(16), soon()), plain.sync(soon())]) {
      expect(await failure(work)).toMatch(/^TLS_REQUIRED/);
    }
    const socket = new WebSocket(api.url.replace('https:', 'ws:'));
    expect(await new Promise((resolve) => socket.once('error', ({ message }) => resolve(message)))).toBe(
      'socket hang up',
    );
  });

  it('speaks nothing below TLS 1.2, and outlives what is no protocol at all', async () => {
    const options = { port: port(), host: '127.0.0.1', ca: authority.certificate } as const;
    const old = connectTls({ ...options, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    expect(await dialogue(old)).toMatch(/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|ECONNRESET/i);
    for (const text of ['\x16\x03\x01\xff\xffgarbage', '\x16', 'nonsense\r\n\r\n', '\0\0\0']) {
      const socket = connectTcp(port(), '127.0.0.1');
      closers.push(() => socket.destroy());
      const end = dialogue(socket, text);
      socket.end();
      await end;
    }
    expect((await client().status(soon())).cluster).toBe('test');
  });

  it('closes while somebody says nothing', async () => {
    const socket = connectTcp(port(), '127.0.0.1');
    const end = dialogue(socket);
    await new Promise((resolve) => socket.once('connect', resolve));
    await api.close();
    expect(await end).toMatch(/^(ECONNRESET)?$/);
    expect(await failure(client().status(soon()))).toMatch(/^UNREACHABLE .*ECONNREFUSED/);
  });
});

describe('the broker over TLS', () => {
  let broker: Broker;
  const start = async (tls: ServerTls): Promise<void> => {
    broker = await startTestBroker({ tls });
    broker.setNodes([{ id: node, serial: 1 }]);
    closers.push(() => broker.close());
  };
  /** An agent that comes back by itself. */
  const agent = (): { events: string[] } => {
    const events: string[] = [];
    const bus = createMqttBus({
      broker: { url: `mqtts://127.0.0.1:${broker.port}`, ca: authority.certificate },
      username: node,
      clientId: node,
      password: testPassword(node),
      clock: createSystemClock(),
      random: createSystemRandom(),
    });
    closers.push(() => bus.close());
    bus.open(
      { subscribe: [] },
      { connected: () => void events.push('up'), disconnected: () => void events.push('down'), message() {} },
    );
    return { events };
  };

  it('admits nodes under the authority of the cluster, and nobody without TLS', async () => {
    await start(localCertificate(authority));
    const { events } = agent();
    await eventually(() => expect(events).toEqual(['up']));
    const plain = connectTcp(broker.port, '127.0.0.1');
    // No CONNACK (0x20), at most an alert of TLS.
    expect((await dialogue(plain, '\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0')).startsWith('\x20')).toBe(false);
    expect(events).toEqual(['up']);
  });

  it('leaves its own reconciler on loopback, whatever the certificate is', async () => {
    await start(expired);
    expect(broker.url).toMatch(/^mqtt:\/\/127\.0\.0\.1:\d+$/);
    expect(broker.url).not.toContain(`:${broker.port}`);
    const { url, username, password } = broker;
    const [clock, random] = [createSystemClock(), createSystemRandom()];
    const bus = createMqttBus({ broker: { url }, username, password, clientId: username, clock, random });
    closers.push(() => bus.close());
    const connected = new Promise<void>((resolve) => {
      bus.open({ subscribe: [] }, { connected: resolve, disconnected() {}, message() {} });
    });
    await connected;
  });

  it('takes up a renewed certificate: agents that were shut out come back by themselves', async () => {
    await start(expired);
    const { events } = agent();
    broker.setTls(notYet);
    broker.setTls(localCertificate(authority));
    await eventually(() => expect(events).toEqual(['up']));
  });

  it('shows the renewed certificate after a crash too', async () => {
    const pids: number[] = [];
    broker = await startTestBroker({ tls: expired, onStart: (pid) => void pids.push(pid) });
    closers.push(() => broker.close());
    broker.setNodes([{ id: node, serial: 1 }]);
    const inside = broker.url;
    broker.setTls(localCertificate(authority));
    const { events } = agent();
    await eventually(() => expect(events).toEqual(['up']));
    process.kill(pids[0] ?? 0, 'SIGKILL');
    await eventually(() => expect(events).toEqual(['up', 'down', 'up']));
    expect(broker.url).toBe(inside);
  });

  it('keeps the frame guard behind TLS', async () => {
    await start(localCertificate(authority));
    const options = { port: broker.port, host: '127.0.0.1', ca: authority.certificate };
    const socket = connectTls(options);
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    const end = dialogue(socket, '\x10\xff\xff\x7f');
    expect(await end).toMatch(/^(ECONNRESET|EPIPE)?$/);
  });
});
