import { expect, it } from 'vitest';
import { createMemoryCluster, descriptor } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

it('an approved update goes on, whatever is planned while the disk writes the approval', async () => {
  const cluster = await createMemoryCluster({});
  const { service, settled, outcome, node } = tell(() => cluster);
  const { control } = cluster.reconciler;
  const update = { on_failure: 'pause' };
  const push = (version: number) =>
    cluster.push({
      'web.yaml': descriptor([{ microservice_name: 'web', replicas: 3, code: `oakctl/test:${version}`, update }]),
    });
  await push(1);
  await settled('web');
  for (const { runtime } of cluster.nodes) runtime.script('prepare', ':2', { fail: 'IMAGE_NOT_FOUND' });
  await push(2);
  await cluster.clock.until(() => outcome('web') === 'paused', 60_000, 'the update is paused');
  const [paused] = control.holds().filter(({ code }) => code === 'UPDATE_PAUSED');
  let free = (): void => undefined;
  cluster.disk.busy = new Promise((resolve) => {
    free = resolve;
  });
  const approved = control.approve(paused?.id ?? '', 'ann');
  const [copy] = [...node(0).runtime.copies.values()].filter(({ state }) => state === 'running');
  if (!copy) throw new Error('nothing runs');
  node(0).runtime.exit(copy, 1);
  await cluster.clock.advance(2_000);
  free();
  expect(await approved).toEqual({ approved: paused?.id });
  expect(cluster.records.rollouts[service('web')]).toMatchObject({ phase: 'progressing', resumed: true });
  expect(outcome('web')).not.toBe('paused');
  expect(cluster.fatal).toEqual([]);
  await cluster.close();
});

it('an approval that the disk refuses removes nothing, whatever is pushed while it is written', async () => {
  const cluster = await createMemoryCluster({});
  const { control } = cluster.reconciler;
  const all = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => {
    return [`${name}.yaml`, descriptor([{ microservice_name: name }], name)] as const;
  });
  const one = Object.fromEntries(all.slice(0, 1));
  await cluster.push(Object.fromEntries(all));
  await cluster.clock.until(() => cluster.running().length === 6, 60_000, 'six instances');
  await cluster.push(one);
  await cluster.clock.advance(5_000);
  const [guard] = control.holds().filter(({ id }) => id !== undefined);
  let free = (): void => undefined;
  cluster.disk.busy = new Promise((resolve) => {
    free = resolve;
  });
  const approved = control.approve(guard?.id ?? '', 'ann').catch((error: unknown) => String(error));
  cluster.git.push({ ...one, 'README.md': 'x' });
  await cluster.clock.advance(90_000);
  cluster.disk.full = true;
  free();
  expect(await approved).toMatch(/no space/);
  cluster.disk.full = false;
  await cluster.clock.advance(1_200_000);
  expect(cluster.running()).toHaveLength(6);
  const [again] = control.holds().filter(({ id }) => id !== undefined);
  await control.approve(again?.id ?? '', 'ann');
  await cluster.clock.until(() => cluster.running().length === 1, 1_200_000, 'the removal');
  expect(cluster.fatal).toEqual([]);
  await cluster.close();
});
