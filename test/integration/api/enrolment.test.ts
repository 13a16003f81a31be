/** Joining, as an agent does it: over HTTP, against the reconciler's real loop, which stands on memory and virtual time. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadOrJoin } from '../../../agent/join.ts';
import { createApiClient } from '../../../schemas/io/api-client.ts';
import type { OnlineMessage } from '../../../schemas/messages.ts';
import { isProblemError, type Problem } from '../../../schemas/problem.ts';
import { topic } from '../../../schemas/topics.ts';
import type { NodeState } from '../../../schemas/views.ts';
import { listenApi, type TestApi } from '../../support/api-server.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../../support/memory-cluster.ts';
import { createMemoryFiles } from '../../support/memory-files.ts';
import { createSeededRandom } from '../../support/virtual-clock.ts';

const signal = new AbortController().signal;
let cluster: MemoryCluster;
let api: TestApi;

beforeEach(async () => {
  cluster = await createMemoryCluster({ workers: 0 });
  api = await listenApi(cluster.reconciler.control);
});
afterEach(async () => {
  await api.close();
  expect(cluster.fatal).toEqual([]);
  await cluster.close();
});

/** Starts the reconciler anew, with an API on top. */
async function restart(): Promise<void> {
  await api.close();
  await cluster.restartReconciler();
  api = await listenApi(cluster.reconciler.control);
}
const claim = (token: string, name: string, attempt?: string) =>
  api.client.join({ token, name, ip: '127.0.0.9', version: '1', ...(attempt && { attempt }) }, signal);
const problemOf = async (work: Promise<unknown>): Promise<Problem | undefined> => {
  const error: unknown = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  return isProblemError(error) ? error.problem : undefined;
};
const codeOf = async (work: Promise<unknown>) => (await problemOf(work))?.code;
const token = async (wish: Parameters<TestApi['client']['createToken']>[0] = {}) =>
  (await api.client.createToken(wish, signal)).token;
const stateOf = (name: string): NodeState | undefined =>
  cluster.reconciler.control.nodes().find((node) => node.name === name)?.state;

/** One message of an agent of this node, with this session. */
async function speak(id: string, session = 's1'): Promise<void> {
  const bus = cluster.broker.client(id, { kind: 'node', id });
  const message: OnlineMessage = { v: 1, online: true, boot: 'b', session };
  const connected = () => bus.publish(topic(id, 'online'), JSON.stringify(message), { qos: 1, retain: true });
  bus.open({ subscribe: [] }, { connected, disconnected: () => undefined, message: () => undefined });
  await cluster.clock.advance(100);
}

