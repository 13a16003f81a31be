/** Data stays where it is: an instance with a volume waits for its node, unless somebody says that it may start empty elsewhere. */
import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import type { MemoryNode } from '../support/memory-node.ts';
import { tell } from '../support/memory-story.ts';

describe('a volume', () => {
  let cluster: MemoryCluster;
  const { settled, instancesOf, holds } = tell(() => cluster);
  const db = 'shop.default.db.default';
  const first = `${db}.instance.0`;
  const text = (spec: object = {}, volume: object = {}): string =>
    descriptor([{ microservice_name: 'db', volumes: [{ name: 'data', mount_path: '/data', ...volume }], ...spec }]);
  const deploy = (spec?: object, volume?: object) =>
    cluster.reconciler.control.deploy({ documents: [{ file: 'db.yaml', text: text(spec, volume) }] });
  const homeOf = (): MemoryNode => {
    const [name] = instancesOf('db')[0]?.split(' ') ?? [];
    return cluster.nodes.find((one) => one.name === name) as MemoryNode;
  };
  const elsewhere = (home: MemoryNode): MemoryNode => cluster.nodes.find((one) => one !== home) as MemoryNode;
  const hold = () => cluster.reconciler.control.holds().find(({ code }) => code === 'VOLUME_ON_LOST_NODE');

  afterEach(async () => {
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('binds its instance: it waits for a lost node, over a restart too, and comes back there', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'db.yaml': text() });
    await settled('db');
    const home = homeOf();
    const [before] = instancesOf('db');
    home.kill(true);
    await cluster.clock.advance(60_000);
    expect(hold()).toMatchObject({ subject: first, message: expect.stringContaining(`${home.name}, which is lost`) });
    expect(hold()?.hint).toContain('--accept-empty-volume');
    await cluster.restartReconciler();
    await cluster.clock.advance(120_000);
    expect(instancesOf('db')).toEqual([]);
    expect(holds()).toContain('VOLUME_ON_LOST_NODE');
    await home.start();
    await settled('db');
    expect(instancesOf('db')).toEqual([before]);
    expect(hold()).toBeUndefined();
  });

  it('whose number becomes that of another node by `replicas: every` stays where it is, until it may start empty', async () => {
    cluster = await createMemoryCluster({});
    await deploy({ constraints: [{ type: 'direct', node: 'worker-3' }] });
    await settled('db');
    const before = instancesOf('db');
    expect(homeOf().name).toBe('worker-3');
    await deploy({ replicas: 'every' });
    await cluster.clock.advance(60_000);
    await cluster.restartReconciler();
    await cluster.clock.advance(60_000);
    expect(instancesOf('db')).toEqual(expect.arrayContaining(before));
    expect(instancesOf('db')).toHaveLength(3);
    expect(cluster.reconciler.control.services()).toMatchObject([{ outcome: 'held' }]);
    expect(cluster.reconciler.control.holds()).toMatchObject([
      { code: 'VOLUME_ELSEWHERE', subject: first, message: expect.stringContaining('its data is on worker-3') },
    ]);
    await deploy({ replicas: 'every' }, { portable: true });
    await settled('db');
    expect(instancesOf('db').map((line) => line.split('/')[0])).toEqual([
      `worker-1 ${first}`,
      `worker-2 ${db}.instance.1`,
      `worker-3 ${db}.instance.2`,
    ]);
  });

  it('updates where it is, old before new, and returns there after a delete', async () => {
    cluster = await createMemoryCluster({});
    await deploy();
    await settled('db');
    const home = homeOf();
    await deploy({ code: 'oakctl/test:2' });
    await settled('db');
    expect(homeOf()).toBe(home);
    await cluster.reconciler.control.remove({ services: [db] }, 'test');
    await cluster.clock.until(() => instancesOf('db').length === 0, 60_000, 'the end');
    await cluster.restartReconciler();
    await deploy({ memory: 32 });
    await settled('db');
    expect(homeOf()).toBe(home);
  });

  it('that is portable starts empty elsewhere; the returning node gives up its copy', async () => {
    cluster = await createMemoryCluster({});
    await deploy({}, { portable: true });
    await settled('db');
    const home = homeOf();
    home.kill(true);
    await cluster.clock.until(() => instancesOf('db').length === 1, 60_000, 'a copy elsewhere');
    const next = homeOf();
    expect(next).not.toBe(home);
    await settled('db');
    await home.start();
    await cluster.clock.advance(30_000);
    expect(homeOf()).toBe(next);
    expect(instancesOf('db')).toHaveLength(1);
  });

  it('that is portable is updated where an older copy of it runs on, when the node of its data was removed', async () => {
    cluster = await createMemoryCluster({});
    await deploy({}, { portable: true });
    await settled('db');
    const home = homeOf();
    home.kill(true);
    await cluster.clock.until(() => instancesOf('db').length === 1, 60_000, 'a copy elsewhere');
    await settled('db');
    const next = homeOf();
    next.kill(true);
    for (const one of cluster.nodes) if (one !== home && one !== next) one.kill(true);
    await home.start();
    await cluster.clock.until(() => instancesOf('db').length === 1, 60_000, 'the copy from before');
    expect(homeOf()).toBe(home);
    const { control } = cluster.reconciler;
    await cluster.clock.until(
      () => control.nodes().filter(({ state }) => state === 'lost').length === 2,
      60_000,
      'losses',
    );
    const [before] = instancesOf('db');
    await deploy({ code: 'oakctl/test:2' }, { portable: true });
    await control.removeNode(next.id, { force: true });
    await settled('db');
    expect(homeOf()).toBe(home);
    expect(instancesOf('db')).not.toEqual([before]);
    expect(home.runtime.calls).toContain('prepare oakctl/test:2');
  });

  it('of a number from before is not what a replica asked for elsewhere gets', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'db.yaml': text() });
    await settled('db');
    const { control } = cluster.reconciler;
    const [one, two] = cluster.nodes.filter((node) => node !== homeOf()).map(({ id }) => id);
    const before = await control.replicate(first, one, 'test');
    await settled('db');
    await control.removeOverride(before.override?.id ?? '', 'test');
    await cluster.clock.until(() => instancesOf('db').length === 1, 60_000, 'the end of the replica');
    expect(await control.replicate(first, two, 'test')).toMatchObject({ instance: `${db}.instance.2` });
    await settled('db');
    // Where its data is, the number goes on with it.
    expect(await control.replicate(first, one, 'test')).toMatchObject({ instance: `${db}.instance.3` });
    await settled('db');
    expect(instancesOf('db')).toHaveLength(3);
  });

  it('stays behind only when that is said', async () => {
    cluster = await createMemoryCluster({});
    await deploy();
    await settled('db');
    const home = homeOf();
    const { control } = cluster.reconciler;
    const other = elsewhere(home);
    await expect(control.move(first, other.id, 'test')).rejects.toThrow(/accept-empty-volume/);
    await expect(control.move(first, other.id, 'test')).rejects.toThrow(/data/);
    expect(homeOf()).toBe(home);
    await control.move(first, other.id, 'test', { acceptEmptyVolume: true });
    await cluster.clock.until(() => homeOf() === other, 120_000, 'the move');
    await settled('db');
    expect(instancesOf('db')).toHaveLength(1);
  });

  it('on a lost node is given up by a move', async () => {
    cluster = await createMemoryCluster({});
    await deploy();
    await settled('db');
    const home = homeOf();
    home.kill(true);
    await cluster.clock.advance(60_000);
    expect(instancesOf('db')).toEqual([]);
    const other = elsewhere(home);
    await cluster.reconciler.control.move(first, other.id, 'test', { acceptEmptyVolume: true });
    await settled('db');
    expect(homeOf()).toBe(other);
  });

  it('on a node that was removed is waited for, and says so', async () => {
    cluster = await createMemoryCluster({});
    await deploy();
    await settled('db');
    const home = homeOf();
    home.kill(true);
    await cluster.clock.advance(60_000);
    await cluster.reconciler.control.removeNode(home.id, { force: true });
    await cluster.clock.advance(10_000);
    expect(instancesOf('db')).toEqual([]);
    expect(hold()?.message).toContain('removed');
  });

  it('is not left behind by a move that came to nothing', async () => {
    cluster = await createMemoryCluster({});
    await deploy({ update: { timeout: '30s' } });
    await settled('db');
    const home = homeOf();
    const other = elsewhere(home);
    const mend = other.runtime.script('start', 'db', { fail: 'START_FAILED', times: 1_000 });
    const { control } = cluster.reconciler;
    await control.move(first, other.id, 'test', { acceptEmptyVolume: true });
    await cluster.clock.advance(120_000);
    await settled('db');
    expect(homeOf()).toBe(home);
    expect(cluster.records.homes[first]).toBe(home.id);
    mend();
    await deploy({ code: 'oakctl/test:2' });
    await settled('db');
    expect(homeOf()).toBe(home);
  });

  it('is not left behind when the node that it was to move to is lost on the way', async () => {
    cluster = await createMemoryCluster({});
    await deploy();
    await settled('db');
    const home = homeOf();
    const [before] = instancesOf('db');
    const other = elsewhere(home);
    const { control } = cluster.reconciler;
    await control.move(first, other.id, 'test', { acceptEmptyVolume: true });
    other.kill(true);
    await cluster.clock.advance(60_000);
    expect(instancesOf('db')).toEqual([before]);
    await settled('db');
    await cluster.restartReconciler();
    await deploy({ code: 'oakctl/test:2' });
    await settled('db');
    expect(homeOf()).toBe(home);
    await other.start();
    await cluster.clock.advance(60_000);
    expect(homeOf()).toBe(home);
    expect(instancesOf('db')).toHaveLength(1);
  });

  it('binds the version to go back to, also while the wanted one has none', async () => {
    cluster = await createMemoryCluster({});
    await deploy();
    await settled('db');
    const home = homeOf();
    for (const { runtime } of cluster.nodes)
      runtime.script('prepare', 'oakctl/test:2', { fail: 'IMAGE_NOT_FOUND', times: 1_000 });
    const text2 = descriptor([{ microservice_name: 'db', code: 'oakctl/test:2' }]);
    await cluster.reconciler.control.deploy({ documents: [{ file: 'db.yaml', text: text2 }] });
    await cluster.clock.until(() => holds().includes('ROLLED_BACK'), 120_000, 'the way back');
    expect(homeOf()).toBe(home);
    home.kill(true);
    await cluster.clock.advance(120_000);
    expect(instancesOf('db')).toEqual([]);
    await home.start();
    await cluster.clock.until(() => instancesOf('db').length === 1, 120_000, 'its return');
    expect(homeOf()).toBe(home);
  });
});
