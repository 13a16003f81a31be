/** Requests that come at once, or before the one before them is on disk: none of what was answered is lost. */
import { afterEach, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

let cluster: MemoryCluster;
const { service, settled, count, instancesOf } = tell(() => cluster);
const slots = () =>
  cluster.reconciler.control
    .services()
    .find(({ name }) => name === service('web'))
    ?.instances.map(({ slot }) => slot)
    .sort((a, b) => a - b);
const replicate = () => cluster.reconciler.control.replicate(`${service('web')}.instance.0`, undefined, 'test');

afterEach(async () => {
  expect(cluster.fatal).toEqual([]);
  await cluster.close();
});

it.each(['directly', 'by git'])('instances that are added together to what was deployed %s all come', async (how) => {
  cluster = await createMemoryCluster({});
  const text = descriptor([{ microservice_name: 'web' }]);
  if (how === 'by git') await cluster.push({ 'a.yaml': text });
  else await cluster.reconciler.control.deploy({ documents: [{ file: 'a.yaml', text }] });
  await settled('web');
  const answers = await Promise.all([replicate(), replicate(), replicate()]);
  expect(answers.map(({ instance }) => instance.split('.').at(-1))).toEqual(['1', '2', '3']);
  await count('web', 4);
  expect(slots()).toEqual([0, 1, 2, 3]);
  expect(instancesOf('web')).toHaveLength(4);
});