describe('a join token', () => {
  it.each([
    ['different names', (index: number) => `w${index}`, () => undefined],
    ['one name', () => 'w', (index: number) => index.toString(16).padStart(64, '0')],
  ])('is good for exactly one of 100 that use it at once, with %s', async (_what, name, attempt) => {
    const once = await token();
    const uses = Array.from({ length: 100 }, (_, index) => claim(once, name(index), attempt(index)));
    const codes = await Promise.all(uses.map(codeOf));
    expect(codes.filter((code) => code === undefined)).toHaveLength(1);
    expect(codes.filter((code) => code === 'TOKEN_INVALID')).toHaveLength(99);
    expect(Object.keys(cluster.records.nodes)).toHaveLength(1);
    expect(await codeOf(claim(once, 'later'))).toBe('TOKEN_INVALID');
    await restart();
    expect(await codeOf(claim(once, 'later'))).toBe('TOKEN_INVALID');
  });

  it('is good for as many as it says, each with an ordinal of its own', async () => {
    const five = await token({ uses: 5 });
    const joined = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => claim(five, `w${index}`)));
    const ordinals = joined.flatMap((one) => (one.status === 'fulfilled' ? [one.value.ordinal] : []));
    expect(ordinals.sort()).toEqual([0, 1, 2, 3, 4]);
  });

  it('is not spent when the disk refuses', async () => {
    const once = await token();
    cluster.disk.full = true;
    const codes = await Promise.all([claim(once, 'a'), claim(once, 'a'), claim(once, 'b')].map(codeOf));
    expect(codes.slice(0, 2)).toEqual(['FILE_UNWRITABLE', 'FILE_UNWRITABLE']);
    expect(codes[2]).not.toBe(undefined);
    cluster.disk.full = false;
    expect((await claim(once, 'b')).name).toBe('b');
  });

  it('is listed without its secret, and is worthless once revoked', async () => {
    const made = await api.client.createToken({ name: 'w', uses: 2, ttl: 60_000, actor: 'ann' }, signal);
    const [, id = '', secret = 'none'] = made.token.split('.');
    expect(await api.client.tokens(signal)).toEqual([
      { id, state: 'valid', name: 'w', uses: 2, expires: made.expires, created: made.expires - 60_000, by: 'ann' },
    ]);
    expect(JSON.stringify([await api.client.tokens(signal), cluster.records.tokens])).not.toContain(secret);
    await claim(made.token, 'w');
    for (let times = 0; times < 2; times += 1) {
      expect(await api.client.revokeToken(id, 'ann', signal)).toEqual({ revoked: id });
      expect(await problemOf(claim(made.token, 'w'))).toMatchObject({ message: 'the join token was revoked' });
      expect(await api.client.tokens(signal)).toMatchObject([{ id, state: 'revoked', uses: 1 }]);
      await restart();
    }
    await cluster.clock.advance(60_000);
    expect(await api.client.tokens(signal)).toEqual([]);
    expect(await codeOf(api.client.revokeToken('0123456789ab', 'ann', signal))).toBe('NOT_FOUND');
    expect(await codeOf(api.client.revokeToken('__proto__', 'ann', signal))).toBe('NOT_FOUND');
  });

  it('is refused when it has expired, is for another name, or holds another secret', async () => {
    const short = await token({ ttl: 1_000 });
    const bound = await token({ name: 'w' });
    await cluster.clock.advance(1_000);
    expect((await problemOf(claim(short, 'w')))?.message).toBe('the join token has expired');
    expect((await problemOf(claim(bound, 'x')))?.message).toBe('the join token is for the node w');
    const [kind, id, , pin] = bound.split('.');
    expect(await codeOf(claim([kind, id, 'A'.repeat(43), pin].join('.'), 'w'))).toBe('TOKEN_INVALID');
    expect((await claim(bound, 'w')).name).toBe('w');
  });
});

