/** What /healthz and /readyz rest on: broker, store, the first read of git, the office; and that no node is among it. */
import { afterEach, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

let cluster: MemoryCluster;
const { settled } = tell(() => cluster);
const whole = { vital: [], working: [] };
const vitals = () => cluster.reconciler.control.vitals();
const subjects = () => ({
  vital: vitals().vital.map(({ subject }) => subject),
  working: vitals().working.map(({ subject }) => subject),
});

/** A cluster whose source has something in it. */
async function begun(options: Parameters<typeof createMemoryCluster>[0] = {}): Promise<MemoryCluster> {
  const made = await createMemoryCluster(options);
  await made.push({ 'a.yaml': descriptor([{ microservice_name: 'web' }]) });
  return made;
}

afterEach(async () => {
  expect(cluster.fatal).toEqual([]);
  await cluster.close();
});

it('a node that is lost, and an instance that cannot run, are no lack of the reconciler', async () => {
  cluster = await createMemoryCluster({});
  await cluster.push({ 'a.yaml': descriptor([{ microservice_name: 'web', replicas: 3, memory: 100_000_000 }]) });
  for (const one of cluster.nodes) one.kill();
  await cluster.clock.advance(300_000);
  expect(cluster.reconciler.control.status().nodes.lost).toBe(3);
  expect(vitals()).toEqual(whole);
});

it('a broker that is away is missing, with the time, until it is back', async () => {
  cluster = await begun();
  cluster.broker.restart(30_000);
  await cluster.clock.advance(12_000);
  expect(subjects()).toEqual({ vital: ['broker'], working: [] });
  expect(vitals().vital[0]).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringMatching(/for 1[0-2] s/) });
  await cluster.clock.advance(60_000);
  expect(vitals()).toEqual(whole);
});

it('a disk that takes nothing is missing, until it does again', async () => {
  cluster = await begun();
  cluster.disk.full = true;
  const document = { file: 'b.yaml', text: descriptor([{ microservice_name: 'web' }], 'other') };
  await expect(cluster.reconciler.control.deploy({ documents: [document] })).rejects.toThrow();
  expect(subjects()).toEqual({ vital: ['store'], working: [] });
  cluster.disk.full = false;
  await cluster.clock.advance(5_000);
  expect(vitals()).toEqual(whole);
});

it('a source that was never read is missing; one that was accepted before and cannot be reached now is not', async () => {
  cluster = await begun();
  await settled('web');
  cluster.git.unreachable = true;
  await cluster.restartReconciler();
  expect(vitals()).toEqual(whole);
  await cluster.restartReconciler({
    between: async () => {
      cluster.records = { ...cluster.records, sources: {} };
    },
  });
  expect(subjects()).toEqual({ vital: [], working: ['git'] });
  expect(vitals().working[0]?.message).toMatch(/fleet.*SOURCE_UNREACHABLE/);
  expect(cluster.running()).toHaveLength(1);
  cluster.git.unreachable = false;
  await cluster.clock.until(() => vitals().working.length === 0, 60_000, 'the first read');
});

it('one that stands by has what it stands on, and is not ready', async () => {
  cluster = await begun({ shared: true });
  const { reconciler } = await cluster.startRival(structuredClone(cluster.records));
  await cluster.clock.advance(30_000);
  expect(vitals()).toEqual(whole);
  expect(reconciler.control.vitals()).toMatchObject({ vital: [], working: [{ subject: 'office' }] });
  await reconciler.stop();
});
