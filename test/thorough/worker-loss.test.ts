import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Container, createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildImage, engineAnswers } from '../support/engine.ts';
import { eventually, steadily } from '../support/eventually.ts';
import { timely, unique } from '../support/machine.ts';

/** `lost_after` of a cluster made by `oakctl up` (class lan). */
const lostAfter = 15_000;
const shop = unique('shop');
const web = fullName(shop, 'web');
const wanted = { [web]: 6, [fullName(shop, 'cache')]: 2 };

describe.skipIf(!(await engineAnswers()))('a worker that is killed and comes back', () => {
  let cluster: TestCluster;
  let victim: { readonly name: string; readonly id: string };
  let before: readonly Container[];

  beforeAll(async () => {
    const code = await buildImage('oakctl/test-web:1', { port: 80, text: 'one' });
    cluster = await createTestCluster({});
    const text = descriptor(shop, {
      web: { code, replicas: 6, memory: 20 },
      cache: { code, replicas: 2, memory: 20 },
    });
    await cluster.repository.push({ 'shop.yaml': text });
    await cluster.settled(wanted);
    before = await cluster.containers();
    const nodes = await cluster.nodes();
    const first = nodes.find((node) => node.instances > 0 && node.name === 'worker-1') ?? nodes[0];
    victim = { name: first?.name ?? '', id: first?.id ?? '' };
  });
  afterAll(() => takeDown(cluster));

  const onVictim = (containers: readonly Container[]) => containers.filter(({ node }) => node === victim.id);
  const elsewhere = (containers: readonly Container[]) => containers.filter(({ node }) => node !== victim.id);
  const running = (containers: readonly Container[]) => containers.filter(({ state }) => state === 'running');

  it('has its instances elsewhere within lost_after + 5 s, and nothing else moves', async () => {
    const lost = onVictim(before);
    expect(lost.length).toBeGreaterThan(0);
    expect(elsewhere(before).length).toBeGreaterThan(0);

    process.kill(await cluster.pid(victim.name), 'SIGKILL');
    await Promise.all(lost.map(({ id }) => new Docker().getContainer(id).kill()));

    const moved = async (): Promise<void> => {
      const there = running(elsewhere(await cluster.containers())).map(({ instance }) => instance);
      expect(there.sort()).toEqual(before.map(({ instance }) => instance).sort());
    };
    const what = 'every instance on the other workers';
    await timely({ what, fixed: lostAfter, work: 5_000 }, () => eventually(moved, { timeout: 120_000, what }));
    const untouched = new Set((await cluster.containers()).map(({ id }) => id));
    for (const { id, name } of elsewhere(before)) expect(untouched.has(id), name).toBe(true);
  });

  it('keeps exactly the wanted copies within 1 s of its return', async () => {
    const survivors = running(elsewhere(await cluster.containers()));
    const back = cluster.oakctl('up', victim.name);
    await eventually(async () => (await cluster.nodes()).find(({ name }) => name === victim.name)?.state === 'online', {
      timeout: 60_000,
      interval: 20,
      what: 'the return of the worker',
    });
    const exactly = async (): Promise<void> => expect(await cluster.containers()).toEqual(survivors);
    const what = 'one copy of each instance';
    await timely({ what, work: 1_000 }, () => eventually(exactly, { interval: 25, what }));
    await back;
    await steadily(exactly, 2000, what);
    await cluster.settled(wanted);
  });
});
