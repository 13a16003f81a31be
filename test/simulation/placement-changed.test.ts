/** A copy that serves stays where it is, also where it would not be placed any more: that is said, and people decide. */
import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

describe('a node that does not fit any more', () => {
  let cluster: MemoryCluster;
  const { service, settled, instancesOf, holds } = tell(() => cluster);
  const web = service('web');
  const control = () => cluster.reconciler.control;
  const deploy = (more: object) =>
    control().deploy({ documents: [{ file: 'a.yaml', text: descriptor([{ microservice_name: 'web', ...more }]) }] });
  const direct = (node: string) => ({ constraints: [{ type: 'direct', node }] });
  const labelled = (node: string) => {
    const entries = ['worker-1', 'worker-3'].map(
      (name) => `- node: { hostname: ${name}, labels: { disk: ${name === node ? 'ssd' : 'hdd'} } }`,
    );
    return cluster.push({ 'nodes.yaml': `${entries.join('\n')}\n` });
  };
  const nodes = () => instancesOf('web').map((line) => line.split(' ')[0]);

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-60).join('\n'));
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('keeps what serves, says so with the way out, over a restart of the reconciler, and a restart goes where it fits', async () => {
    cluster = await createMemoryCluster({});
    await deploy(direct('worker-1'));
    await settled('web');
    const before = cluster.handles();
    await deploy(direct('worker-2'));
    await cluster.clock.advance(30_000);
    await cluster.restartReconciler();
    await cluster.clock.advance(30_000);
    expect(cluster.handles()).toEqual(before);
    const [seen] = control().services();
    expect(seen).toMatchObject({ outcome: 'settled', healthy: 1, message: expect.stringContaining('worker-2') });
    expect(seen?.holds).toMatchObject([
      {
        code: 'PLACEMENT_CHANGED',
        subject: `${web}.instance.0`,
        message: 'it runs on worker-1 and would not be placed there any more: it is for worker-2',
        hint: expect.stringContaining(`oakctl restart ${web}.instance.0`),
      },
    ]);
    const plan = await control().plan({});
    expect(plan.changes).toEqual([]);
    expect(plan.holds.map(({ code }) => code)).toEqual(['PLACEMENT_CHANGED']);
    await control().restart(web, `${web}.instance.0`, 'ann');
    await settled('web');
    expect(nodes()).toEqual(['worker-2']);
    expect(holds()).toEqual([]);
  });

  it('is one while its label is away, and moves by hand', async () => {
    cluster = await createMemoryCluster({});
    await labelled('worker-3');
    await deploy({ constraints: [{ type: 'label', label: 'disk', in: ['ssd'] }] });
    await settled('web');
    expect(nodes()).toEqual(['worker-3']);
    await labelled('worker-1');
    await cluster.clock.advance(1_000);
    expect(control().holds()).toMatchObject([
      { code: 'PLACEMENT_CHANGED', message: expect.stringContaining('disk in (ssd)') },
    ]);
    await labelled('worker-3');
    await cluster.clock.advance(1_000);
    expect(holds()).toEqual([]);
    await labelled('worker-1');
    await control().move(`${web}.instance.0`, cluster.nodes[0]?.id ?? '', 'ann');
    await cluster.clock.until(() => nodes().join() === 'worker-1', 60_000, 'the move');
    await settled('web');
    expect(holds()).toEqual([]);
  });
});
