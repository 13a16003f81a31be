import { afterEach, describe, expect, it } from 'vitest';
import type { InstancesMessage } from '../../schemas/messages.ts';
import { topic } from '../../schemas/topics.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell, toldOf } from '../support/memory-story.ts';

/** What brokers and nodes say wrongly, and what people are told of it. */
describe('reports', () => {
  let cluster: MemoryCluster;
  const { settled, node } = tell(() => cluster);
  const statuses = () => toldOf(cluster.reconciler, 'instance_status');
  /** The reports of this node so far, as they were sent. */
  const reportsOf = (id: string): InstancesMessage[] =>
    cluster.broker.log
      .filter((one) => one.topic === topic(id, 'instances') && one.payload !== '')
      .map(({ payload }) => JSON.parse(payload) as InstancesMessage);
  const say = (id: string, report: InstancesMessage) => {
    const payload = JSON.stringify(report);
    cluster.broker.inject('reconciler', { topic: topic(id, 'instances'), payload, retained: false });
  };

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-40).join('\n'));
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('that a broker repeats late are no news', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web' }]) });
    await settled('web');
    const before = await statuses();
    const { id } = node(0);
    for (const report of reportsOf(id)) say(id, report);
    await cluster.clock.advance(10_000);
    expect(await statuses()).toEqual(before);
  });

  it('of copies that others were told to run are nobody’s news', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web' }]) });
    await settled('web');
    const before = await statuses();
    const [owner] = cluster.nodes.filter(({ runtime }) => runtime.copies.size > 0);
    const [liar] = cluster.nodes.filter((one) => one !== owner);
    const [copy] = reportsOf(owner?.id ?? '').at(-1)?.copies ?? [];
    const own = reportsOf(liar?.id ?? '').at(-1);
    if (!copy || !own) throw new Error('nothing was reported');
    say(liar?.id ?? '', { ...own, seq: own.seq + 1_000, copies: [{ ...copy, status: 'failed' }] });
    await cluster.clock.advance(1_000);
    expect(await statuses()).toEqual(before);
  });

  it('of a node that was revoked, on a broker that lets it stay, cost a message each and no more', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    const { id, name } = node(0);
    const [report] = reportsOf(id);
    if (!report) throw new Error('nothing was reported');
    await cluster.reconciler.control.revoke(name);
    await cluster.clock.advance(60_000);
    const before = cluster.broker.log.length;
    for (let seq = 0; seq < 100; seq += 1) say(id, { ...report, seq });
    await cluster.clock.advance(1_000);
    const said = cluster.broker.log.slice(before).filter(({ from }) => from === 'reconciler');
    expect(said.length).toBeLessThan(200);
    expect(said.filter((one) => one.topic === topic(id, 'instances')).length).toBeGreaterThanOrEqual(100);
  });
});
