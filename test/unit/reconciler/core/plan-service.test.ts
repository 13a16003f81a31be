import { describe, expect, it } from 'vitest';
import { foldPlans } from '../../../../reconciler/core/plan.ts';
import { aCluster, aPolicy, aRun, aService, at, wanted } from '../../../support/builders.ts';
import { aFleet, type Fleet } from '../../../support/fleet.ts';
import { codes, jobs } from './plan-service-support.ts';

const policy = aPolicy();
const web = 'shop.default.web.default';
const slot = (n: number): string => `${web}.instance.${n}`;

describe('a new service', () => {
  it('starts every missing slot, spread over the nodes, and settles', () => {
    const cluster = aCluster();
    for (const n of [1, 2, 3]) cluster.join(n, 0);
    cluster.want(wanted(aService({ replicas: 3 })));

    const first = foldPlans(cluster.world, policy, at(10));
    expect(first.actions.map((a) => [a.kind, a.instance, a.node])).toEqual([
      ['start', slot(0), 'node1'],
      ['start', slot(1), 'node2'],
      ['start', slot(2), 'node3'],
    ]);
    for (const n of [1, 2, 3]) cluster.obey(n, 1000);
    const settling = foldPlans(cluster.world, policy, at(1000));
    expect(settling.actions).toEqual([]);
    expect(settling.holds.map((h) => h.code)).toEqual(['SETTLING', 'SETTLING', 'SETTLING']);
    expect(settling.wakeAt).toBe(at(11_000).mono);

    cluster.beat(9_000);
    const settled = foldPlans(cluster.world, policy, at(11_000));
    expect(settled).toMatchObject({ actions: [], holds: [], settled: 3 });
    expect(cluster.world.rollouts.get(web)).toMatchObject({ phase: 'settled', good: { run: aRun() } });
  });

  it('that fails is called failed, is tried on, and settles if it comes after all', () => {
    const cluster = aCluster();
    cluster.join(1, 0);
    cluster.want(wanted(aService()));
    foldPlans(cluster.world, policy, at(0));
    cluster.obey(1, 100, 'crash_loop');
    const failed = foldPlans(cluster.world, policy, at(100));
    expect(failed.actions).toEqual([]);
    expect(failed.holds.map((h) => h.code)).toEqual(['CRASH_LOOP']);
    expect(cluster.world.rollouts.get(web)).toMatchObject({ phase: 'failed' });
    cluster.obey(1, 200, 'running', 20_000);
    foldPlans(cluster.world, policy, at(200));
    expect(cluster.world.rollouts.get(web)).toMatchObject({ phase: 'settled' });
    expect(cluster.world.rollouts.get(web)).not.toHaveProperty('reason');
  });

  it.each([
    [
      'fails when its time is up, and not while the engine does not answer',
      [
        [1_000, 'pulling', 'progressing'],
        [61_500, 'unknown', 'progressing'],
        [62_000, 'pulling', 'failed'],
      ],
    ],
    [
      'has its whole time after its engine was silent, if nothing was seen of it before',
      [
        [1_000, 'unknown', 'progressing'],
        [50_000, 'starting', 'progressing'],
        [109_000, 'starting', 'progressing'],
        [110_000, 'starting', 'failed'],
      ],
    ],
  ] as const)('%s', (_what, reports) => {
    const cluster = aCluster();
    cluster.join(1, 0);
    cluster.want(wanted(aService({ update: { timeout: 60_000 } })));
    foldPlans(cluster.world, policy, at(0));
    for (const [ms, status, phase] of reports) {
      cluster.obey(1, ms, status);
      foldPlans(cluster.world, policy, at(ms));
      expect(cluster.world.rollouts.get(web)?.phase).toBe(phase);
    }
  });

  it.each([
    ['IMAGE_NOT_FOUND', undefined, 0],
    ['START_FAILED', 1, 0],
    ['START_FAILED', undefined, 30_000],
    ['IMAGE_PULL_FAILED', undefined, 300_000],
  ])('fails for %s (exit code %s) after %i ms', (code, exit_code, ms) => {
    const cluster = aCluster();
    cluster.join(1, 0);
    cluster.want(wanted(aService()));
    foldPlans(cluster.world, policy, at(0));
    const phase = (now: number): string | undefined => {
      const [job] = cluster.world.nodes.get('node1')?.part.jobs ?? [];
      if (!job) return undefined;
      const { instance, copy, digest, want } = job;
      const extra = exit_code === undefined ? {} : { exit_code };
      const about = { instance, copy, digest, want, age: now, reason: { code, message: 'no' }, ...extra };
      cluster.report(1, now, [{ ...about, status: 'failed' }]);
      foldPlans(cluster.world, policy, at(now));
      return cluster.world.rollouts.get(web)?.phase;
    };
    for (const early of ms > 0 ? [0, ms - 1] : []) expect(phase(early)).toBe('progressing');
    expect(phase(ms)).toBe('failed');
  });

  it('with no slots settles without calling anything good', () => {
    const fleet = aFleet(1);
    fleet.want(wanted(aService({ replicas: 0 })));
    fleet.run(2_000);
    expect(fleet.world.rollouts.get(web)).toMatchObject({ phase: 'settled' });
    expect(fleet.world.rollouts.get(web)).not.toHaveProperty('good');
    fleet.want(wanted(aService({ replicas: 1 })));
    fleet.run(2_000);
    expect(fleet.world.rollouts.get(web)).toMatchObject({ phase: 'progressing' });
  });
});

