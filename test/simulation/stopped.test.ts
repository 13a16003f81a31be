import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

/** What a stopped service gave back may be somebody else's when it is started again. */
describe('a service that was stopped', () => {
  let cluster: MemoryCluster;
  const { service, settled, outcome } = tell(() => cluster);
  const control = () => cluster.reconciler.control;
  const web = service('web');
  const instances = (name = web) =>
    control()
      .instances()
      .filter((one) => one.service === name);
  const deploy = (app: string, more: object) =>
    control().deploy({
      documents: [{ file: 'a.yaml', text: descriptor([{ microservice_name: 'web', port: '8080:80', ...more }], app) }],
    });
  const stop = async () => {
    await control().stop(web, { actor: 'ann' });
    await cluster.clock.until(() => outcome('web') === 'stopped', 60_000, 'it is stopped');
  };
  const rival = async (node = '') => {
    await deploy('rival', { constraints: [{ type: 'direct', node }] });
    await cluster.clock.advance(30_000);
    expect(instances('rival.default.web.default')).toMatchObject([{ node, healthy: true }]);
  };
  const held = () =>
    control()
      .services()
      .find(({ name }) => name === web)?.holds;

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-60).join('\n'));
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('starts elsewhere when another service has its host port by now', async () => {
    cluster = await createMemoryCluster({});
    await deploy('shop', {});
    await settled('web');
    const before = instances()[0]?.node;
    await stop();
    await rival(before);
    await control().start(web, 'ann');
    await settled('web');
    expect(instances()).toMatchObject([{ name: `${web}.instance.0`, healthy: true }]);
    expect(instances()[0]?.node).not.toBe(before);
  });

  it('waits for its port where its data is, and is then the same copy', async () => {
    cluster = await createMemoryCluster({});
    await deploy('shop', { volumes: [{ name: 'data', mount_path: '/data' }] });
    await settled('web');
    const [before] = instances();
    await stop();
    await rival(before?.node);
    await control().start(web, 'ann');
    await cluster.clock.advance(30_000);
    expect(held()).toMatchObject([{ code: 'PORT_CONFLICT', subject: `${web}.instance.0` }]);
    await control().remove({ services: ['rival.default.web.default'] }, 'ann');
    await settled('web');
    expect(instances()).toMatchObject([{ node: before?.node, copy: before?.copy, healthy: true }]);
  });

  it('has its places before instances that were added meanwhile', async () => {
    cluster = await createMemoryCluster({});
    await deploy('shop', { replicas: 3 });
    await settled('web');
    const before = instances().map(({ name, node, copy }) => ({ name, node, copy }));
    await stop();
    await control().scale(web, 5, { actor: 'ann' });
    await control().start(web, 'ann');
    await cluster.clock.advance(30_000);
    expect(instances().slice(0, 3)).toMatchObject(before.map((one) => ({ ...one, healthy: true })));
    expect(held()?.map(({ code }) => code)).toEqual(['PORT_CONFLICT', 'PORT_CONFLICT']);
  });
});