describe('an answer that was lost', () => {
  const agent = (files = createMemoryFiles(), seed = 1) => {
    const random = createSeededRandom(seed);
    const join = (joinToken: string, name = 'w') =>
      loadOrJoin(
        {
          files,
          clock: cluster.clock,
          random,
          connect: () => createApiClient({ url: api.url }),
          askTls: () => Promise.reject(new Error('asked for TLS')),
        },
        { name, ip: '127.0.0.9', version: '1', token: joinToken },
        signal,
      );
    /** Its disk takes everything but the identity, as if the power went just then. */
    const losing = (joinToken: string) => {
      const { write } = files;
      files.write = (name, text) =>
        name.startsWith('identity') ? Promise.reject(new Error('power cut')) : write(name, text);
      return join(joinToken).finally(() => {
        files.write = write;
      });
    };
    return { files, join, losing };
  };

  it.each([false, true])(
    'is given again to the agent that asked, and nothing is spent twice (restart: %s)',
    async (anew) => {
      const once = await token();
      const machine = agent();
      await expect(machine.losing(once)).rejects.toThrow('power cut');
      const [id] = Object.keys(cluster.records.nodes);
      if (anew) await restart();
      expect(await codeOf(agent(createMemoryFiles(), 2).join(once))).toBe('TOKEN_INVALID');
      expect(await codeOf(machine.join(once, 'another'))).toBe('TOKEN_INVALID');
      const identity = await machine.join(once);
      expect(identity).toMatchObject({ id, ordinal: 0, mqtt: { username: id, password: `1.${id}` } });
      expect(Object.keys(cluster.records.nodes)).toEqual([id]);
      expect([...machine.files.content.keys()]).toEqual(['identity']);
    },
  );

  it.each([false, true])('is given to nobody once the node was heard (restart: %s)', async (anew) => {
    const once = await token({ uses: 2 });
    const { id } = await claim(once, 'w');
    await speak(id);
    if (anew) await restart();
    expect(await codeOf(claim(once, 'w'))).toBe('NAME_TAKEN');
    expect(Object.keys(cluster.records.nodes)).toEqual([id]);
    expect(cluster.records.tokens).toMatchObject({ [once.split('.')[1] ?? '']: { uses: 1 } });
  });

  it('is made good by a new token for that name, which ends the credential that was lost', async () => {
    const machine = agent();
    await expect(machine.losing(await token())).rejects.toThrow('power cut');
    const [id = ''] = Object.keys(cluster.records.nodes);
    expect(await codeOf(claim(await token(), 'w'))).toBe('NAME_TAKEN');
    const identity = await agent(createMemoryFiles(), 2).join(await token({ name: 'w' }));
    expect(identity).toMatchObject({ id, ordinal: 0, mqtt: { password: `2.${id}` } });
    await speak(id);
    expect(await codeOf(token({ name: 'w' }))).toBe('NAME_TAKEN');
  });

  it('is given to nobody once the node was revoked', async () => {
    const once = await token();
    await claim(once, 'w');
    await api.client.revoke('w', signal);
    expect(await codeOf(claim(once, 'w'))).toBe('TOKEN_INVALID');
  });
});

describe('nodes rm', () => {
  const rm = (name: string, force?: boolean) => api.client.removeNode(name, { ...(force && { force }) }, signal);
  const web = (replicas: number) => ({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas }]) });

  it('refuses while copies are there, and says which', async () => {
    const node = await cluster.join('w');
    await cluster.push(web(2));
    await cluster.clock.until(() => cluster.running().length === 2, 60_000, 'two copies');
    const refused = await problemOf(rm('w'));
    expect(refused).toMatchObject({ code: 'REFUSED', subject: 'node/w' });
    expect(refused?.message).toMatch(/^w still has 2 copies: shop\.default\.web\.default\.instance\.0\/\d+\.\d+, shop/);
    expect(refused?.hint).toContain('oakctl nodes drain w');
    expect((await problemOf(rm('w', true)))?.message).toContain('it is online: --force is for lost nodes');

    node.kill();
    await cluster.clock.until(() => stateOf('w') === 'lost', 120_000, 'lost');
    expect((await problemOf(rm('w')))?.hint).toContain('--force');
    expect(await rm('w', true)).toEqual({ removed: 'w' });
    expect(stateOf('w')).toBeUndefined();
  });

  it('forgets the node and every row of it; its name is free, its ordinal and serial are not', async () => {
    const node = await cluster.join('w');
    await cluster.push(web(1));
    await cluster.clock.until(() => cluster.running().length === 1, 60_000, 'a copy');
    await cluster.join('v');
    await cluster.clock.until(() => stateOf('v') === 'online', 60_000, 'another node');
    await cluster.push({ 'oakctl.yaml': '' });
    for (const hold of await api.client.holds(signal)) if (hold.id) await api.client.approve({ id: hold.id }, signal);
    await cluster.clock.until(() => cluster.running().length === 0, 60_000, 'no copy');
    // What git removes can be brought back for a while.
    await cluster.clock.until(() => cluster.reconciler.control.instances().length === 0, 900_000, 'nothing reported');

    expect(await rm('w')).toEqual({ removed: 'w' });
    await cluster.clock.advance(1_000);
    expect([...cluster.broker.retained.keys()].filter((row) => row.includes(node.id))).toEqual([]);
    expect(cluster.records.nodes[node.id]).toMatchObject({ ordinal: 0, serial: 1, removed: expect.any(Number) });
    expect(await codeOf(rm('w'))).toBe('NOT_FOUND');
    expect(cluster.reconciler.control.nodes().map(({ name }) => name)).toEqual(['v']);
    await restart();
    expect(cluster.broker.admits(node.id)).toBe(false);
    expect(cluster.reconciler.control.nodes().map(({ name }) => name)).toEqual(['v']);
    const again = await claim(await token({ name: 'w' }), 'w');
    expect(again.ordinal).toBe(2);
    expect(again.id).not.toBe(node.id);
  });

  it('waits for who has not told what it carries, and not for who never came', async () => {
    const node = await cluster.join('w');
    await cluster.clock.until(() => stateOf('w') === 'online', 60_000, 'online');
    await claim(await token(), 'ghost');
    expect(await rm('ghost')).toEqual({ removed: 'ghost' });
    node.kill();
    await api.close();
    cluster.killReconciler();
    await cluster.startReconciler();
    api = await listenApi(cluster.reconciler.control);
    expect((await problemOf(rm('w')))?.message).toBe('w has not told what it carries');
  });

  it('means the node that lives, not a revoked one of the same name', async () => {
    const first = await cluster.join('w');
    first.kill();
    await api.client.revoke('w', signal);
    await claim(await token(), 'w');
    expect(
      cluster.reconciler.control
        .nodes()
        .map(({ state }) => state)
        .sort(),
    ).toEqual(['revoked', 'suspect']);
    await rm('w');
    expect(cluster.reconciler.control.nodes().map(({ id, state }) => [id, state])).toEqual([[first.id, 'revoked']]);
    await rm('w');
    expect(cluster.reconciler.control.nodes()).toEqual([]);
  });
});

