/** Nodes out of reach: what their copies do, when they are replaced, and which copy stays. */
import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import type { MemoryNode } from '../support/memory-node.ts';
import { tell } from '../support/memory-story.ts';

describe('on_disconnect', () => {
  let cluster: MemoryCluster;
  const { settled, instancesOf, holds } = tell(() => cluster);
  const deploy = (spec: object) =>
    cluster.reconciler.control.deploy({
      documents: [{ file: 'web.yaml', text: descriptor([{ microservice_name: 'web', ...spec }]) }],
    });
  const homeOf = (): MemoryNode => {
    const [name] = instancesOf('web')[0]?.split(' ') ?? [];
    return cluster.nodes.find((one) => one.name === name) as MemoryNode;
  };
  const begin = async (spec: object): Promise<MemoryNode> => {
    cluster = await createMemoryCluster({});
    await deploy(spec);
    await cluster.clock.until(() => cluster.reconciler.control.services()[0]?.healthy === 1, 120_000, 'a healthy copy');
    return homeOf();
  };
  const runsOn = (node: MemoryNode): boolean => instancesOf('web').some((line) => line.startsWith(`${node.name} `));

  afterEach(async () => {
    expect(cluster.fatal).toEqual([]);
    expect(cluster.broker.denied).toEqual([]);
    await cluster.close();
  });

  it('stop_after: the agent stops its copy without contact, and starts the same one again on contact', async () => {
    const home = await begin({ on_disconnect: { stop_after: '20s', replace_after: 'never' } });
    const before = instancesOf('web');
    cluster.broker.cut(home.id);
    await cluster.clock.advance(18_000);
    expect(instancesOf('web')).toEqual(before);
    await cluster.clock.advance(8_000);
    expect(instancesOf('web')).toEqual([]);
    await cluster.clock.advance(600_000);
    expect(instancesOf('web')).toEqual([]);
    expect(holds()).toEqual(['SILENT_NODE']);
    cluster.broker.heal(home.id);
    await settled('web');
    expect(instancesOf('web')).toEqual(before);
  });

  it.each([false, true])(
    'stop_after: a job that runs once does not begin again on contact (agent restarted: %s)',
    async (restarted) => {
      const home = await begin({ one_shot: true, on_disconnect: { stop_after: '20s', replace_after: 'never' } });
      cluster.broker.cut(home.id);
      await cluster.clock.advance(60_000);
      expect(instancesOf('web')).toEqual([]);
      if (restarted) {
        home.kill();
        await home.start();
      }
      cluster.broker.heal(home.id);
      await cluster.clock.advance(30_000);
      expect(home.runtime.calls.filter((call) => call.startsWith('start '))).toHaveLength(1);
      expect(holds()).toEqual(['COPY_FAILED']);
      // By hand it runs again, as a new copy.
      await cluster.reconciler.control.restart('shop.default.web.default', undefined, 'ann');
      await cluster.clock.until(() => instancesOf('web').length === 1, 120_000, 'a new copy');
      expect(instancesOf('web')).toHaveLength(1);
    },
  );

  it('stop_after: time goes on over restarts of the agent and of the machine', async () => {
    const home = await begin({ on_disconnect: { stop_after: '60s', replace_after: 'never' } });
    const before = instancesOf('web');
    cluster.broker.cut(home.id);
    await cluster.clock.advance(30_000);
    home.kill();
    await cluster.clock.advance(5_000);
    await home.start();
    cluster.broker.cut(home.id);
    await cluster.clock.advance(5_000);
    expect(instancesOf('web')).toEqual(before);
    await home.boot();
    cluster.broker.cut(home.id);
    await cluster.clock.advance(10_000);
    expect(instancesOf('web')).toEqual(before);
    await cluster.clock.advance(20_000);
    expect(instancesOf('web')).toEqual([]);
    home.kill();
    await home.start();
    cluster.broker.cut(home.id);
    await cluster.clock.advance(30_000);
    expect(instancesOf('web')).toEqual([]);
    cluster.broker.heal(home.id);
    await settled('web');
    expect(instancesOf('web')).toEqual(before);
  });

  it('stop_after: a copy that was replaced meanwhile does not start again', async () => {
    const home = await begin({ on_disconnect: { stop_after: '20s', replace_after: '40s' } });
    cluster.broker.cut(home.id);
    await cluster.clock.advance(30_000);
    expect(instancesOf('web')).toEqual([]);
    await cluster.clock.until(() => instancesOf('web').length === 1, 60_000, 'a replacement');
    const other = homeOf();
    await settled('web');
    const starts = home.runtime.calls.filter((call) => call.startsWith('start')).length;
    cluster.broker.heal(home.id);
    await cluster.clock.advance(60_000);
    expect(homeOf()).toBe(other);
    expect(home.runtime.calls.filter((call) => call.startsWith('start'))).toHaveLength(starts);
  });

  it('stop_after: a descriptor that begins to say so restarts nothing', async () => {
    const home = await begin({});
    const before = cluster.handles();
    await deploy({ on_disconnect: { stop_after: '20s', replace_after: 'never' } });
    await cluster.clock.advance(1_000);
    expect(cluster.handles()).toEqual(before);
    cluster.broker.cut(home.id);
    await cluster.clock.advance(30_000);
    expect(instancesOf('web')).toEqual([]);
    cluster.broker.heal(home.id);
    await settled('web');
    await deploy({});
    await cluster.clock.advance(1_000);
    cluster.broker.cut(home.id);
    await cluster.clock.advance(14_000);
    expect(runsOn(home)).toBe(true);
  });

  it('a reconciler that is away stops what says stop_after, and nothing else', async () => {
    cluster = await createMemoryCluster({});
    await deploy({ on_disconnect: { stop_after: '20s' } });
    const text = descriptor([{ microservice_name: 'api' }], 'other');
    await cluster.reconciler.control.deploy({ documents: [{ file: 'api.yaml', text }] });
    await settled('web');
    const before = cluster.running();
    await cluster.restartReconciler({
      between: async () => {
        await cluster.clock.advance(30_000);
        expect(instancesOf('web')).toEqual([]);
        expect(cluster.running()).toHaveLength(1);
      },
    });
    await cluster.clock.until(() => cluster.running().length === 2, 30_000, 'both again');
    expect(cluster.running()).toEqual(before);
  });

  it('replace_after: earlier or later than the node is lost, or never', async () => {
    const home = await begin({ on_disconnect: { replace_after: '60s' } });
    cluster.broker.cut(home.id);
    await cluster.clock.advance(55_000);
    expect(instancesOf('web')).toHaveLength(1);
    await cluster.clock.until(() => instancesOf('web').length === 2, 20_000, 'the replacement');
    await settled('web');
    cluster.broker.heal(home.id);
    await cluster.clock.until(() => instancesOf('web').length === 1, 10_000, 'one again');
    expect(homeOf()).not.toBe(home);
    await deploy({ on_disconnect: { replace_after: 'never' } });
    await settled('web');
    const next = homeOf();
    cluster.broker.cut(next.id);
    await cluster.clock.advance(3_600_000);
    expect(instancesOf('web')).toHaveLength(1);
    const [hold] = cluster.reconciler.control.holds();
    expect(hold).toMatchObject({ code: 'SILENT_NODE', message: expect.stringContaining('replace_after: never') });
    expect(hold?.hint).toContain('--force');
  });

  it('replace_after: never is never over a restart of the reconciler either, until the node is removed', async () => {
    const home = await begin({ on_disconnect: { replace_after: 'never' } });
    home.kill(true);
    await cluster.clock.advance(60_000);
    await cluster.restartReconciler({ between: async () => cluster.broker.retained.clear() });
    await cluster.clock.advance(600_000);
    expect(instancesOf('web')).toEqual([]);
    expect(holds()).toEqual(['NODES_AWAY']);
    await cluster.reconciler.control.removeNode(home.id, { force: true });
    await settled('web');
    expect(instancesOf('web')).toHaveLength(1);
  });

  it('replace_after: never counts over a restart of the reconciler, too, where it was said of what ran already', async () => {
    const home = await begin({});
    const handles = cluster.handles();
    await deploy({ on_disconnect: { replace_after: 'never' } });
    await cluster.clock.advance(10_000);
    expect(cluster.handles()).toEqual(handles);
    home.kill(true);
    await cluster.restartReconciler({ between: async () => cluster.broker.retained.clear() });
    await cluster.clock.advance(600_000);
    expect(instancesOf('web')).toEqual([]);
    expect(holds()).toEqual(['NODES_AWAY']);
  });

  it.each([
    ['replacement', false],
    ['original', true],
    ['longest_running', true],
  ])('on_return: %s', async (on_return, isOriginal) => {
    const home = await begin({ on_return });
    const handles = cluster.handles();
    cluster.broker.cut(home.id);
    await cluster.clock.until(() => instancesOf('web').length === 2, 60_000, 'the replacement');
    await settled('web');
    cluster.broker.heal(home.id);
    await cluster.clock.until(() => instancesOf('web').length === 1, 10_000, 'one of them');
    await cluster.clock.advance(60_000);
    expect(homeOf() === home).toBe(isOriginal);
    if (isOriginal) expect(cluster.handles()).toEqual(handles);
  });

  it('on_return: what does not run any more is not kept', async () => {
    const home = await begin({ on_return: 'original' });
    home.kill(true);
    await cluster.clock.until(() => instancesOf('web').length === 1 && homeOf() !== home, 60_000, 'the replacement');
    await settled('web');
    await home.start();
    await cluster.clock.advance(60_000);
    expect(homeOf()).not.toBe(home);
    expect(instancesOf('web')).toHaveLength(1);
  });
});
