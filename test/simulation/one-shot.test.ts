/** A job is what was asked for once it came to its end: not when it has run for a while. */
import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

describe('a job that runs once', () => {
  let cluster: MemoryCluster;
  const { service, settled } = tell(() => cluster);
  const name = service('job');
  const view = () => cluster.reconciler.control.services().find((one) => one.name === name);
  const text = (more: object = {}) =>
    descriptor([{ microservice_name: 'job', one_shot: true, update: { settle: '1s', timeout: '1m' }, ...more }]);
  const deploy = (more: object = {}) =>
    cluster.reconciler.control.deploy({ documents: [{ file: 'a.yaml', text: text(more) }] });
  const end = (code: number): void => {
    for (const { runtime } of cluster.nodes)
      for (const copy of runtime.copies.values()) if (copy.state === 'running') runtime.exit(copy, code);
  };
  const endJob = (): void => {
    for (const { runtime } of cluster.nodes)
      for (const copy of runtime.copies.values()) if (copy.instance.startsWith(name)) runtime.exit(copy, 0);
  };
  const minutes = (n: number) => cluster.clock.advance(n * 60_000);

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-60).join('\n'));
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('is no success before its end, however long it runs, over a restart of the reconciler', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await deploy();
    await minutes(5);
    expect(view()).toMatchObject({
      outcome: 'progressing',
      healthy: 1,
      message: expect.stringContaining('runs, and has not come to its end, on worker-1'),
    });
    const before = cluster.handles();
    await cluster.restartReconciler();
    await minutes(5);
    expect(view()?.outcome).toBe('progressing');
    expect(cluster.handles()).toEqual(before);
    end(0);
    await settled('job');
    await minutes(1);
    expect(cluster.running()).toEqual([]);
  });

  it('that fails at its end has failed, and the version before it stays the last good one', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await deploy();
    await minutes(2);
    end(1);
    await cluster.clock.until(() => view()?.outcome === 'failed', 60_000, 'the failure');
    await deploy({ environment: ['A=1'] });
    await minutes(1);
    end(0);
    await settled('job');
    await deploy({ environment: ['A=2'] });
    await minutes(2);
    expect(view()?.outcome).toBe('progressing');
    end(1);
    await cluster.clock.until(() => view()?.outcome === 'rolled_back', 120_000, 'the rollback');
    await minutes(2);
    expect(cluster.running()).toEqual([]);
  });

  it('is not done again when its container is pruned, its agent restarts, its node is lost and then removed', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await deploy();
    await minutes(1);
    end(0);
    await settled('job');
    const [key] = cluster.nodes.flatMap(({ runtime }) => [...runtime.copies.values()]);
    const home = cluster.nodes.find(({ name: of }) => of === view()?.instances[0]?.node);
    if (!key || !home) throw new Error('nothing ran');
    home.runtime.vanish(key);
    home.kill();
    await home.start();
    await minutes(1);
    expect(view()).toMatchObject({ outcome: 'settled', instances: [{ status: 'completed' }] });
    home.kill(true);
    await minutes(1);
    const done = {
      outcome: 'settled',
      healthy: 1,
      instances: [{ status: 'completed', node: home.name, copy: key.copy }],
    };
    expect(view()).toMatchObject(done);
    await cluster.reconciler.control.removeNode(home.id, { force: true });
    await minutes(1);
    expect(view()).toMatchObject({ ...done, instances: [{ status: 'completed', copy: key.copy }] });
    await cluster.restartReconciler();
    await minutes(2);
    expect(view()).toMatchObject({ outcome: 'settled', healthy: 1 });
    expect(cluster.running()).toEqual([]);
    // Who depends on it starts, and who asks for another run gets one.
    await cluster.reconciler.control.deploy({
      documents: [{ file: 'b.yaml', text: descriptor([{ microservice_name: 'web', depends_on: [name] }], 'other') }],
    });
    await cluster.clock.until(() => cluster.running().length === 1, 60_000, 'who depends on it');
    await cluster.reconciler.control.restart(name, undefined, 'test');
    await cluster.clock.until(() => cluster.running().length === 2, 60_000, 'the other run');
    expect(view()?.outcome).toBe('progressing');
    endJob();
    await settled('job');
  });

  it('that ended while the disk was full is not done again when its node is removed as soon as it is not', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await deploy();
    await minutes(1);
    const home = cluster.nodes.find(({ name: of }) => of === view()?.instances[0]?.node);
    const remove = () => cluster.reconciler.control.removeNode(home?.id ?? '', { force: true });
    cluster.disk.full = true;
    await expect(deploy({ environment: ['A=1'] })).rejects.toThrow('no space');
    end(0);
    await minutes(1);
    home?.kill(true);
    await minutes(1);
    await expect(remove()).rejects.toThrow('no space');
    await minutes(1);
    cluster.disk.full = false;
    await minutes(1);
    await settled('job');
    expect(cluster.running()).toEqual([]);
    await cluster.restartReconciler();
    await minutes(2);
    expect(view()).toMatchObject({ outcome: 'settled', healthy: 1 });
    expect(cluster.running()).toEqual([]);
  });

  it('of a source is not done again when its node is removed before the source was read after a start', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    const web = descriptor([{ microservice_name: 'web' }]);
    await cluster.push({ 'a.yaml': text(), 'b.yaml': web });
    await cluster.clock.until(() => cluster.running().length === 2, 60_000, 'both run');
    endJob();
    await settled('job');
    const home = cluster.nodes.find(({ name: of }) => of === view()?.instances[0]?.node);
    cluster.git.hanging = true;
    cluster.git.wipeMirror();
    await cluster.restartReconciler();
    await cluster.clock.advance(20_000);
    home?.kill(true);
    await cluster.clock.advance(20_000);
    await cluster.reconciler.control.removeNode(home?.id ?? '', { force: true });
    // Until the source is given up, and longer: what is known of it is there by then, and nobody hears of the job.
    await minutes(3);
    cluster.git.hanging = false;
    await settled('job');
    expect(view()).toMatchObject({ healthy: 1, instances: [{ status: 'completed' }] });
    expect(cluster.running()).toHaveLength(1);
    await cluster.push({ 'b.yaml': web });
    await cluster.clock.until(() => cluster.records.rollouts[name] === undefined, 900_000, 'nothing is kept of it');
  });

  it('whose new version fails while its node is away is rolled back to what was done, and says so', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    for (const { runtime } of cluster.nodes) runtime.script('prepare', ':bad', { fail: 'IMAGE_NOT_FOUND', times: 100 });
    await deploy();
    await minutes(1);
    end(0);
    await settled('job');
    cluster.nodes.find(({ name: of }) => of === view()?.instances[0]?.node)?.kill(true);
    await minutes(1);
    await deploy({ code: 'oakctl/test:bad' });
    await cluster.clock.until(() => view()?.outcome === 'rolled_back', 120_000, 'the rollback');
    await minutes(1);
    expect(view()).toMatchObject({ outcome: 'rolled_back', healthy: 1, instances: [{ status: 'completed' }] });
    expect(cluster.running()).toEqual([]);
  });

  it('is done again when it was deleted and is deployed anew', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await deploy();
    await minutes(1);
    end(0);
    await settled('job');
    await cluster.reconciler.control.remove({ services: [name] }, 'test');
    await minutes(1);
    await deploy();
    await cluster.clock.until(() => cluster.running().length === 1, 60_000, 'the other run');
  });

  it('goes out to one instance after the other without waiting for ends', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await deploy({ replicas: 3 });
    await minutes(1);
    await deploy({ replicas: 3, environment: ['A=1'] });
    await minutes(1);
    expect(cluster.running()).toHaveLength(3);
    expect(view()).toMatchObject({ outcome: 'progressing', healthy: 3 });
    end(0);
    await settled('job');
  });
});
