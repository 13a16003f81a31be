import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OnlineMessage } from '../../schemas/messages.ts';
import { topic } from '../../schemas/topics.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';

let cluster: MemoryCluster;

beforeEach(async () => {
  cluster = await createMemoryCluster({ workers: 0 });
});
afterEach(async () => {
  expect(cluster.fatal).toEqual([]);
  await cluster.close();
});

/** One message of an agent of this node, with this session. */
async function speak(id: string, session: string): Promise<void> {
  const bus = cluster.broker.client(id, { kind: 'node', id });
  const message: OnlineMessage = { v: 1, online: true, boot: 'b', session };
  const connected = () => bus.publish(topic(id, 'online'), JSON.stringify(message), { qos: 1, retain: true });
  bus.open({ subscribe: [] }, { connected, disconnected: () => undefined, message: () => undefined });
  await cluster.clock.advance(100);
}

describe('two agents with one identity', () => {
  const problems = () => cluster.reconciler.control.nodes().map((node) => node.problems.map(({ code }) => code));
  const conditions = () =>
    cluster.reconciler.control.status().conditions.filter(({ code }) => code === 'DUPLICATE_NODE');

  const online = () =>
    cluster.clock.until(() => cluster.reconciler.control.nodes()[0]?.state === 'online', 60_000, 'online');

  it('are shown, get nothing new, and are forgotten two minutes after one of them went', async () => {
    const node = await cluster.join('w');
    await online();
    cluster.reconciler.contested(node.id, '10.0.0.9');
    expect(problems()).toEqual([['DUPLICATE_NODE']]);
    expect(conditions()).toMatchObject([{ code: 'DUPLICATE_NODE', subject: 'node/w' }]);
    expect(conditions()[0]?.message).toContain('10.0.0.9');
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web' }]) });
    await cluster.clock.advance(60_000);
    expect(cluster.reconciler.control.holds()).toMatchObject([{ code: 'NODES_DUPLICATED' }]);
    expect(cluster.running()).toEqual([]);

    cluster.reconciler.contested(node.id, '10.0.0.9');
    await cluster.clock.advance(119_000);
    expect(problems()).toEqual([['DUPLICATE_NODE']]);
    await cluster.clock.advance(1_000);
    expect(problems()).toEqual([[]]);
    expect(conditions()).toEqual([]);
    await cluster.clock.until(() => cluster.running().length === 1, 60_000, 'placed');
  });

  it('are seen by their sessions, whatever the broker is', async () => {
    const { control } = cluster.reconciler;
    const { token } = await control.createToken({});
    const { id } = await control.join({ token, name: 'w', ip: '127.0.0.9', version: '1' }, '127.0.0.9');
    for (const session of ['a', 'b', 'a']) await speak(id, session);
    expect(problems()[0]).not.toContain('DUPLICATE_NODE');
    await speak(id, 'b');
    expect(problems()[0]).toContain('DUPLICATE_NODE');
    await cluster.clock.advance(90_000);
    await speak(id, 'a');
    await cluster.clock.advance(90_000);
    expect(problems()[0]).toContain('DUPLICATE_NODE');
    await cluster.clock.advance(40_000);
    expect(problems()[0]).not.toContain('DUPLICATE_NODE');
  });

  it('do not outlive the node', async () => {
    const node = await cluster.join('w');
    await online();
    cluster.reconciler.contested(node.id, '10.0.0.9');
    await cluster.reconciler.control.revoke('w');
    cluster.reconciler.contested(node.id, '10.0.0.9');
    await cluster.clock.advance(200_000);
    expect(conditions()).toEqual([]);
  });
});
