import { afterEach, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

let cluster: MemoryCluster;
const { service, settled, instancesOf } = tell(() => cluster);

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.error(cluster.log.slice(-60).join('\n'));
  expect(cluster.fatal).toEqual([]);
  await cluster.close();
});

it('one of ten nodes is away during an update: the other nine finish, it catches up, and what did not change goes on', async () => {
  cluster = await createMemoryCluster({ workers: 10 });
  const versions = (): (string | undefined)[] =>
    cluster.nodes.map(({ runtime }) => {
      const [copy] = [...runtime.copies.values()].filter(
        ({ instance, state }) => state === 'running' && instance.startsWith(`${service('web')}.`),
      );
      return copy && runtime.runOf(copy)?.code;
    });
  const same = (): [string, string][] =>
    [...cluster.handles()].filter(([copy]) => copy.includes(`${service('same')}.`)).sort();
  const push = (version: number) =>
    cluster.push({
      'web.yaml': descriptor([
        { microservice_name: 'web', replicas: 'every', code: `oakctl/test:${version}`, port: 8080 },
      ]),
      'same.yaml': descriptor([{ microservice_name: 'same', replicas: 'every' }]),
    });
  await push(1);
  await settled('web', 'same');
  const before = same();
  expect(before).toHaveLength(10);
  const update = push(2);
  await cluster.clock.until(
    () => versions().filter((code) => code === 'oakctl/test:2').length === 2,
    120_000,
    'it has begun',
  );
  await update;
  const away = cluster.nodes[versions().lastIndexOf('oakctl/test:1')];
  if (!away) throw new Error('all are through');
  cluster.broker.cut(away.id);
  const others = (): (string | undefined)[] => versions().filter((_, at) => cluster.nodes[at] !== away);
  await cluster.clock.until(() => others().every((code) => code === 'oakctl/test:2'), 600_000, 'the other nine');
  const isLost = (): boolean => cluster.reconciler.control.node(away.name)?.state === 'lost';
  await cluster.clock.until(isLost, 120_000, 'it counts as lost');
  expect(versions()[cluster.nodes.indexOf(away)]).toBe('oakctl/test:1');
  cluster.broker.heal(away.id);
  await cluster.clock.until(() => versions().every((code) => code === 'oakctl/test:2'), 120_000, 'it catches up');
  await settled('web', 'same');
  expect(instancesOf('web')).toHaveLength(10);
  expect(same()).toEqual(before);
});
