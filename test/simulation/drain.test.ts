import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

/** Nodes that are emptied by hand, with the real loops on virtual time. */
describe('draining a node', () => {
  let cluster: MemoryCluster;
  const story = tell(() => cluster);
  const { service, settled, instancesOf, node } = story;
  const control = () => cluster.reconciler.control;
  const viewOf = (name: string) => {
    const view = control()
      .nodes()
      .find((one) => one.name === name);
    if (!view) throw new Error(`no ${name}`);
    return view;
  };
  const on = (name: string): string[] => cluster.running().filter((line) => line.startsWith(`${name} `));
  const drained = (name: string): Promise<number> =>
    cluster.clock.until(() => viewOf(name).drain?.left.length === 0, 180_000, `${name} drained`);
  /** Looks every 100 ms of virtual time until `done`; the least number of copies of a service that ran. */
  const leastRunning = async (name: string, done: () => boolean): Promise<number> => {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 1_800 && !done(); i += 1) {
      await cluster.clock.advance(100);
      least = Math.min(least, new Set(instancesOf(name).map((line) => line.split(/[ /]/)[1])).size);
    }
    expect(done()).toBe(true);
    return least;
  };

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-60).join('\n'));
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('moves everything, one by one and never below what is wanted, and takes nothing back before uncordon', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 6 }]) });
    await settled('web');
    expect(on('worker-1')).toHaveLength(2);
    const before = cluster.handles();
    const answer = await control().drain(node(0).id, { actor: 'ann', reason: 'new disk' });
    expect(answer).toMatchObject({ node: 'worker-1', changed: true, cordoned: { cause: 'new disk (by ann)' } });
    expect(viewOf('worker-1').drain?.left).toHaveLength(2);
    expect(await leastRunning('web', () => viewOf('worker-1').drain?.left.length === 0)).toBe(6);
    expect(on('worker-1')).toEqual([]);
    await settled('web');
    const kept = [...before].filter(([copy, handle]) => cluster.handles().get(copy) === handle);
    expect(kept).toHaveLength(4);
    expect(await control().drain(node(0).id, { actor: 'ann' })).toMatchObject({ changed: false });

    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 9 }]) });
    await settled('web');
    expect(on('worker-1')).toEqual([]);
    expect(await control().uncordon(node(0).id, 'ann')).toMatchObject({ changed: true });
    expect(await control().uncordon(node(0).id, 'ann')).toMatchObject({ changed: false });
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 12 }]) });
    await settled('web');
    expect(on('worker-1').length).toBeGreaterThan(0);
  });

  it('goes on after a restart of the reconciler in the middle, and twice the cordon is there', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 9 }]) });
    await settled('web');
    await control().drain(node(1).id, { actor: 'ann' });
    await cluster.clock.until(() => viewOf('worker-2').drain?.left.length === 2, 60_000, 'one moved');
    await cluster.restartReconciler();
    await drained('worker-2');
    expect(on('worker-2')).toEqual([]);
    await settled('web');
    expect(instancesOf('web')).toHaveLength(9);
    await cluster.restartReconciler();
    expect(viewOf('worker-2').cordoned).toMatchObject({ actor: 'ann', cause: 'by ann' });
  });

  it('keeps what fails elsewhere where it is, with its reason, and tries again when asked again', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', update: { timeout: '30s' } }]) });
    await settled('web');
    const [line = ''] = instancesOf('web');
    const from = line.startsWith('worker-1') ? node(0) : node(1);
    const other = from === node(0) ? node(1) : node(0);
    const mend = other.runtime.script('start', 'web', { fail: 'START_FAILED', times: 1_000 });
    await control().drain(from.id, { actor: 'ann' });
    expect(await leastRunning('web', () => viewOf(from.name).drain?.left[0]?.stuck === true)).toBe(1);
    expect(viewOf(from.name).drain?.left[0]?.message).toContain(`it failed elsewhere: on ${other.name}: START_FAILED`);
    await cluster.clock.advance(120_000);
    expect(instancesOf('web')).toEqual([line]);
    await settled('web');
    await cluster.restartReconciler();
    await cluster.clock.advance(60_000);
    expect(instancesOf('web')).toEqual([line]);

    mend();
    expect(await control().drain(from.id, { actor: 'ann' })).toMatchObject({ changed: true });
    await drained(from.name);
    expect(instancesOf('web')).toMatchObject([expect.stringContaining(other.name)]);
  });

  it('keeps what fails elsewhere where it is after a failed update too, and comes to rest', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    const text = (code: string): string => descriptor([{ microservice_name: 'web', code, update: { timeout: '30s' } }]);
    await cluster.push({ 'web.yaml': text('oakctl/test:1') });
    await settled('web');
    for (const { runtime } of cluster.nodes)
      runtime.script('prepare', 'oakctl/test:2', { fail: 'IMAGE_NOT_FOUND', times: 1_000 });
    await cluster.push({ 'web.yaml': text('oakctl/test:2') });
    await cluster.clock.until(() => story.outcome('web') === 'rolled_back', 120_000, 'the way back');
    const [line = ''] = instancesOf('web');
    const from = line.startsWith('worker-1') ? node(0) : node(1);
    const other = from === node(0) ? node(1) : node(0);
    other.runtime.script('start', 'web', { fail: 'START_FAILED', times: 1_000 });
    await control().drain(from.id, { actor: 'ann' });
    await cluster.clock.until(() => viewOf(from.name).drain?.left[0]?.stuck === true, 120_000, 'it is stuck');
    const { saves } = cluster.disk;
    await cluster.clock.advance(60_000);
    expect(cluster.disk.saves - saves).toBeLessThan(10);
    expect(instancesOf('web')).toEqual([line]);
  });

  it('goes back to the old copy when what cannot run twice fails elsewhere', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    const update = { order: 'stop_first', timeout: '30s' };
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', update }]) });
    await settled('web');
    const [line = ''] = instancesOf('web');
    const from = line.startsWith('worker-1') ? node(0) : node(1);
    const other = from === node(0) ? node(1) : node(0);
    other.runtime.script('start', 'web', { fail: 'START_FAILED', times: 1_000 });
    await control().drain(from.id, { actor: 'ann' });
    await cluster.clock.until(() => viewOf(from.name).drain?.left[0]?.stuck === true, 120_000, 'it is stuck');
    await settled('web');
    expect(instancesOf('web')).toEqual([line]);
  });

  it('moves also what was moved there by hand', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web' }]) });
    await settled('web');
    const [line = ''] = instancesOf('web');
    const to = line.startsWith('worker-1') ? node(1) : node(0);
    await control().move(`${service('web')}.instance.0`, to.id, 'ann', { for: 3_600_000 });
    await cluster.clock.until(() => instancesOf('web').join().startsWith(to.name), 60_000, 'the move');
    await settled('web');
    await control().drain(to.id, { actor: 'ann' });
    expect(await leastRunning('web', () => viewOf(to.name).drain?.left.length === 0)).toBe(1);
    await settled('web');
    expect(on(to.name)).toEqual([]);
    expect(instancesOf('web')).toHaveLength(1);
  });

  it('counts apart what belongs to the node, says what has no room, and lets a job run to its end', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await cluster.push({
      'web.yaml': descriptor([
        { microservice_name: 'logs', replicas: 'every' },
        { microservice_name: 'big', memory: 3_000, replicas: 2 },
      ]),
    });
    await settled('logs', 'big');
    await control().drain(node(0).id, { actor: 'ann' });
    await cluster.clock.advance(30_000);
    expect(viewOf('worker-1').drain).toMatchObject({
      left: [{ instance: expect.stringContaining(service('big')), message: expect.stringContaining('needs 3000 MB') }],
      apart: [{ instance: `${service('logs')}.instance.0`, message: 'every node has one' }],
    });
    expect(cluster.running()).toHaveLength(4);
  });

  it('is refused for a lost node, and a cordon of nodes.yaml is not ended by hand', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'nodes.yaml': '- node: { hostname: worker-1, cordon: true }\n' });
    await expect(control().uncordon(node(0).id, 'ann')).rejects.toThrow('it is cordoned by nodes.yaml');
    node(2).kill();
    await cluster.clock.until(() => viewOf('worker-3').state === 'lost', 60_000, 'it is lost');
    await expect(control().drain(node(2).id, { actor: 'ann' })).rejects.toThrow('it is lost');
    await expect(control().cordon('nobody', { actor: 'ann' })).rejects.toThrow('it has not joined');
  });
});
