/** A machine takes the place of a node. */
import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import type { MemoryNode } from '../support/memory-node.ts';
import { tell } from '../support/memory-story.ts';

describe('a machine that takes the place of a node', () => {
  let cluster: MemoryCluster;
  const { settled, instancesOf, holds, node } = tell(() => cluster);
  const invite = (wish: object = {}) =>
    cluster.reconciler.control.createToken({ name: 'worker-2', replace: true, ...wish });
  const enter = (token: string): Promise<MemoryNode> => cluster.enter('worker-2', token);
  const view = (name = 'worker-2') => cluster.reconciler.control.nodes().find((one) => one.name === name);
  const events = (kind: string): string[] => cluster.log.filter((line) => line.includes(` info ${kind} `));
  const taken = (machine: MemoryNode) =>
    cluster.clock.until(() => view()?.id === machine.id && view()?.state === 'online', 60_000, 'the new machine');
  /** `<node> <instance>`: where what is. */
  const places = (name: string): string[] => instancesOf(name).map((line) => line.replace(/\/[^/]*$/, ''));
  const start = async (): Promise<MemoryNode> => {
    cluster = await createMemoryCluster({ workers: 3 });
    const agent = { microservice_name: 'agent', replicas: 'every' };
    await cluster.push({ 'shop.yaml': descriptor([{ microservice_name: 'web', replicas: 3 }, agent]) });
    await settled('web', 'agent');
    return node(1);
  };

  afterEach(async () => {
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('gets its name, ordinal, labels and instances; the old one is refused when it returns', async () => {
    const old = await start();
    const nodes = [1, 2, 3].map((n) => `- node: {hostname: worker-${n}, labels: {rack: r${n}}}\n`).join('');
    const text = descriptor([
      { microservice_name: 'web', replicas: 3 },
      { microservice_name: 'agent', replicas: 'every' },
    ]);
    await cluster.push({ 'nodes.yaml': nodes, 'shop.yaml': text });
    const before = [...places('web'), ...places('agent')].sort();
    const handles = cluster.handles();
    old.kill(true);
    await cluster.clock.advance(1_000);
    const { token, replaces } = await invite();
    expect(replaces).toMatchObject({ node: 'worker-2', state: 'suspect', data: [] });
    const machine = await enter(token);
    await machine.start();
    await taken(machine);
    await settled('web', 'agent');
    expect([...places('web'), ...places('agent')].sort()).toEqual(before);
    expect(view()).toMatchObject({ labels: { rack: 'r2' }, listed: true, instances: 2 });
    const [first, second] = [old, machine].map(({ id }) => cluster.records.nodes[id]);
    expect(second?.ordinal).toBe(first?.ordinal);
    expect(first).toMatchObject({ heir: machine.id, revoked: expect.any(Number) });
    // What ran elsewhere runs on.
    for (const [copy, handle] of handles) {
      if (cluster.handles().has(copy)) expect(cluster.handles().get(copy)).toBe(handle);
    }
    expect(cluster.handles().size).toBe(handles.size);

    await old.start();
    await cluster.clock.advance(30_000);
    cluster.reconciler.forgotten(old.id);
    expect(view()?.problems).toMatchObject([
      { code: 'REVOKED', message: expect.stringContaining('asked to be let in') },
    ]);
    cluster.reconciler.forgotten(old.id);
    expect(events('node_refused')).toHaveLength(1);
    expect(events('node_replaced')).toHaveLength(1);
    expect(() => cluster.reconciler.control.standing(old.id, `1.${old.id}`)).toThrow(/another machine took the place/);
    expect(cluster.reconciler.control.standing(machine.id, `1.${machine.id}`)).toEqual({ node: 'worker-2' });
    expect(() => cluster.reconciler.control.standing(machine.id, `1.${old.id}`)).toThrow(/no credential/);
    await cluster.restartReconciler();
    await settled('web', 'agent');
    expect(view()?.id).toBe(machine.id);
    expect(cluster.reconciler.control.nodes()).toHaveLength(3);
    // The old one runs what it ran, and nobody counts that.
    const counted = cluster.reconciler.control.instances().flatMap(({ others = [], ...one }) => [one, ...others]);
    expect(counted).toHaveLength(6);
    expect(counted.every(({ healthy }) => healthy)).toBe(true);
    expect([...machine.runtime.copies.values()].filter(({ state }) => state === 'running')).toHaveLength(2);
  });

  it('changes nothing before it has reported, over a restart too; what never comes changes nothing', async () => {
    const old = await start();
    await expect(invite()).rejects.toThrow(/is online/);
    const before = cluster.handles();
    await invite({ force: true, ttl: 1_000 });
    await cluster.clock.advance(60_000);
    const { token } = await invite({ force: true });
    const machine = await enter(token);
    // It is no node yet, and has nothing to exchange; those that are here say nothing of keys.
    const rotated = await cluster.reconciler.control.rotateKeys({ kind: 'node', all: true });
    expect([rotated.nodes, rotated.skipped.length]).toEqual([[], 3]);
    await cluster.clock.advance(60_000);
    await cluster.restartReconciler();
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
    expect(view()).toMatchObject({ id: old.id, state: 'online' });
    expect(cluster.reconciler.control.nodes()).toHaveLength(3);
    await machine.start();
    await taken(machine);
    await settled('web', 'agent');
    expect(places('web').filter((line) => line.startsWith('worker-2'))).not.toEqual([]);
  });

  it('is one: tokens are good once, the last one counts, and only for the place as it is', async () => {
    const old = await start();
    old.kill(true);
    await cluster.clock.advance(1_000);
    const [first, second] = [await invite(), await invite()];
    await expect(enter(first.token)).rejects.toThrow(/was revoked/);
    await expect(cluster.enter('worker-9', second.token)).rejects.toThrow(/for the node worker-2/);
    const late = await enter(second.token);
    // The same machine lost the answer; another one comes with the same token.
    expect((await cluster.enter('worker-2', second.token)).id).toBe(late.id);
    const attempt = { token: second.token, name: 'worker-2', ip: '1.2.3.4', version: '', attempt: '0'.repeat(64) };
    await expect(cluster.reconciler.control.join(attempt, '1.2.3.4')).rejects.toThrow(/used up/);
    const third = await invite();
    const machine = await enter(third.token);
    await machine.start();
    await taken(machine);
    await expect(invite()).rejects.toThrow(/is online/);
    machine.kill(true);
    await cluster.clock.advance(1_000);
    const stale = await invite();
    await cluster.reconciler.control.removeNode('worker-2', {}).catch(() => undefined);
    await cluster.clock.advance(60_000);
    await cluster.reconciler.control.removeNode('worker-2', { force: true });
    await expect(enter(stale.token)).rejects.toThrow(/was removed/);
    await expect(invite()).rejects.toThrow(/nothing to replace/);
  });

  it('goes with the node whose place it waits for', async () => {
    const old = await start();
    const { token } = await invite({ force: true });
    const machine = await enter(token);
    await cluster.reconciler.control.revoke('worker-2');
    await machine.start();
    await cluster.clock.advance(60_000);
    expect(view()?.state).toBe('revoked');
    expect(Object.values(cluster.records.nodes).filter(({ revoked }) => revoked === undefined)).toHaveLength(2);
    expect(cluster.records.nodes[old.id]?.heir).toBeUndefined();
  });

  it.each([false, true])(
    'has no data: its instances wait, or start empty if that was said (%s)',
    async (acceptEmptyVolume) => {
      cluster = await createMemoryCluster({ workers: 2 });
      const volumes = [{ name: 'data', mount_path: '/data' }];
      const constraints = [{ type: 'direct', node: 'worker-2' }];
      await cluster.push({ 'db.yaml': descriptor([{ microservice_name: 'db', volumes, constraints }]) });
      await settled('db');
      node(1).kill(true);
      await cluster.clock.advance(1_000);
      const { token, replaces } = await invite({ acceptEmptyVolume });
      expect(replaces?.data).toEqual(acceptEmptyVolume ? [] : ['shop.default.db.default.instance.0']);
      const machine = await enter(token);
      await machine.start();
      await taken(machine);
      await cluster.clock.advance(30_000);
      if (!acceptEmptyVolume) {
        expect(instancesOf('db')).toEqual([]);
        const hold = cluster.reconciler.control.holds().find(({ code }) => code === 'VOLUME_ON_LOST_NODE');
        expect(hold?.message).toContain('the machine that worker-2 was before it was replaced');
        await cluster.restartReconciler();
        await cluster.clock.advance(40_000);
        expect(holds()).toContain('VOLUME_ON_LOST_NODE');
        const how = { acceptEmptyVolume: true };
        await cluster.reconciler.control.move('shop.default.db.default.instance.0', machine.id, 'ann', how);
      }
      await settled('db');
      expect(places('db')).toEqual(['worker-2 shop.default.db.default.instance.0']);
    },
  );

  it('has no data: an instance that belongs to it waits, until its volumes may be empty', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    const volumes = [{ name: 'data', mount_path: '/data' }];
    const push = (portable: boolean) => {
      const db = { microservice_name: 'db', volumes: volumes.map((one) => ({ ...one, portable })), replicas: 'every' };
      return cluster.push({ 'db.yaml': descriptor([db]) });
    };
    await push(false);
    await settled('db');
    node(1).kill(true);
    await cluster.clock.advance(1_000);
    const machine = await enter((await invite()).token);
    await machine.start();
    await taken(machine);
    await cluster.clock.advance(30_000);
    expect(instancesOf('db')).toHaveLength(1);
    const hold = cluster.reconciler.control.holds().find(({ code }) => code === 'VOLUME_ON_LOST_NODE');
    expect(hold?.message).toContain('the machine that worker-2 was before it was replaced');
    await push(true);
    await settled('db');
    expect(instancesOf('db')).toHaveLength(2);
  });
});
