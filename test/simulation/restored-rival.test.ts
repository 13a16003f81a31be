/** Nodes that follow a reconciler that was restored later, or say so: what the one from before believes, and does. */
import { afterEach, expect, it } from 'vitest';
import { asRestored } from '../../reconciler/core/restored.ts';
import { eraOf, nextEra } from '../../schemas/endpoints.ts';
import type { InformationMessage } from '../../schemas/messages.ts';
import { topic } from '../../schemas/topics.ts';
import { createMemoryCluster, descriptor, type MemoryCluster, type Wiring } from '../support/memory-cluster.ts';

let cluster: MemoryCluster;
let rival: Awaited<ReturnType<MemoryCluster['startRival']>> | undefined;
afterEach(async () => {
  await rival?.reconciler.stop();
  rival = undefined;
  await cluster.close();
});

const control = () => cluster.reconciler.control;
const rivals = () =>
  control()
    .status()
    .conditions.flatMap(({ code, subject }) => (code === 'RIVAL_RECONCILER' ? [subject] : []))
    .sort();
const deploy = (replicas: number) => {
  const text = descriptor([{ microservice_name: 'web', replicas }]);
  return control().deploy({ documents: [{ file: 'a.yaml', text }] });
};
const healthy = (count: number) =>
  cluster.clock.until(() => control().status().instances.healthy === count, 300_000, `${count} healthy`);

async function start(wiring: Wiring = {}): Promise<void> {
  cluster = await createMemoryCluster({ workers: 2, wiring });
  await deploy(2);
  await healthy(2);
}
/** The cluster is restored elsewhere, and takes the nodes. */
async function restoreElsewhere(): Promise<void> {
  const records = structuredClone(cluster.records);
  rival = await cluster.startRival(asRestored(records, nextEra(records.epoch)));
  await cluster.clock.until(() => rival?.reconciler.control.status().phase === 'running', 120_000, 'the restored one');
}

it('ends when a node shows the list that the restored one signed', async () => {
  await start();
  const before = cluster.handles();
  await restoreElsewhere();
  await cluster.clock.until(() => cluster.fatal.length > 0, 120_000, 'its end');
  expect(cluster.fatal.join()).toMatch(/RIVAL_RECONCILER.*was restored from a backup.*node worker-. follows it/);
  expect(rival?.fatal).toEqual([]);
  expect(cluster.handles()).toEqual(before);
});

it('only says so when nothing proves it, and forgets it with the node', async () => {
  await start({ agent: ({ endpoints: _kept, ...deps }) => deps });
  const before = cluster.handles();
  await restoreElsewhere();
  const all = ['node/worker-1', 'node/worker-2'];
  await cluster.clock.until(() => rivals().join() === all.join(), 120_000, 'the conditions');
  await cluster.clock.advance(120_000);
  expect(eraOf(control().status().epoch)).toBe(0);
  expect([cluster.fatal, rival?.fatal]).toEqual([[], []]);
  expect(cluster.handles()).toEqual(before);
  // The way out that the condition names.
  await control().revoke(cluster.nodes[0]?.id ?? '');
  expect(rivals()).toEqual([all[1]]);
});

it('is led into no later era by what a node says of itself', async () => {
  await start();
  const { epoch } = control().status();
  const id = cluster.nodes[0]?.id ?? '';
  const where = topic(id, 'information');
  const last = cluster.broker.log.filter((message) => message.topic === where).at(-1);
  const said = JSON.parse(last?.payload ?? '') as InformationMessage;
  for (const by of ['one', 'two', 'two']) {
    const lie: InformationMessage = { ...said, epoch: nextEra(epoch) - 1, by };
    cluster.broker.inject('reconciler', { topic: where, payload: JSON.stringify(lie), retained: false });
    await cluster.clock.advance(5_000);
  }
  expect(control().status().epoch).toBe(epoch);
  expect(cluster.fatal).toEqual([]);
  await deploy(3);
  await healthy(3);
  expect(rivals()).toEqual([]);
});
