import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';

/** The main job and its healing, the real loops on virtual time: one reconciler, three agents. */
describe('a cluster in memory', () => {
  let cluster: MemoryCluster;
  const service = (name: string): string => `shop.default.${name}.default`;
  const outcome = (name: string): string | undefined =>
    cluster.reconciler.control.services().find((one) => one.name === service(name))?.outcome;
  const settled = (...names: string[]): Promise<number> =>
    cluster.clock.until(() => names.every((name) => outcome(name) === 'settled'), 120_000, `${names.join()} settled`);
  const instancesOf = (name: string): string[] =>
    cluster.running().filter((line) => line.includes(`${service(name)}.`));

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-40).join('\n'));
    expect(cluster.fatal).toEqual([]);
    expect(cluster.broker.denied).toEqual([]);
    await cluster.close();
  });

  it('makes a push run, follows the next one, and removes what left', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({
      'web.yaml': descriptor([{ microservice_name: 'web', replicas: 3 }]),
      'api.yaml': descriptor([{ microservice_name: 'api' }], 'shop'),
      'db.yaml': descriptor([{ microservice_name: 'db' }]),
    });
    await settled('web', 'api', 'db');
    expect(instancesOf('web')).toHaveLength(3);
    expect(new Set(instancesOf('web').map((line) => line.split(' ')[0]))).toHaveProperty('size', 3);

    const before = cluster.handles();
    await cluster.push({
      'web.yaml': descriptor([{ microservice_name: 'web', replicas: 2, code: 'oakctl/test:2' }]),
      'api.yaml': descriptor([{ microservice_name: 'api' }]),
    });
    await settled('web', 'api');
    await cluster.clock.until(() => instancesOf('db').length === 0, 60_000, 'db removed');
    expect(instancesOf('web')).toHaveLength(2);
    expect(instancesOf('web').every((line) => !before.has(line.split(' ')[1] ?? ''))).toBe(true);
    const api = instancesOf('api')[0]?.split(' ')[1] ?? '';
    expect(cluster.handles().get(api)).toBe(before.get(api));
  });

  it('deploys directly, durably, and deletes for good', async () => {
    cluster = await createMemoryCluster({});
    const { control } = cluster.reconciler;
    const answer = await control.deploy({
      documents: [{ file: 'a.yaml', text: descriptor([{ microservice_name: 'web', replicas: 2 }]) }],
    });
    expect(answer.services).toMatchObject([{ name: service('web'), change: 'created' }]);
    expect(Object.keys(cluster.records.direct)).toEqual([service('web')]);
    await settled('web');
    const away = cluster.nodes.find((node) => node.runtime.copies.size > 0);
    away?.kill();
    await control.remove({ services: [service('web')] }, 'test');
    await cluster.clock.advance(30_000);
    await away?.start();
    await cluster.clock.until(() => instancesOf('web').length === 0, 30_000, 'the copy on the returned node is gone');
    await cluster.clock.advance(60_000);
    expect(instancesOf('web')).toEqual([]);
    expect(control.services()).toEqual([]);
  });

  it('replaces what ran on a lost node, and keeps exactly the wanted copies when it returns', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 6 }]) });
    await settled('web');
    const before = cluster.handles();
    const victim = cluster.nodes[0];
    if (!victim) throw new Error('no node');
    const lost = instancesOf('web').filter((line) => line.startsWith(`${victim.name} `));
    expect(lost).toHaveLength(2);
    victim.kill(true);
    const took = await cluster.clock.until(() => instancesOf('web').length === 6, 60_000, 'six again');
    expect(took).toBeLessThanOrEqual(20_000);
    const untouched = [...before].filter(([copy]) => !lost.some((line) => line.endsWith(copy)));
    for (const [copy, handle] of untouched) expect(cluster.handles().get(copy)).toBe(handle);

    await victim.start();
    await cluster.clock.until(
      () => cluster.reconciler.control.nodes().every((node) => node.state === 'online'),
      30_000,
      'the victim is back',
    );
    await cluster.clock.advance(1_000);
    await settled('web');
    expect(instancesOf('web')).toHaveLength(6);
    for (const [copy, handle] of untouched) expect(cluster.handles().get(copy)).toBe(handle);
  });

  it('removes the duplicates of a partition within a second of the first report', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 3 }]) });
    await settled('web');
    const victim = cluster.nodes[1];
    if (!victim) throw new Error('no node');
    cluster.broker.cut(victim.id);
    await cluster.clock.until(() => instancesOf('web').length === 4, 60_000, 'a replacement beside the cut-off copy');
    await cluster.clock.advance(12_000);
    cluster.broker.heal(victim.id);
    const took = await cluster.clock.until(() => instancesOf('web').length === 3, 10_000, 'no duplicates');
    expect(took).toBeLessThanOrEqual(1_100);
    await settled('web');
  });

  it('restarts nothing when the reconciler comes back without its state', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 3 }]) });
    await cluster.reconciler.control.deploy({
      documents: [{ file: 'a.yaml', text: descriptor([{ microservice_name: 'cache', replicas: 2 }], 'side') }],
    });
    await settled('web');
    await cluster.clock.until(() => cluster.running().length === 5, 60_000, 'five copies');
    const before = cluster.handles();
    await cluster.restartReconciler();
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
    expect(outcome('web')).toBe('settled');
    expect(cluster.reconciler.control.services().map((one) => one.outcome)).toEqual(['settled', 'settled']);

    cluster.git.unreachable = true;
    await cluster.restartReconciler({ between: () => cluster.clock.advance(20_000) });
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
    expect(cluster.reconciler.control.status().sources[0]?.state).toBe('unreachable');
  });

  it('keeps a broker crash to itself', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 3 }]) });
    await settled('web');
    const before = cluster.handles();
    cluster.broker.restart(500);
    await cluster.clock.advance(30_000);
    expect(cluster.handles()).toEqual(before);
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 4 }]) });
    await settled('web');
    expect(instancesOf('web')).toHaveLength(4);
  });

  it('starts what the ledger says after a reboot without a network', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 2 }]) });
    await settled('web');
    const [node] = cluster.nodes;
    if (!node) throw new Error('no node');
    cluster.killReconciler();
    node.kill(true);
    await cluster.clock.advance(120_000);
    cluster.broker.restart(1e9);
    await node.start();
    await cluster.clock.until(() => instancesOf('web').length === 2, 30_000, 'both run again');
    await cluster.restartReconciler();
    await settled('web');
    expect(instancesOf('web')).toHaveLength(2);
  });

  it('rolls back a digest that fails, remembers it, and takes the next one at once', async () => {
    cluster = await createMemoryCluster({});
    const web = (code: string) => ({
      'web.yaml': descriptor([
        { microservice_name: 'web', replicas: 2, code, port: '8080:80', update: { timeout: '30s' } },
      ]),
    });
    await cluster.push(web('oakctl/test:1'));
    await settled('web');
    const before = cluster.handles();
    for (const node of cluster.nodes) node.runtime.script('prepare', 'oakctl/test:broken', { fail: 'IMAGE_NOT_FOUND' });
    await cluster.push(web('oakctl/test:broken'));
    await cluster.clock.until(() => outcome('web') === 'rolled_back', 120_000, 'rolled back');
    await cluster.clock.advance(60_000);
    expect(outcome('web')).toBe('rolled_back');
    expect(cluster.handles()).toEqual(before);
    await cluster.push(web('oakctl/test:2'));
    await settled('web');
    expect(instancesOf('web')).toHaveLength(2);
  });

  it('holds the removal of everything until a human approves', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({
      'web.yaml': descriptor([{ microservice_name: 'web', replicas: 2 }]),
      'api.yaml': descriptor([{ microservice_name: 'api' }]),
    });
    await settled('web', 'api');
    const before = cluster.handles();
    await cluster.push({ 'README.md': 'nothing here' });
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
    const [hold] = cluster.reconciler.control.holds().filter((one) => one.code === 'REMOVAL_GUARD');
    expect(hold?.subjects).toEqual([service('api'), service('web')]);
    await cluster.reconciler.control.approve(hold?.id ?? '', 'test');
    await cluster.clock.until(() => cluster.running().length === 0, 60_000, 'all removed');
  });

  it('keeps the last good version of a broken file and goes on with the others', async () => {
    cluster = await createMemoryCluster({});
    const api = descriptor([{ microservice_name: 'api' }]);
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 2 }]), 'api.yaml': api });
    await settled('web', 'api');
    const web = instancesOf('web');
    await cluster.push({
      'web.yaml': '{ "sla_version": ',
      'api.yaml': descriptor([{ microservice_name: 'api', replicas: 3 }]),
    });
    await cluster.clock.until(() => instancesOf('api').length === 3, 60_000, 'api scaled');
    expect(instancesOf('web')).toEqual(web);
    expect(cluster.reconciler.control.status().sources[0]).toMatchObject({ state: 'invalid' });
    expect(cluster.reconciler.control.status().conditions[0]).toMatchObject({ file: 'web.yaml' });
    await cluster.push({ 'api.yaml': api });
    await cluster.clock.until(() => instancesOf('web').length === 0, 60_000, 'web removed once the file is gone');
  });
});
