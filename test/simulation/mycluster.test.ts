/** MyCluster's counters over the life of a cluster: what their names promise, and no more. */
import { afterEach, expect, it } from 'vitest';
import { descriptorOf, fullNameOf } from '../../reconciler/core/mycluster.ts';
import { createMemoryCluster, type MemoryCluster } from '../support/memory-cluster.ts';

let cluster: MemoryCluster;

afterEach(async () => {
  expect(cluster.fatal).toEqual([]);
  await cluster.close();
});

const name = fullNameOf('hello-world');
const deploy = (replicas: number) =>
  cluster.reconciler.control.deploy({
    documents: [{ file: 'a request', text: descriptorOf({ service: 'hello-world', image: 'hello:1', replicas }) }],
  });
const healthy = (count: number) =>
  cluster.clock.until(
    () => {
      const service = cluster.reconciler.control.service(name);
      return service?.outcome === 'settled' && service.healthy === count;
    },
    600_000,
    `${count} healthy`,
  );
const tally = () => cluster.reconciler.control.tally().tally;

it('one request, one outage, one move each; and they outlive the reconciler', async () => {
  cluster = await createMemoryCluster({ workers: 4 });
  await deploy(3);
  await healthy(3);
  await expect(deploy(-1)).rejects.toThrow();
  expect(tally()).toEqual({ requests: 1, failures: 0, relocated: 0 });

  const [home] = cluster.running()[0]?.split(' ') ?? [];
  const victim = cluster.nodes.find((node) => node.name === home);
  if (!victim) throw new Error('nothing runs');
  const carried = cluster.running().filter((line) => line.startsWith(`${home} `)).length;
  cluster.broker.cut(victim.id);
  await cluster.clock.advance(60_000);
  await healthy(3);
  await cluster.clock.advance(600_000);
  expect(tally()).toEqual({ requests: 1, failures: 1, relocated: carried });

  cluster.broker.heal(victim.id);
  await cluster.clock.advance(60_000);
  await deploy(5);
  await healthy(5);
  expect(tally()).toEqual({ requests: 2, failures: 1, relocated: carried });

  await cluster.clock.advance(2_000);
  await cluster.restartReconciler();
  await healthy(5);
  expect(tally()).toEqual({ requests: 2, failures: 1, relocated: carried });
});
