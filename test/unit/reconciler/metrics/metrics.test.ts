import { describe, expect, it } from 'vitest';
import type { Seen } from '../../../../reconciler/metrics/cluster-gauges.ts';
import { createMetrics } from '../../../../reconciler/metrics/metrics.ts';
import type { BusHandlers } from '../../../../schemas/ports.ts';
import { fakeControlPlane, fakeInstance, fakeNode, fakeService } from '../../../support/fake-control-plane.ts';
import { injectedApi } from '../../../support/injected-api.ts';

function seen(given: Partial<Seen['figures']> = {}): Seen {
  const queues = { services_to_plan: 0, nodes_to_tell: 2, messages_unacknowledged: 0 };
  const figures = { status: fakeControlPlane().status(), services: [], nodes: [], queues, ...given };
  return { figures, vitals: { vital: [], working: [] } };
}

/** Lines of values by name with labels. */
function values(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}
const rowsOf = (text: string, name: string) => [...values(text).keys()].filter((row) => row.startsWith(`${name}{`));

describe('metrics', () => {
  it('tell the state of the cluster, and not that of a moment ago', async () => {
    let now = 0;
    const metrics = createMetrics(() => now);
    const hold = { code: 'NO_CAPACITY', subject: 'a', message: '' } as const;
    const status = { ...fakeControlPlane().status(), holds: [hold] };
    const service = { ...fakeService('a.b.c.d'), instances: [fakeInstance('a.b.c.d.instance.0')] };
    const node = fakeNode('pi1', { id: 'ab', usage: { cpu: 50, memory: 25 }, capacity: { cpu: 4, memory: 1024 } });
    const first = values(await metrics.scrape(() => seen({ status, services: [service], nodes: [node] })));
    expect(first.get('oakctl_holds{code="NO_CAPACITY"}')).toBe(1);
    expect(first.get('oakctl_holds{code="NO_NODE"}')).toBe(0);
    expect(first.get('oakctl_instances{status="running"}')).toBe(1);
    expect(first.get('oakctl_node_cpu_usage_ratio{node="pi1"}')).toBe(0.5);
    expect(first.get('oakctl_node_capacity_memory_bytes{node="pi1"}')).toBe(2 ** 30);
    expect(first.get('oakctl_queue_length{queue="nodes_to_tell"}')).toBe(2);
    now = 2_000;
    const second = await metrics.scrape(() => seen());
    expect(values(second).get('oakctl_instances{status="running"}')).toBe(0);
    expect(rowsOf(second, 'oakctl_node_up')).toEqual([]);
  });

  it('look at the cluster once a second, however often they are asked', async () => {
    let now = 0;
    const metrics = createMetrics(() => now);
    let looks = 0;
    const look = () => {
      looks += 1;
      return seen();
    };
    for (now of [10, 20, 900, 1_200]) await metrics.scrape(look);
    expect(looks).toBe(2);
  });

  it('have labels of closed lists: neither a fleet nor a hostile agent makes rows without end', async () => {
    const nodes = Array.from({ length: 3_000 }, (_, n) => fakeNode(`node-${n}`, { id: `${n}`, version: `0.${n}` }));
    const instances = Array.from({ length: 500 }, (_, n) => ({
      ...fakeInstance(`a.b.c.d.instance.${n}`),
      status: `made-up-${n}` as 'running',
    }));
    const text = await createMetrics().scrape(() =>
      seen({ nodes, services: [{ ...fakeService('a.b.c.d'), instances }] }),
    );
    expect(rowsOf(text, 'oakctl_node_up')).toHaveLength(1_000);
    expect(values(text).get('oakctl_nodes_not_shown')).toBe(2_000);
    expect(rowsOf(text, 'oakctl_agents')).toHaveLength(11);
    expect(values(text).get('oakctl_agents{version="other"}')).toBe(2_990);
    expect(values(text).get('oakctl_instances{status="other"}')).toBe(500);
    expect(text).not.toContain('made-up');
  });

  it('are named as Prometheus wants it', async () => {
    const metrics = createMetrics();
    metrics.http.answered({ method: 'GET', route: '/v1/status', status: 200, ms: 3 });
    const text = await metrics.scrape(() => seen());
    const types = [...text.matchAll(/^# TYPE (oakctl_\w+) (\w+)$/gm)].map(([, name, type]) => [name, type]);
    expect(types.length).toBeGreaterThan(30);
    for (const [name = '', type] of types) {
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      expect(name).not.toMatch(/milliseconds|_ms$|megabytes|percent/);
      expect(text).toMatch(new RegExp(`^# HELP ${name} .+\\.$`, 'm'));
    }
  });
});

describe('what is counted as it happens', () => {
  it('messages by row, whatever is said on other topics', async () => {
    const metrics = createMetrics();
    let handlers: BusHandlers | undefined;
    const bus = metrics.bus({
      open(_options, given) {
        handlers = given;
      },
      publish: () => {},
      pending: () => 0,
      close: async () => {},
    });
    bus.open({ subscribe: [] }, { connected: () => {}, disconnected: () => {}, message: () => {} });
    handlers?.connected();
    const topics = [
      'nodes/ab/information',
      'nodes/ab/instances/0',
      'nodes/ab/instances/1',
      'nodes/ab/x',
      'clusters/a/b',
    ];
    for (const topic of [...topics, 'nodes', 'nodes/', 'nodes/a', ''])
      handlers?.message({ topic, payload: '', retained: false });
    bus.publish('nodes/ab/assignment/0', '', { qos: 1, retain: true });
    const found = values(await metrics.scrape(() => seen()));
    const received = (row: string) => found.get(`oakctl_broker_messages_received_total{row="${row}"}`);
    expect([received('information'), received('instances'), received('other')]).toEqual([1, 2, 6]);
    expect(found.get('oakctl_broker_messages_sent_total{row="assignment"}')).toBe(1);
    expect(found.get('oakctl_broker_connected')).toBe(1);
    handlers?.disconnected('gone');
  });

  it('steps of git and writes of records, also those that fail, which fail as before', async () => {
    const metrics = createMetrics();
    const failure = new Error('no');
    const git = metrics.git('fleet', {
      head: async () => 'abc',
      fetch: async () => Promise.reject(failure),
      tree: async () => [],
      blobs: async () => new Map(),
      oldBlobs: async () => new Map(),
      isAncestor: async () => undefined,
      trailers: async () => [],
      unsigned: async () => [],
      describe: async () => ({ author: '', subject: '' }),
      watch: () => () => {},
    });
    const signal = new AbortController().signal;
    expect(await git.head(signal)).toBe('abc');
    await expect(git.fetch('abc', signal)).rejects.toBe(failure);
    const store = metrics.store({ load: async () => ({}) as never, save: async () => Promise.reject(failure) });
    await expect(store.save({} as never)).rejects.toBe(failure);
    const found = values(await metrics.scrape(() => seen()));
    expect(found.get('oakctl_git_failures_total{source="fleet",step="fetch"}')).toBe(1);
    expect(found.get('oakctl_git_duration_seconds_count{source="fleet",step="head"}')).toBe(1);
    expect(found.get('oakctl_records_save_failures_total')).toBe(1);
  });
});

describe('GET /metrics', () => {
  it('needs the token, counts requests by route as declared, and paths that are none as one', async () => {
    const metrics = createMetrics();
    const { get } = injectedApi({ figures: () => seen().figures }, { metrics });
    expect((await get('/metrics', { authorization: '' })).status).toBe(401);
    for (const path of ['a', 'b', 'c']) await get(`/v1/nodes/${path}`);
    for (const path of ['a', 'b', 'c']) await get(`/made/up/${path}`);
    const { status, text } = await get('/metrics');
    expect(status).toBe(200);
    const found = values(text);
    expect(found.get('oakctl_http_requests_total{method="GET",route="/v1/nodes/:name",status="404"}')).toBe(3);
    expect(found.get('oakctl_http_requests_total{method="any",route="none",status="404"}')).toBe(3);
    expect(text).not.toContain('made/up');
    expect((await injectedApi().get('/metrics')).status).toBe(404);
  });
});
