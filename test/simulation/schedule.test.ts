/** Jobs on a schedule: the real reconciler and agents, days of virtual time. The clock stands at midnight when a cluster begins. */
import { afterEach, describe, expect, it } from 'vitest';
import type { ServiceView } from '../../schemas/views.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import type { MemoryNode } from '../support/memory-node.ts';

const minute = 60_000;
const name = 'shop.default.job.default';
type Spec = Readonly<Record<string, unknown>>;

let cluster: MemoryCluster;
afterEach(() => cluster.close());

const text = (spec: Spec) =>
  descriptor([{ microservice_name: 'job', one_shot: true, schedule: '*/15 * * * *', ...spec }]);
const deploy = (spec: Spec = {}) =>
  cluster.reconciler.control.deploy({ documents: [{ file: 'a.yaml', text: text(spec) }] });
const service = (): ServiceView => {
  const found = cluster.reconciler.control.services().find((one) => one.name === name);
  if (!found) throw new Error('no job');
  return found;
};
const runs = (): string[] =>
  (service().schedule?.runs ?? []).map(({ due, outcome, exit_code, cause }) =>
    [new Date(due).toISOString().slice(11, 16), outcome, exit_code ?? '', cause].join(' ').replace('  ', ' '),
  );
const running = (): string[] => cluster.running().filter((line) => line.includes(name));
/** Where the job runs, with its copy. */
const copyOf = () => {
  const found = cluster.nodes.flatMap((node: MemoryNode) =>
    [...node.runtime.copies.values()]
      .filter(({ state, instance }) => state === 'running' && instance.startsWith(name))
      .map((copy) => ({ node, copy })),
  );
  if (found.length !== 1) throw new Error(`${found.length} copies run`);
  return found[0] as (typeof found)[number];
};
const begins = (limit = 20 * minute) => cluster.clock.until(() => running().length > 0, limit, 'a run');
const exit = async (code: number) => {
  const { node, copy } = copyOf();
  node.runtime.exit(copy, code);
  await cluster.clock.advance(2_000);
};
/** Virtual time up to this time of the first day. */
const at = async (time: string) => {
  const due = Date.parse(`2026-01-01T${time}:00Z`);
  await cluster.clock.advance(Math.max(0, due - cluster.clock.now().wall));
};

