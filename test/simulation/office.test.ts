/** Two reconcilers of one cluster on a broker that is not their own, in memory and on virtual time. */
import { afterEach, expect, it } from 'vitest';
import { officeBeat } from '../../reconciler/core/office.ts';
import type { Reconciler } from '../../reconciler/loop.ts';
import { officeTopic } from '../../schemas/topics.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { eventsOf } from '../support/memory-story.ts';

const patience = 3 * officeBeat;
let cluster: MemoryCluster;
let rival: Awaited<ReturnType<MemoryCluster['startRival']>> | undefined;
let fatal = 0;

afterEach(async () => {
  expect(cluster.fatal.length).toBe(fatal);
  fatal = 0;
  if (rival && rival.fatal.length === 0) await rival.reconciler.stop();
  rival = undefined;
  await cluster.close();
});

const web = (replicas: number) => descriptor([{ microservice_name: 'web', replicas }]);
const phase = (one: Reconciler = cluster.reconciler) => one.control.status().phase;
const codes = (one: Reconciler) => one.control.status().conditions.map(({ code }) => code);
const healthy = (one: Reconciler, count: number) =>
  cluster.clock.until(() => one.control.status().instances.healthy === count, 120_000, `${count} healthy`);
const sent = (from: string) => cluster.broker.log.filter((entry) => entry.from === from).map(({ topic }) => topic);
const copyOfRecords = () => structuredClone(cluster.records);

const kinds = async (one: Reconciler) =>
  (await eventsOf(one)).map(({ kind }) => kind).filter((kind) => kind.startsWith('reconciler_'));

async function withStandby(): Promise<Reconciler> {
  cluster = await createMemoryCluster({ shared: true });
  await cluster.push({ 'web.yaml': web(3) });
  await healthy(cluster.reconciler, 3);
  rival = await cluster.startRival(copyOfRecords());
  await cluster.clock.advance(2 * patience);
  return rival.reconciler;
}

it('the second one stands by: it says so, publishes nothing else, and takes no change', async () => {
  const standby = await withStandby();
  expect([phase(), phase(standby)]).toEqual(['running', 'standby']);
  expect(codes(cluster.reconciler)).toEqual([]);
  expect(standby.control.status().conditions).toMatchObject([
    { code: 'STANDBY', message: expect.stringContaining('http://reconciler') },
  ]);
  expect(await kinds(standby)).toEqual(['reconciler_started', 'reconciler_standby']);
  expect(await kinds(cluster.reconciler)).toEqual(['reconciler_started', 'reconciler_took_over', 'reconciler_standby']);
  expect(new Set(sent('rival'))).toEqual(new Set([officeTopic('test')]));
  await expect(standby.control.remove({ services: ['shop.default.web.default'] }, 'test')).rejects.toThrow(
    /UNAVAILABLE.*http:\/\/reconciler/s,
  );
  await expect(standby.control.createToken({})).rejects.toThrow('UNAVAILABLE');
  expect(cluster.broker.denied).toEqual([]);
});

it('it takes over when the first one dies, restarts nothing, and goes on; the first one comes back and stands by', async () => {
  const second = await withStandby();
  const before = cluster.handles();
  cluster.killReconciler();
  await cluster.clock.advance(patience - officeBeat - 1_000);
  expect(phase(second)).toBe('standby');
  await cluster.clock.until(() => phase(second) === 'running', 2 * patience, 'the takeover');
  expect(second.control.status().epoch).toBeGreaterThan(cluster.records.epoch);
  expect(codes(second)).toEqual([]);
  await healthy(second, 3);
  expect(cluster.handles()).toEqual(before);
  cluster.git.push({ 'web.yaml': web(4) });
  await healthy(second, 4);

  await cluster.startReconciler();
  await cluster.clock.advance(2 * patience);
  expect([phase(), phase(second)]).toEqual(['standby', 'running']);
  expect(cluster.running()).toHaveLength(4);
});

it('one that was cut off and replaced ends as soon as it is back', async () => {
  const second = await withStandby();
  const before = cluster.handles();
  cluster.broker.cut('reconciler');
  await cluster.clock.until(() => phase(second) === 'running', 3 * patience, 'the takeover');
  const last = sent('reconciler').length;
  cluster.broker.heal('reconciler');
  await cluster.clock.until(() => cluster.fatal.length > 0, 2 * patience, 'the end of the first one');
  expect(cluster.fatal.join()).toMatch(/RIVAL_RECONCILER.*runs this cluster by now/s);
  expect(new Set(sent('reconciler').slice(last))).toEqual(new Set([officeTopic('test')]));
  fatal = 1;
  await cluster.clock.advance(60_000);
  expect(cluster.handles()).toEqual(before);
});

it('a broker that is gone for a while and forgets everything changes nothing', async () => {
  const standby = await withStandby();
  const before = cluster.handles();
  for (const ms of [400, 40_000]) {
    cluster.broker.restart(ms);
    await cluster.clock.advance(ms + 2 * patience);
    expect([phase(), phase(standby)]).toEqual(['running', 'standby']);
  }
  expect(cluster.handles()).toEqual(before);
  await cluster.push({ 'web.yaml': web(4) });
  await healthy(cluster.reconciler, 4);
});

it('a restarted one has its own office back without a wait; without state/ it waits for three beats', async () => {
  cluster = await createMemoryCluster({ shared: true });
  cluster.killReconciler();
  await cluster.startReconciler();
  expect(await cluster.clock.until(() => phase() !== 'standby', patience, 'the office')).toBeLessThan(2_000);
  cluster.killReconciler();
  await cluster.state.remove('office.json');
  await cluster.startReconciler();
  expect(await cluster.clock.until(() => phase() !== 'standby', 2 * patience, 'the office')).toBeGreaterThanOrEqual(
    patience,
  );
});

it('a reconciler with another key refuses to start, and the one that runs says that it was there', async () => {
  cluster = await createMemoryCluster({ shared: true });
  await cluster.push({ 'web.yaml': web(3) });
  await healthy(cluster.reconciler, 3);
  rival = await cluster.startRival({ ...copyOfRecords(), epoch: 90 }, { key: 8 });
  const stranger = rival;
  await cluster.clock.until(() => stranger.fatal.length > 0, patience, 'the refusal');
  expect(stranger.fatal.join()).toMatch(/RIVAL_RECONCILER.*another key/s);
  expect(new Set(sent('rival'))).toEqual(new Set([officeTopic('test')]));
  expect([phase(), codes(cluster.reconciler)]).toEqual(['running', ['RIVAL_RECONCILER']]);
  await cluster.clock.advance(2 * patience);
  expect(codes(cluster.reconciler)).toEqual([]);
});
