import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildImage, engineAnswers } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';

const shop = unique('shop');
const web = fullName(shop, 'web');

/** Verbs with the program as shipped, on what git owns: each makes an override that is shown, or moves what runs. */
describe.skipIf(!(await engineAnswers()))('verbs', () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    const code = await buildImage('oakctl/test-web:1', { port: 80, text: 'one' });
    cluster = await createTestCluster({});
    await cluster.repository.push({ 'shop.yaml': descriptor(shop, { web: { code, replicas: 2, memory: 20 } }) });
    await cluster.settled({ [web]: 2 });
  });
  afterAll(() => takeDown(cluster));

  const running = async () => (await cluster.containers()).filter(({ state }) => state === 'running');

  it('scale waits until the new instances are healthy, and the override ends by hand', async () => {
    const scaled = JSON.parse(await cluster.oakctl('scale', 'web', '3', '--reason', 'sale', '-o', 'json')) as {
      override: { id: string };
    };
    expect(scaled).toMatchObject({ changed: true, override: { reason: 'sale' }, outcomes: [{ verdict: 'settled' }] });
    expect((await running()).map(({ instance }) => instance)).toEqual([0, 1, 2].map((n) => `${web}.instance.${n}`));
    for (const listing of [['services', 'ls'], ['services', 'inspect', 'web'], ['status'], ['overrides', 'ls']])
      expect(await cluster.oakctl(...listing), listing.join(' ')).toContain('sale');
    await cluster.oakctl('overrides', 'rm', scaled.override.id);
    await cluster.settled({ [web]: 2 });
    expect(await cluster.run('scale', 'webb', '3')).toMatchObject({ code: 1, stderr: expect.stringContaining('web') });
    expect(await cluster.run('scale', 'web', 'many')).toMatchObject({ code: 2 });
    expect(await cluster.run('overrides', 'rm', 'nothing')).toMatchObject({ code: 1 });
  });

  it('what no descriptor can say is not committed, and what says it instead is named', async () => {
    const instead = expect.stringContaining(`oakctl scale ${web} 3 --commit`);
    expect(await cluster.run('replicate', 'web.0', '--commit')).toMatchObject({ code: 4, stderr: instead });
    expect(await cluster.run('move', 'web.0', '--to', 'worker-2', '--commit')).toMatchObject({ code: 4 });
    expect(await running()).toHaveLength(2);
  });

  it('restart replaces every container, and those only', async () => {
    const before = new Set((await running()).map(({ id }) => id));
    await cluster.oakctl('restart', 'web.1');
    const kept = (await running()).filter(({ id }) => before.has(id));
    expect(kept.map(({ instance }) => instance)).toEqual([`${web}.instance.0`]);
    await cluster.oakctl('restart', 'web');
    expect((await running()).filter(({ id }) => before.has(id))).toEqual([]);
    expect(await running()).toHaveLength(2);
    expect(await cluster.run('restart', 'web.7')).toMatchObject({ code: 1 });
  });

  it('stop --for stops, and the same containers come back by themselves', async () => {
    const before = (await running()).map(({ id }) => id).sort();
    await cluster.oakctl('stop', 'web', '--for', '45s');
    expect(await running()).toEqual([]);
    expect(await cluster.run('restart', 'web')).toMatchObject({ code: 4 });
    await eventually(async () => expect((await running()).map(({ id }) => id).sort()).toEqual(before), {
      timeout: 120_000,
      what: 'the containers again',
    });
    await cluster.oakctl('stop', 'web');
    await cluster.oakctl('start', 'web');
    expect((await running()).map(({ id }) => id).sort()).toEqual(before);
  });

  it('drain empties a node and leaves it cordoned until uncordon', async () => {
    const [first] = await cluster.instances();
    const node = first?.node ?? '';
    const drained = JSON.parse(
      await cluster.oakctl('nodes', 'drain', node, '--reason', 'disk', '-o', 'json'),
    ) as object;
    expect(drained).toMatchObject({ node, left: [], apart: [] });
    expect((await cluster.instances()).filter((one) => one.node === node)).toEqual([]);
    expect(await running()).toHaveLength(2);
    expect(await cluster.oakctl('nodes', 'inspect', node)).toContain('disk');
    expect(await cluster.run('move', 'web.0', '--to', node)).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('cordoned'),
    });
    await cluster.oakctl('nodes', 'uncordon', node);
    await cluster.oakctl('move', 'web.0', '--to', node);
    await eventually(
      async () =>
        expect((await cluster.instances()).find(({ slot }) => slot === 0)).toMatchObject({ node, healthy: true }),
      { timeout: 120_000, what: 'the moved instance' },
    );
    await cluster.settled({ [web]: 2 });
  });

  it('adopt commits what was asked for beside git, and restarts nothing', async () => {
    await cluster.oakctl('scale', 'web', '3', '--reason', 'sale');
    const before = (await running()).map(({ id }) => id).sort();
    expect(before).toHaveLength(3);
    const who = ['--repo', cluster.repository.folder, '--author', 'Ada <ada@example.org>'];
    const adopt = async (): Promise<unknown> => JSON.parse(await cluster.oakctl('adopt', 'web', ...who, '-o', 'json'));
    expect(await adopt()).toMatchObject({
      service: web,
      changed: true,
      commit: { file: 'shop.yaml', changed: true },
      outcomes: [{ verdict: 'settled' }],
    });
    expect(await cluster.repository.git('log', '-1', '--format=%an|%B')).toContain('sale');
    expect(JSON.parse(await cluster.oakctl('overrides', 'ls', '-o', 'json'))).toEqual({ items: [] });
    await cluster.settled({ [web]: 3 });
    expect((await running()).map(({ id }) => id).sort()).toEqual(before);
    expect(await adopt()).toMatchObject({ changed: false, outcomes: [] });
    expect(await cluster.run('adopt', 'webb')).toMatchObject({ code: 1, stderr: expect.stringContaining('webb') });
  });
});