describe('a job on a schedule', () => {
  it('runs at its times and not between them, and nothing of it runs again by itself', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await deploy();
    await cluster.clock.advance(1_000);
    expect(service()).toMatchObject({
      outcome: 'settled',
      slots: 0,
      message: 'next run 2026-01-01T00:15:00Z; none so far',
    });
    await at('00:14');
    expect(running()).toEqual([]);
    await at('00:16');
    expect(running()).toHaveLength(1);
    expect(service()).toMatchObject({ outcome: 'settled', slots: 1, healthy: 1 });
    await exit(0);
    expect(runs()).toEqual(['00:15 completed 0 due']);
    expect(service()).toMatchObject({ outcome: 'settled', slots: 0, instances: [{ status: 'completed' }] });
    // An engine that is cleaned up takes the ended copy with it: the agent must not make it anew.
    for (const { runtime } of cluster.nodes) for (const copy of runtime.copies.values()) runtime.vanish(copy);
    await at('00:29');
    expect(cluster.nodes.flatMap(({ runtime }) => [...runtime.copies.values()])).toEqual([]);
    await at('00:31');
    await exit(3);
    expect(runs()).toEqual(['00:30 failed 3 due', '00:15 completed 0 due']);
    expect(service()).toMatchObject({ outcome: 'failed', instances: [{ status: 'failed' }] });
    expect(service().message).toContain('failed with exit code 3 on worker-');
    await at('00:46');
    await exit(0);
    expect(service()).toMatchObject({ outcome: 'settled' });
    expect(cluster.fatal).toEqual([]);
  });

  it('is explained: why it does not run', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    await deploy();
    await cluster.clock.advance(1_000);
    const cause = cluster.reconciler.control.why('job');
    expect(cause.because).toMatchObject([
      { code: 'SCHEDULED', message: 'waits for its schedule until 2026-01-01T00:15:00Z (*/15 * * * *, UTC)' },
    ]);
    expect(cluster.reconciler.control.status()).toMatchObject({
      instances: { wanted: 0, healthy: 0 },
      services: { settled: 1 },
    });
    expect(cluster.reconciler.control.holds()).toEqual([]);
  });

  it('that takes longer than its schedule is skipped, or replaced', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await deploy();
    await at('00:46');
    expect(running()).toHaveLength(1);
    expect(service().schedule).toMatchObject({ skipped: 2, current: { skipped: 2 } });
    await exit(0);
    expect(runs()).toEqual(['00:15 completed 0 due']);
    await deploy({ schedule: { cron: '*/15 * * * *', concurrency: 'replace' } });
    await at('01:05');
    const before = copyOf().copy.copy;
    await at('01:16');
    expect(copyOf().copy.copy).not.toBe(before);
    expect(runs()[0]).toBe('01:00 replaced due');
  });

  it('survives the reconciler: a run goes on, and what was missed is made up for once', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await deploy();
    await at('00:16');
    const before = cluster.handles();
    await cluster.restartReconciler();
    await cluster.clock.advance(30_000);
    expect(cluster.handles()).toEqual(before);
    await exit(0);
    expect(runs()).toEqual(['00:15 completed 0 due']);
    await cluster.restartReconciler({ between: () => at('01:32') });
    await begins();
    await exit(0);
    await at('01:44');
    expect(runs()).toEqual(['01:30 completed 0 catch_up', '00:15 completed 0 due']);
    await cluster.restartReconciler();
    await at('01:46');
    expect(running()).toHaveLength(1);
    expect(cluster.fatal).toEqual([]);
  });

  it('that completed while the reconciler was away is not run again', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await deploy();
    await at('00:16');
    await cluster.restartReconciler({ between: () => exit(0) });
    await at('00:28');
    expect(running()).toEqual([]);
    expect(runs()).toEqual(['00:15 completed 0 due']);
  });

  it('is tried again with `restart: on_failure`, but not beyond its next time', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    await deploy({ restart: 'on_failure' });
    await at('00:16');
    const first = copyOf().copy.copy;
    await exit(1);
    expect(copyOf().copy.copy).toBe(first);
    for (let crash = 0; crash < 4; crash += 1) {
      await begins(5 * minute);
      await exit(1);
    }
    expect(service()).toMatchObject({ outcome: 'progressing', instances: [{ status: 'crash_loop' }] });
    await at('00:28');
    if (running().length > 0) await exit(1);
    await cluster.clock.advance(20_000);
    expect(running()).toEqual([]);
    await at('00:31');
    expect(runs()).toEqual(['00:15 failed 1 due']);
    expect(copyOf().copy.copy).not.toBe(first);
  });

  it('is run now when somebody asks, and not while it is stopped', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    await deploy();
    const { control } = cluster.reconciler;
    await cluster.clock.advance(1_000);
    expect(await control.start(name, 'ann')).toMatchObject({ changed: true });
    expect(service().outcome).toBe('progressing');
    expect(await control.start(name, 'ann')).toMatchObject({ changed: false });
    await begins(minute);
    const first = copyOf().copy.copy;
    await control.restart(name, undefined, 'ann');
    await cluster.clock.until(() => running().length === 1 && copyOf().copy.copy !== first, minute, 'another run');
    await exit(0);
    expect(runs().map((run) => run.slice(6))).toEqual(['completed 0 asked', 'replaced asked']);
    await at('00:16');
    await control.stop(name, { actor: 'ann' });
    await cluster.clock.advance(20_000);
    expect(running()).toEqual([]);
    expect(service()).toMatchObject({ outcome: 'stopped', schedule: { runs: [{ outcome: 'stopped' }, {}, {}] } });
    await expect(control.restart(name, undefined, 'ann')).rejects.toThrow('it is stopped');
    await at('01:40');
    await control.start(name, 'ann');
    await at('01:44');
    expect(running()).toEqual([]);
    await at('01:46');
    expect(running()).toHaveLength(1);
  });

  it('is run when somebody asks, also where it is planned while that is written', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    await deploy();
    await begins();
    const { node } = copyOf();
    await exit(0);
    let end = (): void => undefined;
    cluster.disk.busy = new Promise((resolve) => {
      end = resolve;
    });
    const asked = cluster.reconciler.control.start(name, 'ann');
    // Its copy is on a node that is gone, and back.
    cluster.broker.drop(node.id);
    await cluster.clock.advance(30_000);
    end();
    expect((await asked).changed).toBe(true);
    await begins(minute);
  });

  it('takes a new image and a new schedule without running at once', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const other = { 'b.yaml': descriptor([{ microservice_name: 'other' }]) };
    await cluster.push({ 'a.yaml': text({}), ...other });
    await at('00:16');
    await exit(0);
    await cluster.push({ 'a.yaml': text({ code: 'oakctl/test:2' }), ...other });
    expect(service().outcome).toBe('settled');
    await cluster.push({ 'a.yaml': text({ code: 'oakctl/test:2', schedule: '0 * * * *' }), ...other });
    await at('00:59');
    expect(running()).toEqual([]);
    await at('01:01');
    const { node, copy } = copyOf();
    expect(node.runtime.runOf(copy)).toMatchObject({ code: 'oakctl/test:2' });
    await exit(0);
    // Over a restart with an empty state and a source that is read late, too.
    await cluster.restartReconciler();
    expect(runs()).toHaveLength(2);
    await cluster.push(other);
    await cluster.clock.advance(12 * minute);
    expect(cluster.records.schedules).toEqual({});
  });

  it('begins again elsewhere when its node is lost, and one copy is kept when it returns', async () => {
    cluster = await createMemoryCluster({ workers: 4 });
    await deploy();
    await at('00:16');
    const { node } = copyOf();
    node.kill();
    const others = () => running().filter((line) => !line.startsWith(node.name));
    await cluster.clock.until(() => others().length === 1, 5 * minute, 'the run elsewhere');
    await node.start();
    await cluster.clock.until(() => running().length === 1, minute, 'one copy');
    await exit(0);
    expect(runs()).toEqual(['00:15 completed 0 due']);
    await at('00:29');
    expect(running()).toEqual([]);
  });

  it('that ended elsewhere is waited for by the next run where it does not stop', async () => {
    cluster = await createMemoryCluster({ workers: 4 });
    await deploy();
    await at('00:16');
    const { node, copy } = copyOf();
    cluster.broker.cut(node.id);
    await cluster.clock.until(() => running().length === 2, 5 * minute, 'the run elsewhere');
    for (const { runtime } of cluster.nodes.filter((one) => one !== node))
      for (const other of runtime.copies.values()) if (other.state === 'running') runtime.exit(other, 0);
    await cluster.clock.advance(minute);
    expect(runs()).toEqual(['00:15 completed 0 due']);
    const end = node.runtime.script('stop', name, 'hang');
    cluster.broker.heal(node.id);
    await at('00:31');
    expect(running()).toEqual([`${node.name} ${name}.instance.0/${copy.copy}`]);
    const [hold] = cluster.reconciler.control.holds().filter(({ subject }) => subject.startsWith(name));
    expect(hold?.message).toBe(`the run before it stops first, on ${node.name}`);
    end();
    await cluster.clock.until(() => running().length === 1 && copyOf().copy.copy !== copy.copy, minute, 'the next run');
    await exit(0);
    expect(runs()[0]).toBe('00:30 completed 0 due');
  });

  it('is lost with its node where it can go nowhere else, and what returns is stopped', async () => {
    cluster = await createMemoryCluster({ workers: 3 });
    await deploy({ constraints: [{ type: 'direct', node: 'worker-2' }] });
    await at('00:16');
    const { node, copy } = copyOf();
    node.kill();
    await at('00:31');
    expect(runs()).toEqual(['00:15 lost due']);
    expect(service().outcome).toBe('held');
    await node.start();
    await cluster.clock.until(
      () => running().length === 1 && copyOf().copy.copy !== copy.copy,
      2 * minute,
      'the next run',
    );
    await exit(0);
    expect(runs()[0]).toBe('00:30 completed 0 due');
  });

  it('runs once for a clock that jumps, either way', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    await deploy();
    await cluster.clock.advance(minute);
    cluster.clock.jumpWall(3 * 60 * minute + 5 * minute);
    await begins(5_000);
    await exit(0);
    expect(runs()).toEqual(['03:00 completed 0 catch_up']);
    cluster.clock.jumpWall(-10 * minute);
    await cluster.clock.advance(9 * minute);
    expect(running()).toEqual([]);
    await begins();
    expect(new Date(cluster.clock.now().wall).toISOString().slice(11, 16)).toBe('03:15');
  });

  it('runs all its instances, and is waited for by who depends on it', async () => {
    cluster = await createMemoryCluster({ workers: 3 });
    await cluster.push({
      'a.yaml': descriptor([
        { microservice_name: 'job', one_shot: true, replicas: 'every', schedule: '*/15 * * * *' },
        { microservice_name: 'web', depends_on: ['job'] },
      ]),
    });
    await at('00:16');
    expect(running()).toHaveLength(3);
    for (const { runtime } of cluster.nodes) for (const copy of runtime.copies.values()) runtime.exit(copy, 0);
    await cluster.clock.advance(30_000);
    expect(runs()).toEqual(['00:15 completed 0 due']);
    expect(cluster.running()).toEqual([expect.stringContaining('shop.default.web.default')]);
  });
});
