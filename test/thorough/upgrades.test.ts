/** Upgrades to every WebSocket of the API, over real connections: by nobody, with what opens nothing, by other nodes, and by people. */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { pino } from 'pino';
import { afterAll, expect, it } from 'vitest';
import type { Context } from '../../reconciler/context.ts';
import type { ControlPlane } from '../../reconciler/control-plane.ts';
import { hasRight, isLimited, type Right } from '../../reconciler/core/rights.ts';
import { limitControl } from '../../reconciler/limited-control.ts';
import type { ExecConnection } from '../../schemas/exec.ts';
import { parseClusterSettings } from '../../schemas/settings.ts';
import { listenApi } from '../support/api-server.ts';
import { eventually } from '../support/eventually.ts';
import { fakeControlPlane, fakeInstance, fakeNode, fakeService } from '../support/fake-control-plane.ts';
import { basic, createCallers, type Shown, someStep } from '../support/fuzz/callers.ts';
import { campaign } from '../support/fuzz/campaign.ts';
import { requireThat } from '../support/fuzz/closed-type.ts';
import type { Dice } from '../support/fuzz/random.ts';
import { memoryApplications } from '../support/memory-accounts.ts';
import { wholeAudit } from '../support/whole-control-plane.ts';

const own = 'shop.default.web.default';
const others = 'bank.default.safe.default';
const { accounts, someCaller } = await createCallers();

/** Sessions that the control plane began. */
let begun: string[] = [];
/** Says one byte of output, and lasts as long as the caller stays. */
function session(what: string, gone: AbortSignal): ExecConnection {
  begun.push(what);
  async function* frames(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array([1]);
    await new Promise<void>((resolve) => gone.addEventListener('abort', () => resolve()));
  }
  return { frames: frames(), send: async () => {}, close: () => {}, gone };
}

const control: Partial<ControlPlane> = {
  services: () =>
    [own, others].map((name) => ({ ...fakeService(name), instances: [fakeInstance(`${name}.instance.0`)] })),
  instances: () => [own, others].map((name) => fakeInstance(`${name}.instance.0`)),
  nodes: () => [fakeNode('pi1', { id: 'ab12' })],
  node: (name) => (name === 'pi1' ? fakeNode('pi1', { id: 'ab12' }) : undefined),
  exec: async (instance, _actor, signal) => session(instance, signal),
  loadImages: async (node, _actor, signal) => session(node, signal),
};
const { desk, ownership } = memoryApplications();
const { settings } = parseClusterSettings('cluster: test', 'cluster.yaml');
const deps = { settings } as unknown as Context['deps'];
const lines: string[] = [];
const api = await listenApi(control, {}, undefined, undefined, {
  accounts,
  oakestra: desk,
  limit: (caller) => limitControl({ deps }, ownership, fakeControlPlane(control), caller),
  audit: wholeAudit,
  logger: pino({}, { write: (line: string) => void lines.push(line) }),
});
const port = Number(new URL(api.url).port);
afterAll(() => api.close());

/** What an upgrade gets: its status, and of a session the first byte of its first frame. */
interface Got {
  readonly status: number;
  readonly channel: number | undefined;
}

/** Sends it, waits for what can be known, then sends `after` and hangs up. */
function knock(head: string, after: Uint8Array, isSession: boolean): Promise<Got> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const late = setTimeout(() => done(new Error('no answer within 10 s')), 10_000);
    let bytes = Buffer.alloc(0);
    const found = (): Got => {
      const text = bytes.toString('latin1');
      const end = text.indexOf('\r\n\r\n') + 4;
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1] ?? 0);
      if (end < 4) return { status: 0, channel: undefined };
      const short = (bytes[end + 1] ?? 0) < 126;
      return { status, channel: bytes[end + (short ? 2 : 4)] };
    };
    const done = (error?: Error): void => {
      clearTimeout(late);
      const got = found();
      socket.removeAllListeners().on('error', () => {});
      if (got.status === 101) socket.end(after);
      socket.destroySoon();
      if (error && got.status === 0) reject(error);
      else resolve(got);
    };
    socket.on('data', (more: Buffer) => {
      bytes = Buffer.concat([bytes, more]);
      const { status, channel } = found();
      if (status !== 0 && (status !== 101 || !isSession || channel !== undefined)) done();
    });
    socket.once('close', () => done(new Error('hung up without an answer')));
    socket.once('error', done);
    socket.write(head);
  });
}

interface Door {
  readonly path: string;
  /** Of sessions. */
  readonly right?: Right;
  /** Who may, of streams; nobody knows any other. */
  readonly node?: string;
  /** It is no way anywhere, whoever asks. */
  readonly isNone: boolean;
}

const names = [`${own}.instance.0`, `${others}.instance.0`, 'web.0', 'pi1', 'ab12', 'shop', '%', '0'];

function someDoor(dice: Dice, expected: string): Door {
  const kind = dice.upTo(3);
  if (kind === 2) {
    const id = dice.pick([expected, expected, randomId(dice), '0', expected.toUpperCase(), `${expected}/`]);
    return { path: `/v1/streams/${id}`, isNone: id !== expected, ...(id === expected && { node: 'ab12' }) };
  }
  const step = dice.chance(0.05) ? dice.pick(['%', '%zz', '%ff', '']) : encodeURIComponent(someStep(dice, names));
  const isNone = step.length === 0 || step.length > 512;
  const query = dice.chance(0.3) ? `?actor=${encodeURIComponent(someStep(dice, names))}` : '';
  if (kind === 0) return { path: `/v1/instances/${step}/exec${query}`, right: 'change', isNone };
  return { path: `/v1/nodes/${step}/images${query}`, right: 'admin', isNone };
}

