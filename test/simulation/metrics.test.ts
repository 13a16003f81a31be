/** What a cluster counts of itself: the real loop with real metrics around its ports, on virtual time. */
import { afterEach, expect, it } from 'vitest';
import { createMetrics, type Metrics } from '../../reconciler/metrics/metrics.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

let cluster: MemoryCluster;
const { settled } = tell(() => cluster);

afterEach(async () => {
  expect(cluster.fatal).toEqual([]);
  await cluster.close();
});

async function value(metrics: Metrics, row: string): Promise<number> {
  const { control } = cluster.reconciler;
  // Virtual time, real metrics: the text of the last second would be given again.
  await cluster.clock.advance(1_001);
  const text = await metrics.scrape(() => ({ figures: control.figures(), vitals: control.vitals() }));
  const line = text.split('\n').find((one) => one.startsWith(`${row} `));
  return line === undefined ? Number.NaN : Number(line.split(' ').at(-1));
}

it('counts what was decided and said, shows what is, and follows when a node is lost and the broker goes', async () => {
  let metrics: Metrics | undefined;
  cluster = await createMemoryCluster({
    wiring: {
      reconciler(deps) {
        const made = createMetrics(() => deps.clock.now().mono);
        metrics = made;
        return {
          ...deps,
          bus: made.bus(deps.bus),
          records: made.store(deps.records),
          sources: deps.sources.map((source) => ({ ...source, git: made.git(source.name, source.git) })),
          meter: made.meter,
        };
      },
    },
  });
  if (!metrics) throw new Error('no metrics');
  await cluster.push({ 'a.yaml': descriptor([{ microservice_name: 'web', replicas: 3 }]) });
  await settled('web');
  const now = (row: string) => value(metrics as Metrics, row);
  expect(await now('oakctl_ready')).toBe(1);
  expect(await now('oakctl_instances_healthy')).toBe(3);
  expect(await now('oakctl_instances{status="running"}')).toBe(3);
  expect(await now('oakctl_services{outcome="settled"}')).toBe(1);
  expect(await now('oakctl_nodes{state="online"}')).toBe(3);
  expect(await now('oakctl_node_instances{node="worker-1"}')).toBe(1);
  expect(await now('oakctl_plan_actions_sum')).toBeGreaterThanOrEqual(3);
  expect(await now('oakctl_reconcile_duration_seconds_count')).toBeGreaterThan(0);
  expect(await now('oakctl_broker_messages_sent_total{row="assignment"}')).toBeGreaterThan(0);
  expect(await now('oakctl_broker_messages_received_total{row="information"}')).toBeGreaterThan(0);
  expect(await now('oakctl_git_duration_seconds_count{source="fleet",step="fetch"}')).toBeGreaterThan(0);
  expect(await now('oakctl_records_save_duration_seconds_count')).toBeGreaterThan(0);
  expect(await now('oakctl_events_total{kind="instance_started"}')).toBe(3);
  expect(await now('oakctl_source_synced{source="fleet"}')).toBe(1);

  cluster.nodes[0]?.kill();
  await cluster.clock.advance(60_000);
  expect(await now('oakctl_nodes{state="lost"}')).toBe(1);
  expect(await now('oakctl_node_up{node="worker-1"}')).toBe(0);
  expect(await now('oakctl_ready')).toBe(1);

  cluster.broker.restart(30_000);
  await cluster.clock.advance(5_000);
  expect(await now('oakctl_broker_connected')).toBe(0);
  expect(await now('oakctl_healthy')).toBe(0);
});