describe('the place of a node', () => {
  const name = 'edge-7';
  const place = { name, replace: true, force: true } as const;

  it('is given to one of 20 that come at once, and asked for by nobody else', async () => {
    const first = await claim(await token(), name);
    expect(await codeOf(token({ replace: true }))).toBe('BAD_REQUEST');
    expect(await codeOf(token({ ...place, uses: 2 }))).toBe('BAD_REQUEST');
    expect(await codeOf(token({ ...place, name: 'edge-8' }))).toBe('NOT_FOUND');
    expect(await codeOf(token({ name }))).toBe(undefined);
    const once = await token(place);
    const register = api.client.register({ id: '', name, ip: '10.0.0.1', port: '0' }, once, signal);
    expect(await codeOf(register)).toBe('TOKEN_INVALID');
    const uses = Array.from({ length: 20 }, (_, index) => claim(once, name, index.toString(16).padStart(64, '0')));
    const joined = (await Promise.allSettled(uses)).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(joined).toHaveLength(1);
    expect(joined[0]?.ordinal).toBe(first.ordinal);
    expect(joined[0]?.id).not.toBe(first.id);
    expect(cluster.reconciler.control.nodes()).toHaveLength(1);
    expect((await api.client.tokens(signal)).filter(({ replaces }) => replaces)).toMatchObject([{ name, uses: 0 }]);
  });

  it('is what a credential says, as long as it is good', async () => {
    const { id } = await claim(await token(), name);
    const password = `1.${id}`;
    expect(await api.client.standing({ node: id, password }, signal)).toEqual({ node: name });
    expect(await codeOf(api.client.standing({ node: id, password: '1.guess' }, signal))).toBe('UNAUTHORIZED');
    expect(await codeOf(api.client.standing({ node: 'nobody', password: '1.nobody' }, signal))).toBe('REVOKED');
    await api.client.revoke(name, signal);
    const found = await problemOf(api.client.standing({ node: id, password }, signal));
    expect(found).toMatchObject({ code: 'REVOKED', message: expect.stringContaining(`${name} was revoked on`) });
  });
});