function randomId(dice: Dice): string {
  return Array.from({ length: 32 }, () => dice.upTo(16).toString(16)).join('');
}

const credentials = [
  basic('ab12', 'password-of-ab12'),
  basic('cd34', 'password-of-cd34'),
  basic('ab12', 'password-of-cd34'),
];

function someHead(
  dice: Dice,
  path: string,
  authorization: string,
): { readonly head: string; readonly isWhole: boolean } {
  const odd = dice.chance(0.15) ? dice.upTo(4) : -1;
  const lines = [
    `${odd === 0 ? dice.pick(['POST', 'HEAD', 'OPTIONS']) : 'GET'} ${path} HTTP/1.1`,
    'Host: localhost',
    'Connection: Upgrade',
    `Upgrade: ${odd === 1 ? dice.pick(['h2c', 'websocket, h2c', 'x']) : dice.pick(['websocket', 'WebSocket'])}`,
    ...(odd === 2 ? dice.pick([[], ['Sec-WebSocket-Key: a']]) : ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']),
    `Sec-WebSocket-Version: ${odd === 3 ? dice.pick(['7', '99', 'x']) : '13'}`,
    ...(authorization === '' ? [] : [`Authorization: ${authorization}`]),
  ];
  return { head: `${lines.join('\r\n')}\r\n\r\n`, isWhole: odd === -1 };
}

/** Frames, or what looks like them. */
function someFrames(dice: Dice): Uint8Array {
  const body = Array.from({ length: dice.upTo(60) }, () => dice.upTo(256));
  const masked = (first: number) => new Uint8Array([first, 0x80 | body.length, 0, 0, 0, 0, ...body]);
  return dice.pick([
    new Uint8Array(),
    new Uint8Array(body),
    masked(0x82),
    masked(0x81),
    masked(0x88),
    masked(0x02),
    masked(0xf2),
  ]);
}

function requireSession({ status, channel }: Got, { right }: Door, { caller }: Shown, what: string): void {
  if (!caller || !hasRight(caller, right ?? 'admin')) {
    requireThat(status === (caller ? 403 : 401), `${what}: ${status} for ${caller?.name ?? 'nobody'}`);
    return;
  }
  requireThat(![401, 403].includes(status), `${what}: ${status} for ${caller.name}, who may`);
  const isOpen = channel === 1 && status === 101;
  requireThat(isOpen === (begun.length === 1), `${what}: ${status} ${channel}, and ${begun.join() || 'nothing'} began`);
  const foreign = isLimited(caller) ? begun.filter((one) => !one.startsWith(own)) : [];
  requireThat(foreign.length === 0, `${what}: ${caller.name} got into ${foreign.join()}`);
}

campaign({
  name: 'upgrades to every WebSocket',
  share: 0.1,
  least: 4_000,
  accepted: 0.1,
  async one(dice) {
    const gone = new AbortController();
    const { id: stream, chunks } = api.streams.expect('ab12', gone.signal);
    const read = chunks[Symbol.asyncIterator]()
      .next()
      .catch(() => {});
    begun = [];
    try {
      const door = someDoor(dice, stream);
      const ofNode = dice.chance(door.right ? 0.1 : 0.7) ? dice.pick(credentials) : undefined;
      const shown: Shown = ofNode ? { authorization: ofNode } : someCaller(dice);
      const { head, isWhole } = someHead(dice, door.path, shown.authorization);
      const what = JSON.stringify(head);
      const got = await knock(head, someFrames(dice), door.right !== undefined);
      requireThat([101, 400, 401, 403, 404, 405].includes(got.status), `${what}: ${got.status}`);
      if (!isWhole) requireThat(got.status !== 101, `${what}: it was not whole`);
      if (got.status !== 101) requireThat(begun.length === 0, `${what}: refused, and ${begun.join()} began`);
      if (door.isNone || !door.right) {
        const may = !door.isNone && shown.authorization === credentials[0];
        requireThat(may || got.status !== 101, `${what}: it got in`);
        requireThat(!may || !isWhole || got.status === 101, `${what}: ${got.status} for the node that was asked`);
      } else requireSession(got, door, shown, what);
      return got.status === 101 ? 'accepted' : 'refused';
    } finally {
      gone.abort();
      await read;
    }
  },
});

it('are over afterwards: nothing is left open, and nothing was a bug', async () => {
  const bugs = lines.filter((line) => JSON.parse(line).level >= 50);
  expect(bugs).toEqual([]);
  const token = 'the-token-of-this-test';
  const head = (key: string) =>
    [
      'GET /v1/nodes/pi1/images HTTP/1.1',
      'Host: localhost',
      'Connection: Upgrade',
      'Upgrade: websocket',
      `Sec-WebSocket-Key: ${key}`,
      'Sec-WebSocket-Version: 13',
      `Authorization: Bearer ${token}`,
      '',
      '',
    ].join('\r\n');
  // Of archives 16 may be open at once: who hung up has none.
  await eventually(async () => {
    const got = await knock(head(randomBytes(16).toString('base64')), new Uint8Array(), true);
    expect(got).toEqual({ status: 101, channel: 1 });
  });
  expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
});
