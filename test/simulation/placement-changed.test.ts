/** A copy that serves stays where it is, also where it would not be placed any more: that is said, and people decide. */
import { afterEach, describe, expect, it } from 'vitest';
import type { NodePolicy } from '../../schemas/policy.ts';
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

  const zones = (...names: readonly string[]) =>
    cluster.push({
      'nodes.yaml': names
        .map((zone, n) => `- node: { hostname: worker-${n + 1}, labels: { zone: ${zone} } }\n`)
        .join(''),
    });
  const said = () =>
    control()
      .holds()
      .map(({ subject, message }) => `${subject.split('.instance.')[1]}: ${message}`);

  it('is one where another instance comes near by a label, or by a new rule, and until that is over', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await zones('a', 'b');
    const apart = { constraints: [{ type: 'apart', services: ['web'], label: 'zone' }] };
    await deploy({ replicas: 2, ...apart });
    await settled('web');
    expect(holds()).toEqual([]);
    const before = cluster.handles();
    await zones('a', 'a');
    await cluster.clock.advance(1_000);
    expect(said()).toEqual([
      '0: it runs on worker-1 and would not be placed there any more: shop.default.web.default.instance.1, from which it is ' +
        'to be kept apart, is near by zone',
      '1: it runs on worker-2 and would not be placed there any more: shop.default.web.default.instance.0, from which it is ' +
        'to be kept apart, is near by zone',
    ]);
    expect(control().services()[0]?.outcome).toBe('settled');
    await zones('a', 'b');
    await cluster.clock.advance(1_000);
    expect(holds()).toEqual([]);
    await control().deploy({
      documents: [
        {
          file: 'b.yaml',
          text: descriptor([{ microservice_name: 'db', constraints: [{ type: 'direct', node: 'worker-1' }] }], 'data'),
        },
      ],
    });
    await cluster.clock.until(
      () =>
        control()
          .services()
          .every(({ outcome }) => outcome === 'settled'),
      60_000,
      'db',
    );
    const rule = [{ type: 'apart', services: ['data.default.db.default'] }];
    await deploy({ replicas: 2, constraints: rule });
    await cluster.clock.advance(1_000);
    const near = (name: string) =>
      expect.stringContaining(`${name}.default.instance.0, from which it is to be kept apart, is on it`);
    expect(said()).toEqual([near('web'), near('db')]);
    expect([...before].every(([copy, handle]) => cluster.handles().get(copy) === handle)).toBe(true);
    await control().remove({ services: ['data.default.db.default'] }, 'ann');
    await cluster.clock.advance(30_000);
    expect(holds()).toEqual([]);
  });

  it('is one where too many are, by a required spread, also when a node of another zone joins the others', async () => {
    cluster = await createMemoryCluster({ workers: 3 });
    await zones('a', 'a', 'a');
    await deploy({ replicas: 2, spread: [{ label: 'zone', required: true }] });
    await settled('web');
    expect(holds()).toEqual([]);
    await zones('a', 'a', 'b');
    await cluster.clock.advance(1_000);
    expect(said()).toEqual(
      [0, 1].map((slot) => expect.stringMatching(`^${slot}: .*fewer of its instances are elsewhere by zone`)),
    );
    await control().restart(web, `${web}.instance.1`, 'ann');
    await settled('web');
    expect(nodes().sort()).toEqual(['worker-1', 'worker-3']);
    expect(holds()).toEqual([]);
  });

  it('is one whose owner took back what the service asks for, or does not allow its image', async () => {
    const device = { app: 'shop.default', devices: ['/dev/zero'] };
    const policies = new Map<string, NodePolicy>([['worker-1', { grants: [device] }]]);
    cluster = await createMemoryCluster({ policies });
    await deploy({ host: { devices: ['/dev/zero'] } });
    await settled('web');
    policies.set('worker-1', { grants: [] });
    cluster.nodes[0]?.kill();
    await cluster.nodes[0]?.start();
    await cluster.clock.advance(10_000);
    expect(control().holds()).toMatchObject([
      { code: 'PLACEMENT_CHANGED', message: expect.stringContaining('device /dev/zero is not granted') },
    ]);
    policies.set('worker-1', { grants: [device], accepts: { registries: ['r.org'] } });
    cluster.nodes[0]?.kill();
    await cluster.nodes[0]?.start();
    await cluster.clock.advance(10_000);
    expect(control().holds()).toMatchObject([
      { code: 'PLACEMENT_CHANGED', message: expect.stringContaining('its registry docker.io is not one of r.org') },
    ]);
  });
});
