import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

const one = (name: string, more: object = {}): string => descriptor([{ microservice_name: name, ...more }]);
const texts = (files: Readonly<Record<string, string>>) =>
  Object.entries(files).map(([file, text]) => ({ file, text }));

/** A plan that somebody looked at is carried out as it was, or not at all. */
describe('the token of a plan', () => {
  let cluster: MemoryCluster;
  const { service, settled, outcome, node } = tell(() => cluster);
  const documents = texts({ 'cache.yaml': one('cache', { replicas: 2 }) });
  const plan = async () => (await cluster.reconciler.control.plan({ documents })).token ?? '';
  const carryOut = (token: string) => cluster.reconciler.control.deploy({ documents, plan: token });

  beforeEach(async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'web.yaml': one('web') });
    await settled('web');
  });
  afterEach(async () => {
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('lets it be carried out, also later, after a restart, and twice', async () => {
    const token = await plan();
    expect(token).toMatch(/^[0-9a-f]{16}\.[0-9a-f]{16}$/);
    await cluster.clock.advance(3_600_000);
    await cluster.restartReconciler();
    // Until it has heard of all of them: a node that is silent is none that could take something.
    await cluster.clock.advance(20_000);
    expect(await plan()).toBe(token);
    await carryOut(token);
    await settled('cache');
    // It is done: what it said then is not what it would say now.
    await expect(carryOut(token)).rejects.toThrow(/the state has moved on/);
    await carryOut(await plan());
  });

  it.each([
    ['the sources have', 'a commit', () => cluster.push({ 'web.yaml': one('web', { replicas: 2 }) })],
    [
      'the state has',
      'another version of it',
      async () => {
        await cluster.reconciler.control.deploy({
          documents: texts({ 'c.yaml': one('cache', { code: 'oakctl/test:2' }) }),
        });
      },
    ],
    [
      'the state has',
      'a cordon of its node',
      async () => {
        const { changes } = await cluster.reconciler.control.plan({ documents });
        const id = cluster.nodes.find(({ name }) => name === changes[0]?.node)?.id ?? '';
        await cluster.reconciler.control.cordon(id, { actor: 'ann' });
      },
    ],
    [
      'the state has',
      'the loss of a node that counts',
      async () => {
        node(1).kill(true);
        node(2).kill(true);
        await cluster.clock.advance(60_000);
      },
    ],
  ])('refuses it: %s moved on by %s', async (moved, _, change) => {
    const token = await plan();
    const before = outcome('cache');
    await change();
    await expect(carryOut(token)).rejects.toMatchObject({
      problems: [{ code: 'REFUSED', message: expect.stringContaining(moved) }],
    });
    if (before === undefined && moved === 'the sources have') expect(outcome('cache')).toBeUndefined();
    expect(outcome('web')).toBeDefined();
    expect(cluster.records.direct[service('cache')]?.spec.replicas).not.toBe(2);
  });
});
