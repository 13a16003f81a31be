import { afterEach, describe, expect, it } from 'vitest';
import { parseJoinToken } from '../../schemas/join-token.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

describe('joining', () => {
  let cluster: MemoryCluster;
  const { settled, instancesOf, count, node } = tell(() => cluster);
  const join = (token: string, name: string) =>
    cluster.reconciler.control.join({ token, name, ip: '127.0.0.9', version: '0.1.0' }, '127.0.0.9');
  const create = (request: object = {}) => cluster.reconciler.control.createToken(request);

  afterEach(async () => {
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('takes a token as often as it says, for its name, in its time, also after a restart', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const once = await create();
    await join(once.token, 'a');
    await expect(join(once.token, 'b')).rejects.toThrow(/used up/);
    const named = await create({ name: 'c' });
    await expect(join(named.token, 'd')).rejects.toThrow(/for the node c/);
    const short = await create({ ttl: 1_000 });
    await cluster.clock.advance(1_001);
    await expect(join(short.token, 'e')).rejects.toThrow(/expired/);
    const twice = await create({ uses: 2 });
    await join(twice.token, 'f');
    await cluster.restartReconciler();
    await join(twice.token, 'g');
    await expect(join(twice.token, 'h')).rejects.toThrow(/used up/);
    await cluster.restartReconciler();
    await expect(join(twice.token, 'h')).rejects.toThrow(/used up|unknown/);
    const names = cluster.reconciler.control.nodes().map((one) => one.name);
    expect(names.sort()).toEqual(['a', 'f', 'g', 'worker-1']);
    const secrets = [once, named, short, twice].map(({ token }) => parseJoinToken(token).secret);
    for (const secret of secrets) expect(JSON.stringify(cluster.records)).not.toContain(secret);
  });

  it('refuses names that are taken, bad, or from another cluster; ordinals are never used again', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const { token } = await create({ uses: 9 });
    await expect(join(token, 'WORKER-1')).rejects.toThrow(/has joined already/);
    await expect(join(token, 'a.b')).rejects.toThrow(/not allowed/);
    await expect(
      join(
        token.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
        'x',
      ),
    ).rejects.toThrow(/another cluster/);
    const first = await join(token, 'x');
    await cluster.reconciler.control.revoke('x');
    const second = await join(token, 'x');
    expect(second.id).not.toBe(first.id);
    expect(second.ordinal).toBe(first.ordinal + 1);
  });

  it('that could not be written leaves name and token free', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const { token } = await create();
    cluster.disk.full = true;
    await expect(join(token, 'x')).rejects.toThrow(/no space/);
    cluster.disk.full = false;
    await cluster.clock.advance(5_000);
    expect(cluster.reconciler.control.nodes().map((one) => one.name)).toEqual(['worker-1']);
    await join(token, 'x');
    await cluster.restartReconciler({ between: () => cluster.clock.advance(20_000) });
    expect(
      Object.values(cluster.records.nodes)
        .map((one) => one.name)
        .sort(),
    ).toEqual(['worker-1', 'x']);
  });

  it.each([false, true])('that is revoked before it is written is no node (the disk refuses: %s)', async (refuses) => {
    cluster = await createMemoryCluster({ workers: 1 });
    const { token } = await create({ name: 'x' });
    await join(token, 'x');
    const later = await create({ name: 'x' });
    let revoked: Promise<unknown> | undefined;
    cluster.disk.onSave = (_number, moment) => {
      if (moment !== 'before' || revoked) return;
      revoked = cluster.reconciler.control.revoke('x').catch(() => undefined);
      cluster.disk.full = refuses;
    };
    await expect(join(later.token, 'x')).rejects.toThrow(refuses ? /no space/ : /revoked meanwhile/);
    cluster.disk.full = false;
    await revoked;
    await cluster.clock.advance(5_000);
    expect(cluster.reconciler.control.nodes().map(({ name, state }) => [name, state])).toEqual([
      ['worker-1', 'online'],
      ['x', 'revoked'],
    ]);
    expect(Object.values(cluster.records.nodes).filter((one) => one.revoked === undefined)).toHaveLength(1);
  });

  it('gives a service on every node its instance, which waits for a node that is away', async () => {
    cluster = await createMemoryCluster({ workers: 3 });
    await cluster.push({ 'agent.yaml': descriptor([{ microservice_name: 'agent', replicas: 'every' }]) });
    await settled('agent');
    expect(instancesOf('agent')).toHaveLength(3);
    const before = cluster.handles();
    await cluster.join('worker-4');
    await count('agent', 4);
    node(1).kill();
    await cluster.clock.advance(60_000);
    await cluster.restartReconciler();
    await cluster.clock.advance(60_000);
    await node(1).start();
    await cluster.clock.advance(30_000);
    expect(instancesOf('agent')).toHaveLength(4);
    for (const [copy, handle] of before) expect(cluster.handles().get(copy)).toBe(handle);
  });

  it('keeps instances on labelled nodes while nodes.yaml cannot be read', async () => {
    cluster = await createMemoryCluster({ workers: 3 });
    const nodes = [1, 2, 3].map((n) => `- node:\n    hostname: worker-${n}\n    labels: {disk: ssd}\n`).join('');
    await cluster.push({ 'nodes.yaml': nodes });
    const constraints = [{ type: 'label', label: 'disk', in: ['ssd'] }];
    const text = descriptor([{ microservice_name: 'agent', replicas: 'every', constraints }]);
    await cluster.reconciler.control.deploy({ documents: [{ file: 'a.yaml', text }] });
    await settled('agent');
    const before = cluster.handles();
    expect(before.size).toBe(3);
    cluster.git.unreachable = true;
    cluster.git.wipeMirror();
    await cluster.restartReconciler();
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
  });

  it('gives each instance the labels of its node, and a new label restarts nothing', async () => {
    cluster = await createMemoryCluster({ workers: 3 });
    const labelled = (shops: readonly (string | undefined)[]) =>
      shops
        .map(
          (shop, n) => `- node: {hostname: worker-${n + 1}${shop === undefined ? '' : `, labels: {shop: ${shop}}`}}\n`,
        )
        .join('');
    const environment = [`SHOP=\${node.label.shop}`];
    const till = descriptor([{ microservice_name: 'till', replicas: 'every', environment }]);
    await cluster.push({ 'nodes.yaml': labelled(['north', 'south', undefined]), 'till.yaml': till });
    await count('till', 2);
    await cluster.clock.advance(30_000);
    const shops = () =>
      cluster.nodes.flatMap(({ runtime }) =>
        [...runtime.copies.values()].flatMap((copy) => runtime.runOf(copy)?.environment ?? []),
      );
    expect(shops()).toEqual(['SHOP=north', 'SHOP=south']);
    await settled('till');
    const before = cluster.handles();
    await cluster.push({ 'nodes.yaml': labelled(['east', undefined, 'west']), 'till.yaml': till });
    await count('till', 3);
    await cluster.restartReconciler();
    await cluster.clock.advance(60_000);
    expect(shops()).toEqual(['SHOP=north', 'SHOP=south', 'SHOP=west']);
    for (const [copy, handle] of before) expect(cluster.handles().get(copy)).toBe(handle);
    node(1).runtime.powerCut();
    await cluster.clock.advance(60_000);
    expect(shops()).toEqual(['SHOP=north', 'SHOP=south', 'SHOP=west']);
  });

  it('anew is not forgotten because a commit is accepted while it is written', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web' }]) });
    await settled('web');
    const first = await join((await create({ name: 'x' })).token, 'x');
    const { token } = await create({ name: 'x' });
    let free = (): void => undefined;
    cluster.disk.busy = new Promise((resolve) => {
      free = resolve;
    });
    const again = join(token, 'x');
    cluster.git.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 2 }]) });
    await cluster.clock.advance(90_000);
    free();
    expect((await again).id).toBe(first.id);
    await count('web', 2);
    // Another write, with all that is in memory.
    await create();
    expect(cluster.records.nodes[first.id]?.serial).toBe(2);
  });

  it.each(['cordon', 'drain', 'uncordon'] as const)(
    'that were revoked stay so, whatever a full disk does with a %s',
    async (verb) => {
      cluster = await createMemoryCluster({ workers: 2 });
      const { control } = cluster.reconciler;
      const { id, name } = node(1);
      if (verb === 'uncordon') await control.cordon(id, { actor: 'ann' });
      cluster.disk.full = true;
      const cordoned = verb === 'uncordon' ? control.uncordon(id, 'ann') : control[verb](id, { actor: 'ann' });
      const both = await Promise.allSettled([cordoned, control.revoke(name)]);
      expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      cluster.disk.full = false;
      await cluster.clock.advance(30_000);
      expect(cluster.records.nodes[id]?.revoked).toBeDefined();
      expect(cluster.reconciler.control.nodes().find((one) => one.id === id)?.state).toBe('revoked');
      await cluster.restartReconciler();
      expect(cluster.broker.admits(id)).toBe(false);
    },
  );

  it('says that a node is not there only when that is on disk', async () => {
    cluster = await createMemoryCluster({ workers: 3 });
    node(1).kill();
    await cluster.clock.advance(60_000);
    const { control } = cluster.reconciler;
    const unwritable = { problem: { code: 'FILE_UNWRITABLE' } };
    cluster.disk.full = true;
    const { name } = node(1);
    await expect(control.removeNode(name, { force: true })).rejects.toMatchObject(unwritable);
    await expect(control.removeNode(name, { force: true })).rejects.toMatchObject(unwritable);
    await expect(control.revoke(name)).rejects.toMatchObject(unwritable);
    cluster.disk.full = false;
    await expect(control.removeNode(name, { force: true })).rejects.toMatchObject({ problem: { code: 'NOT_FOUND' } });
    await cluster.restartReconciler();
    expect(cluster.reconciler.control.nodes().map((one) => one.name)).not.toContain(name);
  });
});