describe('an update', () => {
  function settled(order: 'start_first' | 'stop_first', replicas = 1): Fleet {
    const fleet = aFleet(1);
    fleet.want(wanted(aService({ replicas, update: { order } })));
    fleet.run(30_000);
    expect(fleet.world.rollouts.get(web)?.phase).toBe('settled');
    return fleet;
  }
  const update = (fleet: Fleet, code: string, order: 'start_first' | 'stop_first', replicas = 1): void =>
    fleet.want(wanted(aService({ replicas, run: aRun(code), update: { order } })));

  it('start first: runs old and new side by side until the new one is healthy', () => {
    const fleet = settled('start_first');
    update(fleet, 'app:2', 'start_first');
    fleet.tick(1_000);
    expect(jobs(fleet)).toEqual(['0 run app:1 node1', '0 run app:2 node1']);
    fleet.run(20_000);
    expect(jobs(fleet)).toEqual(['0 run app:2 node1']);
    expect(fleet.world.rollouts.get(web)).toMatchObject({ phase: 'settled', good: { run: aRun('app:2') } });
  });

  it('stop first: prepares the new copy while the old one runs, then swaps', () => {
    const fleet = settled('stop_first');
    update(fleet, 'app:2', 'stop_first');
    fleet.tick(1_000);
    expect(jobs(fleet)).toEqual(['0 prepared app:2 node1', '0 run app:1 node1']);
    const swap = fleet.run(3_000).flatMap((plan) => plan.actions);
    expect(swap.map((a) => (a.kind === 'want' ? [a.copy, a.want] : a.kind))).toEqual([
      ['1.1', 'stopped'],
      ['1.2', 'run'],
    ]);
    fleet.run(20_000);
    expect(jobs(fleet)).toEqual(['0 run app:2 node1']);
  });

  it('stop first, failing: the old copy runs again, and the bad digest is not tried again', () => {
    const fleet = settled('stop_first');
    update(fleet, 'bad:2', 'stop_first');
    const actions = fleet.run(10_000).flatMap((plan) => plan.actions);
    expect(actions.map((a) => `${a.kind} ${a.kind === 'want' ? `${a.copy} ${a.want}` : ''}`)).toEqual([
      'start ',
      'want 1.1 stopped',
      'want 1.2 run',
      'drop ',
      'want 1.1 run',
    ]);
    fleet.run(30_000);
    expect(jobs(fleet)).toEqual(['0 run app:1 node1']);
    expect(codes(fleet)).toEqual([`ROLLED_BACK ${web.slice(-1)}`]);
    expect(fleet.world.rollouts.get(web)).toMatchObject({
      phase: 'rolled_back',
      failed: aService({ run: aRun('bad:2') }).digest,
      ended: expect.any(Number),
    });
    update(fleet, 'app:3', 'stop_first');
    fleet.run(30_000);
    expect(fleet.world.rollouts.get(web)).toMatchObject({ phase: 'settled' });
    expect(fleet.world.rollouts.get(web)).not.toHaveProperty('failed');
  });

  it('goes slot by slot, with a reason for those that wait', () => {
    const fleet = settled('start_first', 3);
    update(fleet, 'app:2', 'start_first', 3);
    fleet.tick(1_000);
    expect(jobs(fleet).filter((job) => job.includes('app:2'))).toHaveLength(1);
    expect(codes(fleet)).toEqual(['IN_PROGRESS 0', 'UPDATE_QUEUED 1', 'UPDATE_QUEUED 2']);
    fleet.run(60_000);
    expect(jobs(fleet)).toEqual(['0 run app:2 node1', '1 run app:2 node1', '2 run app:2 node1']);
  });

  it('that waits for its swap is cancelled at once by a newer digest', () => {
    const fleet = settled('stop_first');
    update(fleet, 'app:2', 'stop_first');
    fleet.tick(1_000);
    update(fleet, 'app:3', 'stop_first');
    fleet.tick(1);
    expect(jobs(fleet)).toEqual(['0 prepared app:3 node1', '0 run app:1 node1']);
  });

  it('pause: leaves everything as it is when the new digest fails', () => {
    const fleet = settled('start_first', 2);
    fleet.want(wanted(aService({ replicas: 2, run: aRun('bad:2'), update: { on_failure: 'pause' } })));
    fleet.run(60_000);
    expect(jobs(fleet)).toEqual(['0 run app:1 node1', '0 run bad:2 node1', '1 run app:1 node1']);
    expect(fleet.world.rollouts.get(web)?.phase).toBe('paused');
  });

  it('pause: brings what is missing back as the last good version', () => {
    const fleet = settled('start_first', 2);
    fleet.want(wanted(aService({ replicas: 2, run: aRun('bad:2'), update: { on_failure: 'pause' } })));
    fleet.run(20_000);
    fleet.want(wanted(aService({ replicas: 3, run: aRun('bad:2'), update: { on_failure: 'pause' } })));
    fleet.run(2_000);
    expect(jobs(fleet).filter((job) => job.startsWith('2'))).toEqual(['2 run app:1 node1']);
  });

  it('goes back at once when the commit is taken back while the new copy is on its way', () => {
    for (const order of ['start_first', 'stop_first'] as const) {
      const fleet = settled(order);
      update(fleet, 'app:2', order);
      fleet.run(5_000);
      update(fleet, 'app:1', order);
      fleet.tick(1_000);
      expect(jobs(fleet)).toEqual(['0 run app:1 node1']);
    }
  });

  it('drops the cancelled copy also when the old one is not well', () => {
    const cluster = aCluster();
    cluster.join(1, 0);
    cluster.want(wanted(aService()));
    foldPlans(cluster.world, policy, at(0));
    cluster.obey(1, 0, 'running', 20_000);
    foldPlans(cluster.world, policy, at(0));
    cluster.want(wanted(aService({ run: aRun('app:2') })));
    foldPlans(cluster.world, policy, at(0));
    cluster.obey(1, 1, 'unhealthy');
    cluster.want(wanted(aService()));
    expect(foldPlans(cluster.world, policy, at(2)).actions).toMatchObject([{ kind: 'drop', copy: '1.2' }]);
  });

  it('across nodes does not swap while the old copy is on a silent one', () => {
    const fleet = aFleet(2);
    const on = (code: string, nodes: readonly string[]): void =>
      fleet.want(wanted(aService({ run: aRun(code), placement: { nodes }, update: { order: 'stop_first' } })));
    on('app:1', ['pi1']);
    fleet.run(30_000);
    on('app:2', ['pi2']);
    fleet.tick(1_000);
    expect(jobs(fleet)).toEqual(['0 prepared app:2 node2', '0 run app:1 node1']);
    fleet.cut(1);
    fleet.run(10_000);
    expect(jobs(fleet)).toEqual(['0 prepared app:2 node2', '0 run app:1 node1']);
    expect(codes(fleet)).toEqual(['SILENT_NODE 0']);
    fleet.run(10_000);
    expect(jobs(fleet)).toEqual(['0 run app:1 node1', '0 run app:2 node2']);
  });

  it('continue: goes on over failures, and says that it failed', () => {
    const fleet = settled('start_first', 2);
    fleet.want(wanted(aService({ replicas: 2, run: aRun('bad:2'), update: { on_failure: 'continue' } })));
    fleet.run(60_000);
    // One may be without service at a time: the old copy of the other one goes on.
    expect(jobs(fleet)).toEqual(['0 run bad:2 node1', '1 run app:1 node1', '1 run bad:2 node1']);
    expect(codes(fleet)).toContain('UPDATE_QUEUED 1');
    expect(fleet.world.rollouts.get(web)?.phase).toBe('failed');
  });

  it.each(['start_first', 'stop_first'] as const)(
    'continue, %s: what can come comes, and never more than may are without service',
    (order) => {
      const fleet = settled(order, 4);
      const update = { order, on_failure: 'continue', max_unavailable: 2, timeout: 5_000 } as const;
      fleet.want(wanted(aService({ replicas: 4, run: aRun('bad:2'), update })));
      const served = (): number =>
        [...(fleet.world.copies.get(web)?.values() ?? [])].filter(
          ({ job, report }) => job?.want === 'run' && report?.status === 'running',
        ).length;
      for (let n = 0; n < 120; n += 1) {
        fleet.tick(1_000);
        expect(served()).toBeGreaterThanOrEqual(2);
      }
      expect(fleet.world.rollouts.get(web)?.phase).toBe('failed');
      fleet.want(wanted(aService({ replicas: 4, run: aRun('app:3'), update })));
      fleet.run(120_000, 2_000);
      expect(jobs(fleet).map((line) => line.split(' ')[2])).toEqual(['app:3', 'app:3', 'app:3', 'app:3']);
    },
  );

  it.each([
    ['memory', { memory: 700 }, {}],
    ['disk', {}, { storage: 300 }],
    ['bandwidth', {}, { bandwidth_out: 60 }],
  ])('swaps in place where there is no room for two: %s', (_, run, more) => {
    const fleet = aFleet(1);
    fleet.join(1, 0, { capacity: { cpu: 4, memory: 1000, storage: 500, bandwidth_out: 100 } });
    const needs = { ...aService().needs, ...more };
    fleet.want(wanted(aService({ run: aRun('app:1', run), needs })));
    fleet.run(30_000);
    fleet.want(wanted(aService({ run: aRun('app:2', run), needs })));
    fleet.tick(1_000);
    expect(jobs(fleet)).toEqual(['0 prepared app:2 node1', '0 run app:1 node1']);
    fleet.run(30_000);
    expect(jobs(fleet)).toEqual(['0 run app:2 node1']);
  });
});
