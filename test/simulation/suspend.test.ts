import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

/** What somebody wants left alone: nothing about it changes by itself, it is shown, and it ends. */
describe('suspend', () => {
  let cluster: MemoryCluster;
  const { service, settled, outcome, instancesOf, count, node, holds } = tell(() => cluster);
  const control = () => cluster.reconciler.control;
  const web = service('web');
  const push = (version: number, replicas = 3) =>
    cluster.push({
      'web.yaml': descriptor([{ microservice_name: 'web', replicas, code: `oakctl/test:${version}` }]),
    });
  const minutes = (n: number): Promise<void> => cluster.clock.advance(n * 60_000);
  const image = (): string | undefined => control().service(web)?.image;
  const codes = (): string[] =>
    cluster.nodes.flatMap(({ runtime }) =>
      [...runtime.copies.values()].flatMap((copy) =>
        copy.state === 'running' ? [runtime.runOf(copy)?.code ?? ''] : [],
      ),
    );

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-60).join('\n'));
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it.each(['cluster', 'shop.default', web])(
    '%s: over a push, a loss and a restart, until its time is over',
    async (subject) => {
      cluster = await createMemoryCluster({});
      await push(1);
      await settled('web');
      const before = cluster.handles();
      const answer = await control().suspend(subject, { actor: 'ann', reason: 'repair', for: 1_800_000 });
      expect(answer).toMatchObject({ subject, changed: true, suspended: { subject, actor: 'ann', reason: 'repair' } });
      const known = { subject, actor: 'ann', reason: 'repair', until: answer.suspended?.until };
      await push(2);
      await minutes(2);
      expect(image()).toBe('oakctl/test:2');
      expect(outcome('web')).toBe('held');
      expect(cluster.handles()).toEqual(before);
      expect(control().status().suspended).toMatchObject([known]);
      expect(control().service(web)?.suspended).toMatchObject(known);
      expect(control().why(web).because).toMatchObject([{ code: 'SUSPENDED', hint: `oakctl resume ${subject}` }]);
      await cluster.restartReconciler();
      node(0).kill(true);
      await minutes(10);
      expect(control().status().suspended).toMatchObject([known]);
      expect(instancesOf('web').every((line) => before.has(line.split(' ')[1] ?? ''))).toBe(true);
      await minutes(20);
      await settled('web');
      expect(control().status().suspended).toEqual([]);
      expect(new Set(codes())).toEqual(new Set(['oakctl/test:2']));
      expect(cluster.records.suspends).toEqual({});
    },
  );

  it('heals crashes in place, and refuses verbs that would wait unseen', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    await push(1, 1);
    await settled('web');
    await control().suspend(web, { actor: 'ann', reason: 'look' });
    const [copy] = node(0).runtime.copies.values();
    if (!copy) throw new Error('nothing runs');
    node(0).runtime.exit(copy, 1);
    await count('web', 1);
    for (const verb of [
      control().scale(web, 2, { actor: 'bob' }),
      control().stop(web, { actor: 'bob' }),
      control().restart(web, undefined, 'bob'),
      control().replicate(`${web}.instance.0`, undefined, 'bob'),
    ])
      await expect(verb).rejects.toThrow(/suspended by ann/);
    expect(control().overrides()).toEqual([]);
  });

  it('ends by resume, exactly there where it began', async () => {
    cluster = await createMemoryCluster({});
    await push(1);
    await settled('web');
    await control().suspend('shop.default', { actor: 'ann' });
    await expect(control().resume(web, 'bob')).rejects.toThrow(/suspended with shop.default/);
    await push(2);
    expect(await control().resume('shop.default', 'bob')).toEqual({ subject: 'shop.default', changed: true });
    expect(await control().resume('shop.default', 'bob')).toEqual({ subject: 'shop.default', changed: false });
    await settled('web');
    expect(new Set(codes())).toEqual(new Set(['oakctl/test:2']));
  });

  it('a node: its copies stay through a long absence, nothing new comes, the others go on', async () => {
    cluster = await createMemoryCluster({});
    await push(1);
    await settled('web');
    const { id, name } = node(0);
    const here = instancesOf('web').filter((line) => line.startsWith(`${name} `));
    expect(here.length).toBeGreaterThan(0);
    const answer = await control().suspend(`node/${id}`, { actor: 'ann', reason: 'new disk', for: 3_600_000 });
    expect(answer.subject).toBe(`node/${name}`);
    node(0).kill();
    await minutes(5);
    expect(control().node(name)).toMatchObject({ state: 'lost', suspended: { reason: 'new disk' } });
    expect(instancesOf('web')).toHaveLength(3);
    await cluster.restartReconciler();
    await minutes(5);
    expect(instancesOf('web')).toHaveLength(3);
    expect(holds()).toContain('SUSPENDED');
    await node(0).start();
    await settled('web');
    expect(instancesOf('web')).toEqual(expect.arrayContaining(here));
    await control().resume(`node/${id}`, 'ann');
    expect(control().node(name)?.suspended).toBeUndefined();
  });

  it('that the disk refuses is none', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    await push(1, 1);
    await settled('web');
    cluster.disk.full = true;
    await expect(control().suspend(web, { actor: 'ann' })).rejects.toThrow();
    cluster.disk.full = false;
    expect(control().status().suspended).toEqual([]);
    await push(2, 1);
    await settled('web');
  });
});
