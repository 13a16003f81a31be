import { afterEach, describe, expect, it } from 'vitest';
import type { NodePolicy } from '../../schemas/policy.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

const file = { path: '/etc/web.conf', from: './web.conf' };
const shop = (from = './web.conf') => descriptor([{ microservice_name: 'web', files: [{ ...file, from }] }]);

/** Files from the repository, and hosts that grant or do not, through the real loops. */
describe('files and grants', () => {
  let cluster: MemoryCluster;
  const { service, outcome, settled, instancesOf, holds } = tell(() => cluster);
  const digest = () => cluster.reconciler.control.services().find(({ name }) => name === service('web'))?.digest;
  const problems = () => cluster.reconciler.control.status().sources[0]?.problems ?? [];

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-40).join('\n'));
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('a change of a file alone is a new version; an unchanged one restarts nothing', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'apps/shop.yaml': shop(), 'apps/web.conf': 'one' });
    await settled('web');
    const [first, before] = [digest(), cluster.handles()];
    await cluster.push({ 'apps/shop.yaml': shop(), 'apps/web.conf': 'one', 'README.md': 'x' });
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
    await cluster.push({ 'apps/shop.yaml': shop(), 'apps/web.conf': 'two' });
    await cluster.clock.advance(30_000);
    await settled('web');
    expect(digest()).not.toBe(first);
    expect(cluster.handles()).not.toEqual(before);
    await cluster.push({ 'apps/shop.yaml': shop(), 'apps/web.conf': 'one' });
    expect(digest()).toBe(first);
  });

  it('a file that is gone leaves the last good version, also after a restart without state/', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'shop.yaml': shop('conf/web.conf'), 'conf/web.conf': 'one' });
    await settled('web');
    const [first, before] = [digest(), cluster.handles()];
    await cluster.push({ 'shop.yaml': shop('conf/web.conf') });
    expect(problems()).toMatchObject([
      { code: 'DESCRIPTOR_INVALID', message: expect.stringContaining('conf/web.conf') },
    ]);
    await cluster.clock.advance(60_000);
    expect(digest()).toBe(first);
    await cluster.restartReconciler({
      between: async () => {
        cluster.state.content.clear();
        cluster.git.wipeMirror();
      },
    });
    await cluster.clock.advance(120_000);
    expect(digest()).toBe(first);
    expect(cluster.handles()).toEqual(before);
    await cluster.push({ 'shop.yaml': shop('conf/web.conf'), 'conf/web.conf': 'one' });
    expect(problems()).toEqual([]);
    expect(outcome('web')).toBe('settled');
  });

  it('a direct deployment brings its files along, and is refused without them', async () => {
    cluster = await createMemoryCluster({});
    const { control } = cluster.reconciler;
    await expect(control.deploy({ documents: [{ file: 'a.yaml', text: shop() }] })).rejects.toThrow(
      /no file .\/web.conf/,
    );
    const documents = [{ file: 'a.yaml', text: shop(), files: { './web.conf': 'one' } }];
    expect((await control.plan({ documents })).changes).toHaveLength(1);
    await control.deploy({ documents });
    await settled('web');
  });

  it('a service that asks for the host waits until a node grants it, and says which line is missing', async () => {
    const policies = new Map<string, NodePolicy>();
    cluster = await createMemoryCluster({ policies });
    await cluster.push({ 'shop.yaml': descriptor([{ microservice_name: 'web', host: { devices: ['/dev/zero'] } }]) });
    await cluster.clock.advance(30_000);
    expect(holds()).toEqual(['HOST_NOT_GRANTED']);
    const line = '- { app: shop.default, service: web.default, devices: [/dev/zero] }';
    expect(cluster.reconciler.control.holds()[0]?.message).toContain(line);
    expect(problems()).toMatchObject([
      { code: 'GRANT_NEEDED', severity: 'warning', hint: expect.stringContaining(line) },
    ]);
    policies.set('worker-2', {
      grants: [{ app: 'shop.default', service: 'web.default', devices: ['/dev/zero'] }],
    });
    cluster.nodes[1]?.kill();
    await cluster.nodes[1]?.start();
    await settled('web');
    expect(instancesOf('web')).toEqual([expect.stringMatching(/^worker-2 /)]);
  });

  it('a service goes where its image is accepted, and what runs goes on when it is not any more', async () => {
    const nothing = { grants: [], accepts: { registries: [] } };
    const policies = new Map<string, NodePolicy>([
      ['worker-1', nothing],
      ['worker-3', nothing],
    ]);
    cluster = await createMemoryCluster({ policies });
    await cluster.push({ 'shop.yaml': descriptor([{ microservice_name: 'web' }]) });
    await settled('web');
    expect(instancesOf('web')).toEqual([expect.stringMatching(/^worker-2 /)]);
    const before = cluster.handles();
    policies.set('worker-2', nothing);
    cluster.nodes[1]?.kill();
    await cluster.nodes[1]?.start();
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
    await cluster.push({ 'shop.yaml': descriptor([{ microservice_name: 'web', environment: ['A=1'] }]) });
    await cluster.clock.advance(30_000);
    expect(holds()).toContain('IMAGE_NOT_ALLOWED');
    expect(cluster.handles()).toEqual(before);
  });
});
