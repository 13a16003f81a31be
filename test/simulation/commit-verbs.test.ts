import { afterEach, expect, it } from 'vitest';
import { setNode, setReplicas } from '../../cli/services/edit-service.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

let cluster: MemoryCluster;
const { service, settled, count, instancesOf } = tell(() => cluster);
afterEach(async () => {
  expect(cluster.fatal).toEqual([]);
  await cluster.close();
});

it('a commit of the number of instances ends the override of it, restarts nothing, and holds over a restart', async () => {
  cluster = await createMemoryCluster({});
  const text = descriptor([{ microservice_name: 'web', replicas: 2 }]);
  await cluster.push({ 'web.yaml': text });
  await settled('web');
  const { control } = cluster.reconciler;
  await control.scale(service('web'), 4, { actor: 'ann' });
  await count('web', 4);
  const before = cluster.handles();
  expect(control.overrides()).toHaveLength(1);

  const edited = setReplicas({ file: 'web.yaml', text }, service('web'), 4).text;
  await cluster.push({ 'web.yaml': edited });
  await settled('web');
  expect(control.overrides()).toEqual([]);
  expect(cluster.handles()).toEqual(before);
  await cluster.restartReconciler();
  await cluster.clock.advance(7_200_000);
  expect(instancesOf('web')).toHaveLength(4);
  expect(cluster.handles()).toEqual(before);

  const stopped = setReplicas({ file: 'web.yaml', text: edited }, service('web'), 0).text;
  await cluster.push({ 'web.yaml': stopped });
  await count('web', 0);
  await cluster.push({ 'web.yaml': setReplicas({ file: 'web.yaml', text: stopped }, service('web'), 4).text });
  await count('web', 4);
});

it('an override outlives a reconciler that reads the same commit otherwise, and ends with the next change', async () => {
  cluster = await createMemoryCluster({});
  const text = descriptor([{ microservice_name: 'web', replicas: 2 }]);
  await cluster.push({ 'web.yaml': text });
  await settled('web');
  await cluster.reconciler.control.scale(service('web'), 4, { actor: 'ann' });
  await count('web', 4);
  const before = cluster.handles();
  // As a version wrote it that knew fewer fields.
  await cluster.restartReconciler({
    between: async () => {
      const { overrides } = cluster.records;
      const others = Object.fromEntries(Object.entries(overrides).map(([id, one]) => [id, { ...one, base: 'other' }]));
      cluster.records = { ...cluster.records, overrides: others };
    },
  });
  await settled('web');
  await cluster.push({ 'web.yaml': text, 'README.md': 'another commit' });
  await cluster.clock.advance(60_000);
  expect(cluster.reconciler.control.overrides()).toHaveLength(1);
  expect(cluster.handles()).toEqual(before);

  await cluster.push({ 'web.yaml': setReplicas({ file: 'web.yaml', text }, service('web'), 3).text });
  await count('web', 3);
  expect(cluster.reconciler.control.overrides()).toEqual([]);
});

it('a constraint that is narrowed to where an instance was moved ends the move, and the instance stays', async () => {
  cluster = await createMemoryCluster({});
  const two = cluster.nodes.slice(0, 2);
  const constraints = [{ type: 'direct', node: two.map(({ name }) => name).join(';') }];
  const text = descriptor([{ microservice_name: 'web', replicas: 1, constraints }]);
  await cluster.push({ 'web.yaml': text });
  await settled('web');
  const to = two.find(({ name }) => !instancesOf('web')[0]?.startsWith(`${name} `));
  const { control } = cluster.reconciler;
  await control.move(`${service('web')}.instance.0`, to?.id ?? '', 'ann');
  await settled('web');
  await cluster.clock.advance(60_000);
  expect(control.overrides()).toMatchObject([{ kind: 'move', node: to?.name }]);
  const before = cluster.handles();

  const edited = setNode({ file: 'web.yaml', text }, service('web'), [to?.name ?? '']);
  await cluster.push({ 'web.yaml': edited?.text ?? '' });
  await settled('web');
  await cluster.clock.advance(7_200_000);
  expect(control.overrides()).toEqual([]);
  expect(cluster.handles()).toEqual(before);
  expect(instancesOf('web')).toMatchObject([expect.stringContaining(`${to?.name} `)]);
});
