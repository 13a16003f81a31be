/** A cluster that comes from a backup: what was decided after it is kept, and the reconciler from before ends. */
import { afterEach, expect, it } from 'vitest';
import { asRestored } from '../../reconciler/core/restored.ts';
import { eraOf, nextEra } from '../../schemas/endpoints.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';

let cluster: MemoryCluster;
afterEach(() => cluster.close());

const control = () => cluster.reconciler.control;
const deploy = (app: string, replicas: number, code = 'oakctl/test:1') => {
  const text = descriptor([{ microservice_name: 'web', replicas, code }], app);
  return control().deploy({ documents: [{ file: 'a.yaml', text }] });
};
const healthy = (count: number) =>
  cluster.clock.until(() => control().status().instances.healthy === count, 300_000, `${count} healthy`);
const holds = () =>
  control()
    .status()
    .holds.map(({ code, subject }) => `${code} ${subject}`);

/** Takes the records as they are, lets more happen, and goes on with them on another host. */
async function restoreAfter(more: () => Promise<unknown>, count: number): Promise<ReadonlyMap<string, string>> {
  const old = structuredClone(cluster.records);
  await more();
  await healthy(count);
  await cluster.clock.advance(30_000);
  const before = cluster.handles();
  cluster.records = asRestored(old, nextEra(old.epoch));
  await cluster.restartReconciler();
  await cluster.clock.advance(120_000);
  return before;
}

it('goes on with what runs, above all epochs from before', async () => {
  cluster = await createMemoryCluster({});
  await deploy('shop', 2);
  await healthy(2);
  const before = await restoreAfter(async () => undefined, 2);
  expect(cluster.handles()).toEqual(before);
  expect(eraOf(control().status().epoch)).toBe(1);
  expect(holds()).toEqual([]);
  await deploy('shop', 3);
  await healthy(3);
  for (const [copy, handle] of before) expect(cluster.handles().get(copy)).toBe(handle);
});

it.each([
  ['a deployment', () => deploy('blog', 1), 3, 'ORPHANED blog.default.web.default'],
  ['more instances', () => deploy('shop', 4), 4, 'ORPHANED shop.default.web.default'],
  ['another version', () => deploy('shop', 2, 'oakctl/test:2'), 2, 'ORPHANED shop.default.web.default'],
] as const)('keeps %s that it knows nothing of, and says so', async (_what, more, count, hold) => {
  cluster = await createMemoryCluster({});
  await deploy('shop', 2);
  await healthy(2);
  const before = await restoreAfter(more, count);
  expect(cluster.handles()).toEqual(before);
  expect(holds()).toEqual([hold]);
  // The same again is how it is taken over, with the instances as they are.
  await more();
  await healthy(count);
  await cluster.clock.advance(60_000);
  expect(cluster.handles()).toEqual(before);
  expect(holds()).toEqual([]);
});

/** A node whose credential was exchanged after the backup. */
async function restoreBeforeRotation(): Promise<string> {
  const trusts = () => ({ key: 'any' });
  cluster = await createMemoryCluster({ workers: 1, wiring: { agent: (deps) => ({ ...deps, trusts }) } });
  const id = cluster.nodes[0]?.id ?? '';
  const old = structuredClone(cluster.records);
  await cluster.clock.until(() => control().keys().length > 0, 60_000);
  await cluster.clock.advance(10_000);
  await control().rotateKeys({ kind: 'node', all: true });
  expect(await control().renewCredential(id, `1.${id}`)).toEqual({ serial: 2, password: `2.${id}` });
  await control().renewCredential(id, `2.${id}`);
  expect(cluster.records.nodes[id]).toMatchObject({ serial: 2 });
  cluster.records = asRestored(old, nextEra(old.epoch));
  await cluster.restartReconciler();
  await cluster.clock.advance(10_000);
  return id;
}
const refused = (id: string, serial: number) =>
  expect(control().renewCredential(id, `${serial}.${id}`)).rejects.toMatchObject({ problem: { code: 'UNAUTHORIZED' } });

it('exchanges a credential that came after the backup, and cuts it off', async () => {
  const id = await restoreBeforeRotation();
  await control().rotateKeys({ kind: 'node', all: true });
  expect(await control().renewCredential(id, `2.${id}`)).toEqual({ serial: 1_001, password: `1001.${id}` });
  await control().renewCredential(id, `1001.${id}`);
  await refused(id, 2);
  await control().rotateKeys({ kind: 'node', nodes: [id], now: true });
  await refused(id, 1_001);
});

it('takes a credential that came after the backup for what it is when it is shown, also to a broker of its own', async () => {
  const id = await restoreBeforeRotation();
  expect(cluster.records.nodes[id]).toMatchObject({ serial: 1 });
  expect(control().standing(id, `2.${id}`)).toEqual({ node: 'worker-1' });
  await cluster.clock.advance(1_000);
  expect(cluster.records.nodes[id]).toMatchObject({ serial: 2 });
  await refused(id, 1);
  await control().rotateKeys({ kind: 'node', nodes: [id], now: true });
  expect(cluster.records.nodes[id]?.serial).toBe(1_001);
  // And the machine is told the way back that leaves its copies alone.
  expect(() => control().standing(id, `2.${id}`)).toThrow(/a newer credential.*remove state\/identity\*/s);
});

it('begins an exchange of credentials anew that the backup cut short', async () => {
  cluster = await createMemoryCluster({ workers: 1 });
  const id = cluster.nodes[0]?.id ?? '';
  const record = cluster.records.nodes[id];
  if (!record) throw new Error('no record');
  const nodes = { [id]: { ...record, next: { serial: 2, since: record.joined } } };
  expect(asRestored({ ...cluster.records, nodes }, nextEra(1)).nodes[id]).toEqual(record);
});
