/** Services of which only one copy may run in the whole cluster. */
import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import type { MemoryNode } from '../support/memory-node.ts';
import { tell } from '../support/memory-story.ts';

describe('an exclusive service', () => {
  let cluster: MemoryCluster;
  /** Most copies that ran at once. */
  let most: number;
  const { settled, instancesOf, holds } = tell(() => cluster);
  const text = (spec: object = {}): string =>
    descriptor([{ microservice_name: 'one', exclusive: true, on_disconnect: { stop_after: '20s' }, ...spec }]);
  const deploy = (spec?: object) =>
    cluster.reconciler.control.deploy({ documents: [{ file: 'one.yaml', text: text(spec) }] });
  const homeOf = (): MemoryNode => {
    const [name] = instancesOf('one')[0]?.split(' ') ?? [];
    return cluster.nodes.find((one) => one.name === name) as MemoryNode;
  };
  const begin = async (spec?: object): Promise<MemoryNode> => {
    cluster = await createMemoryCluster({
      wiring: { engine: () => ({ delays: { stop: 8_000 }, goesOn: () => true }) },
    });
    most = 0;
    for (const node of cluster.nodes) {
      const count = (): void => {
        most = Math.max(most, instancesOf('one').length);
      };
      node.runtime.watch(count, new AbortController().signal);
    }
    await deploy(spec);
    await settled('one');
    return homeOf();
  };
  const service = () => cluster.reconciler.control.services()[0];

  afterEach(async () => {
    expect(most).toBe(1);
    expect(cluster.fatal).toEqual([]);
    expect(cluster.broker.denied).toEqual([]);
    await cluster.close();
  });

  it('runs on its lease for as long as beats are answered, and shows who has it', async () => {
    const home = await begin();
    const before = cluster.handles();
    await cluster.clock.advance(600_000);
    expect(cluster.handles()).toEqual(before);
    expect(service()?.exclusive).toMatchObject({ lease: 20_000, node: home.name });
  });

  it('on a node that is cut off stops before its lease ends; then, and not before, another one starts', async () => {
    const home = await begin();
    cluster.broker.cut(home.id);
    await cluster.clock.until(() => cluster.running().length === 0, 27_000, 'the end of the old one');
    await cluster.clock.advance(1_000);
    expect(instancesOf('one')).toEqual([]);
    expect(holds()).toEqual(['LEASE_WAITING']);
    expect(cluster.reconciler.control.holds()[0]?.message).toContain(home.name);
    await settled('one');
    expect(homeOf()).not.toBe(home);
    const other = homeOf();
    cluster.broker.heal(home.id);
    await cluster.clock.advance(60_000);
    expect(homeOf()).toBe(other);
  });

  it('that is cut off for a moment goes on', async () => {
    const home = await begin();
    const before = cluster.handles();
    cluster.broker.cut(home.id);
    await cluster.clock.advance(10_000);
    cluster.broker.heal(home.id);
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
  });

  it('is not taken over while nobody answers: it stops, and the same copy starts again', async () => {
    await begin();
    const before = instancesOf('one');
    await cluster.restartReconciler({
      between: async () => {
        await cluster.clock.advance(40_000);
        expect(instancesOf('one')).toEqual([]);
      },
    });
    await settled('one');
    expect(instancesOf('one')).toEqual(before);
  });

  it('outlives a quick restart of reconciler or agent without one of its own', async () => {
    const home = await begin();
    const before = cluster.handles();
    await cluster.restartReconciler();
    await cluster.clock.advance(30_000);
    home.kill();
    await cluster.clock.advance(2_000);
    await home.start();
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
  });

  it('whose holder is silent when the reconciler starts waits a whole lease from then on', async () => {
    const home = await begin();
    await cluster.restartReconciler({
      between: async () => {
        cluster.broker.cut(home.id);
      },
    });
    const start = cluster.clock.now().mono;
    await cluster.clock.until(() => instancesOf('one').some((line) => !line.startsWith(home.name)), 180_000, 'another');
    expect(cluster.clock.now().mono - start).toBeGreaterThan(20_000);
    await settled('one');
  });

  it('does not start after a reboot without a lease', async () => {
    const home = await begin({ on_disconnect: { stop_after: '20s', replace_after: 'never' } });
    await home.boot();
    cluster.broker.cut(home.id);
    await cluster.clock.advance(300_000);
    expect(instancesOf('one')).toEqual([]);
    cluster.broker.heal(home.id);
    await settled('one');
    expect(homeOf()).toBe(home);
  });

  it('stops within a second after its machine slept, and an agent that crashes on and on gains no time', async () => {
    const home = await begin();
    cluster.broker.cut(home.id);
    await cluster.clock.advance(2_000);
    home.sleep(3_600_000);
    await cluster.clock.advance(10_000);
    expect(instancesOf('one')).toEqual([]);
    await settled('one');
    const next = homeOf();
    cluster.broker.cut(next.id);
    for (let crash = 0; crash < 12; crash += 1) {
      next.kill();
      await cluster.clock.advance(500);
      await next.start();
      cluster.broker.cut(next.id);
      await cluster.clock.advance(3_000);
    }
    cluster.broker.heal(home.id);
    await settled('one');
    expect(homeOf()).not.toBe(next);
  });

  it('is updated, moved, restarted and drained old before new', async () => {
    const home = await begin();
    await deploy({ code: 'oakctl/test:2' });
    await settled('one');
    expect(homeOf()).toBe(home);
    const { control } = cluster.reconciler;
    const other = cluster.nodes.find((one) => one !== home) as MemoryNode;
    await control.move('shop.default.one.default.instance.0', other.id, 'test');
    await cluster.clock.until(() => instancesOf('one').length === 1 && homeOf() === other, 120_000, 'the move');
    await settled('one');
    await control.restart('shop.default.one.default', undefined, 'test');
    await settled('one');
    await control.drain(other.id, { actor: 'test' });
    await cluster.clock.until(() => instancesOf('one').length === 1 && homeOf() !== other, 120_000, 'the drain');
    await settled('one');
    await control.remove({ services: ['shop.default.one.default'] }, 'test');
    await deploy({ code: 'oakctl/test:3' });
    await settled('one');
    expect(instancesOf('one')).toHaveLength(1);
  });

  it('goes back to the version before, if the new one fails', async () => {
    await begin({ update: { timeout: '60s' } });
    for (const node of cluster.nodes) node.runtime.script('start', '', { fail: 'START_FAILED', times: 3 });
    await deploy({ code: 'oakctl/test:2', update: { timeout: '60s' } });
    await cluster.clock.until(() => service()?.outcome === 'rolled_back', 300_000, 'the way back');
    expect(instancesOf('one')).toHaveLength(1);
  });

  it('takes no further instance', async () => {
    await begin();
    const { control } = cluster.reconciler;
    const name = 'shop.default.one.default';
    await expect(control.scale(name, 2, { actor: 'test' })).rejects.toThrow(/exclusive/);
    await expect(control.replicate(`${name}.instance.0`, undefined, 'test')).rejects.toThrow(/exclusive/);
  });

  it('that was none before keeps its copy, and needs a lease from then on', async () => {
    const home = await begin({ exclusive: false, on_disconnect: {} });
    const before = cluster.handles();
    await deploy();
    await settled('one');
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
    expect(service()?.exclusive).toMatchObject({ node: home.name });
    cluster.broker.cut(home.id);
    await cluster.clock.until(() => instancesOf('one').some((line) => !line.startsWith(home.name)), 120_000, 'another');
    await settled('one');
  });
});
