import { describe, expect, it } from 'vitest';
import { foldPlans } from '../../../../reconciler/core/plan.ts';
import { planService, waitsForNodes } from '../../../../reconciler/core/plan-service.ts';
import { apply } from '../../../../reconciler/core/world.ts';
import { aCluster, aNodeRecord, aPolicy, aRun, aService, at, wanted } from '../../../support/builders.ts';
import { aFleet, type Fleet } from '../../../support/fleet.ts';
import { codes, jobs, unwant } from './plan-service-support.ts';

const policy = aPolicy();
const web = 'shop.default.web.default';
const slot = (n: number): string => `${web}.instance.${n}`;

describe('fewer and more replicas', () => {
  it('keep their numbers, and the surplus goes at once', () => {
    const fleet = aFleet(2);
    fleet.want(wanted(aService({ replicas: 3 })));
    fleet.run(30_000);
    fleet.want(wanted(aService({ replicas: 1 }), { slots: [0, 5] }));
    const actions = fleet.tick(1_000).flatMap((plan) => plan.actions);
    expect(actions.map((a) => `${a.kind} ${a.instance}`)).toEqual([
      `start ${slot(5)}`,
      `drop ${slot(2)}`,
      `drop ${slot(1)}`,
    ]);
  });
});

it('an instance that may go to one node only has its place before those that can go elsewhere', () => {
  const cluster = aCluster();
  for (const n of [1, 2]) cluster.join(n, 0);
  const run = { ...aRun(), ports: [{ host: 8080, container: 80, protocol: 'tcp' as const }] };
  const seats = { 1: { to: 'node1', command: 'replicate' } } as const;
  cluster.want(wanted(aService({ replicas: 2, run }), { slots: [0, 1], seats }));
  const { actions } = planService(cluster.world, web, policy, at(0));
  expect(actions).toMatchObject([
    { kind: 'start', instance: slot(0), node: 'node2' },
    { kind: 'start', instance: slot(1), node: 'node1' },
  ]);
});

it('so has its update: the others do not take its ports there', () => {
  const fleet = aFleet(3);
  const run = (code: string) => ({ ...aRun(code), ports: [{ host: 8080, container: 80, protocol: 'tcp' as const }] });
  fleet.want(wanted(aService({ replicas: 2, run: run('app:1') })));
  fleet.run(30_000);
  const [free = ''] = ['node1', 'node2', 'node3'].filter((id) => !fleet.world.copiesOn.has(id));
  const seats = { 1: { to: free, command: 'replicate' } } as const;
  const update = { order: 'start_first', settle: 1_000 } as const;
  fleet.want(wanted(aService({ replicas: 2, run: run('app:2'), update }), { slots: [0, 1], seats }));
  fleet.run(120_000);
  expect(jobs(fleet)).toEqual([expect.stringMatching(/^0 run app:2 /), `1 run app:2 ${free}`]);
  expect(codes(fleet)).toEqual([]);
});

describe('a silent node', () => {
  function three(): Fleet {
    const fleet = aFleet(3);
    fleet.want(wanted(aService({ replicas: 3 })));
    fleet.run(30_000);
    return fleet;
  }

  it('is waited for until it is lost, then its instance runs elsewhere and the old copy stays in its part', () => {
    const fleet = three();
    fleet.kill(1);
    fleet.run(13_000);
    expect(codes(fleet)).toEqual(['SILENT_NODE 0']);
    fleet.run(5_000);
    expect(jobs(fleet).filter((job) => job.startsWith('0'))).toEqual(['0 run app:1 node1', '0 run app:1 node2']);
  });

  it('that returns keeps nothing that was replaced and is healthy', () => {
    const fleet = three();
    fleet.kill(1);
    fleet.run(60_000);
    fleet.revive(1);
    fleet.tick(1_000);
    expect(jobs(fleet)).toEqual(['0 run app:1 node2', '1 run app:1 node2', '2 run app:1 node3']);
  });

  it('that returns with a healthy copy keeps it if the replacement is not healthy yet', () => {
    const fleet = three();
    fleet.cut(1);
    fleet.run(16_000);
    expect(jobs(fleet).filter((job) => job.startsWith('0'))).toHaveLength(2);
    fleet.revive(1);
    fleet.tick(1_000);
    expect(jobs(fleet).filter((job) => job.startsWith('0'))).toEqual(['0 run app:1 node1']);
  });

  it('is waited for too where a stopped copy could run again elsewhere, on a node with room for it or without', () => {
    for (const room of [true, false]) {
      const fleet = aFleet(3);
      const run = aRun('app:1', { memory: 600 });
      fleet.want(wanted(aService({ run })));
      fleet.run(30_000);
      const until = at(3_600_000).wall;
      const stopped = {
        id: 'a',
        service: web,
        change: { kind: 'stop' },
        actor: 'me',
        since: at(0).wall,
        until,
      } as const;
      fleet.want(wanted(aService({ run }), { stopped: { ...stopped, base: '' } }));
      fleet.run(5_000);
      const [home = ''] = fleet.world.copiesOn.keys();
      const n = Number(home.slice(-1));
      fleet.cut(n);
      fleet.want(wanted(aService({ run })));
      fleet.run(30_000);
      const [place = 0] = [1, 2, 3].filter((one) => one !== n && fleet.world.copiesOn.has(`node${one}`));
      const both = [`0 run app:1 node${place}`, `0 stopped app:1 ${home}`];
      expect(jobs(fleet).sort()).toEqual(both);
      if (!room) {
        const other = aRun('other:1', { memory: 600 });
        fleet.want(wanted(aService({ name: 'shop.default.api.default', run: other, replicas: 'every' })));
      }
      fleet.cut(place);
      fleet.revive(n);
      fleet.run(3_000);
      expect(jobs(fleet).sort()).toEqual(both);
      expect(codes(fleet)).toContain('SILENT_NODE 0');
      fleet.run(20_000);
      if (room) expect(jobs(fleet)).toContain(`0 run app:1 ${home}`);
      else expect(codes(fleet)).toContain('NO_CAPACITY 0');
    }
  });

  it('that speaks again counts with its copies only once it has reported them', () => {
    const fleet = three();
    fleet.cut(1);
    fleet.run(16_000);
    fleet.beat(fleet.now() + 10, 1);
    const plan = planService(fleet.world, web, policy, at(fleet.now() + 10));
    expect(plan.actions).toEqual([]);
  });

  it('is not replaced when more than half of the nodes are silent', () => {
    const fleet = three();
    fleet.kill(1);
    fleet.kill(2);
    fleet.run(60_000);
    expect(codes(fleet)).toEqual(['MASS_LOSS 0', 'MASS_LOSS 1']);
    expect(jobs(fleet)).toHaveLength(3);
    fleet.revive(2);
    fleet.run(3_000);
    expect(jobs(fleet).filter((job) => job.startsWith('0'))).toHaveLength(2);
  });
});

describe('replicas: every', () => {
  it('runs one on each matching node, by ordinal, and waits for a lost one', () => {
    const fleet = aFleet(3);
    fleet.join(7, 0, { labels: { zone: 'far' } });
    const rule = { label: 'zone', op: 'not_in' as const, values: ['far'] };
    fleet.want(wanted(aService({ replicas: 'every', placement: { labels: [rule] } })));
    fleet.run(30_000);
    expect(jobs(fleet)).toEqual(['1 run app:1 node1', '2 run app:1 node2', '3 run app:1 node3']);
    fleet.kill(1);
    fleet.run(60_000);
    expect(codes(fleet)).toEqual(['NODES_AWAY 1']);
    expect(jobs(fleet)).toHaveLength(3);
    apply(fleet.world, { kind: 'node_forgotten', node: 'node1' });
    expect(codes(fleet)).toEqual([]);
  });

  it('does not wait for a lost node to call an update settled', () => {
    const fleet = aFleet(4);
    fleet.kill(1);
    fleet.run(60_000);
    fleet.want(wanted(aService({ replicas: 'every' })));
    fleet.run(60_000);
    expect(fleet.world.rollouts.get(web)?.phase).toBe('settled');
  });

  it('does not wait for a cordoned node either, and says so', () => {
    const fleet = aFleet(2);
    apply(fleet.world, { kind: 'node', record: aNodeRecord(2, { cordon: { cause: 'by hand' } }) });
    fleet.want(wanted(aService({ replicas: 'every' })));
    fleet.run(30_000);
    expect(codes(fleet)).toEqual(['NODES_CORDONED 2']);
    expect(fleet.world.rollouts.get(web)?.phase).toBe('settled');
  });

  it('takes over from numbered slots: each moves to its own node', () => {
    const fleet = aFleet(2);
    fleet.want(wanted(aService({ replicas: 2 }), { slots: [1, 2] }));
    fleet.cut(1);
    fleet.run(30_000);
    fleet.revive(1);
    fleet.want(wanted(aService({ replicas: 'every' })));
    fleet.run(90_000);
    expect(jobs(fleet)).toEqual(['1 run app:1 node1', '2 run app:1 node2']);
  });

  const numbered = wanted(aService({ replicas: 2 }), { slots: [7, 8] });
  const every = wanted(aService({ replicas: 'every' }));
  it.each([
    ['takes over from a number', numbered, every, [1, 2]],
    ['gives way to a number', every, numbered, [7, 8]],
  ])('%s: what served goes on until the others do', (_, before, after, slots) => {
    const fleet = aFleet(2);
    fleet.want(before);
    fleet.run(30_000);
    fleet.want(after);
    expect(fleet.tick(1_000).flatMap((plan) => plan.actions.map(({ kind }) => kind))).toEqual(['start', 'start']);
    expect(jobs(fleet)).toHaveLength(4);
    fleet.run(60_000);
    expect(jobs(fleet).map((job) => Number(job[0]))).toEqual(slots);
  });

  it('keeps nobody beside slots that serve in an old version until their update', () => {
    const fleet = aFleet(4);
    fleet.want(every);
    fleet.run(30_000);
    fleet.want(wanted(aService({ replicas: 2, run: aRun('app:2') }), { slots: [1, 2] }));
    fleet.run(5_000);
    expect(jobs(fleet).filter((job) => /^[34]/.test(job))).toEqual([]);
    expect(jobs(fleet)).toContain('2 run app:1 node2');
  });

  it('gives way to instances that are to be kept apart from it', () => {
    const fleet = aFleet(2);
    fleet.want(every);
    fleet.run(30_000);
    const apart = { apart: [{ services: [web] }] };
    fleet.want(wanted(aService({ replicas: 2, placement: apart }), { slots: [7, 8] }));
    fleet.run(60_000);
    expect(jobs(fleet).map((job) => Number(job[0]))).toEqual([7, 8]);
  });

  it('takes over from a number though a node is closed', () => {
    const fleet = aFleet(2);
    fleet.want(numbered);
    fleet.run(30_000);
    apply(fleet.world, { kind: 'node', record: aNodeRecord(2, { cordon: { cause: 'by hand' } }) });
    fleet.want(every);
    fleet.run(60_000);
    expect(jobs(fleet)).toEqual(['1 run app:1 node1']);
  });
});

describe('a service that nobody wants', () => {
  function running(): Fleet {
    const fleet = aFleet(1);
    fleet.want(wanted(aService()));
    fleet.run(30_000);
    apply(fleet.world, { kind: 'desired', service: web });
    return fleet;
  }
  const kept = (fleet: Fleet, code: string): void => {
    expect(fleet.run(60_000).flatMap((plan) => plan.actions)).toEqual([]);
    expect(codes(fleet)).toEqual([`${code} t`]);
  };

  it('stays while no source explains it', () => kept(running(), 'ORPHANED'));

  it('keeps what is known of its updates while it stays', () => {
    const fleet = running();
    fleet.run(10_000);
    expect(fleet.world.rollouts.get(web)?.phase).toBe('settled');
  });

  it('stays while the ancestry of its commit is unknown, or when it is no ancestor', () => {
    const fleet = running();
    apply(fleet.world, { kind: 'head', source: 'main', commit: 'c2' });
    kept(fleet, 'ANCESTRY_UNKNOWN');
    apply(fleet.world, { kind: 'ancestry', source: 'main', commit: 'c1', ancestor: false });
    kept(fleet, 'ANCESTRY_UNKNOWN');
  });

  it('goes when it came from an older commit of its source, unless a guard holds it', () => {
    const fleet = running();
    const hold = { code: 'REMOVAL_GUARD' as const, subject: 'source/main', message: '' };
    apply(fleet.world, { kind: 'held', service: web, hold });
    apply(fleet.world, { kind: 'head', source: 'main', commit: 'c2' });
    apply(fleet.world, { kind: 'ancestry', source: 'main', commit: 'c1', ancestor: true });
    expect(fleet.run(20_000).flatMap((plan) => plan.actions)).toEqual([]);
    apply(fleet.world, { kind: 'held', service: web });
    fleet.run(5_000);
    expect(jobs(fleet)).toEqual([]);
    expect(fleet.world.rollouts.has(web)).toBe(false);
  });

  it('goes with its tombstone, also from a node that was away', () => {
    const fleet = running();
    fleet.kill(1);
    fleet.run(60_000);
    apply(fleet.world, { kind: 'tombstone', service: web, copy: '1.9' });
    fleet.run(5_000);
    expect(jobs(fleet)).toHaveLength(1);
    fleet.revive(1);
    fleet.tick(1_000);
    expect(jobs(fleet)).toEqual([]);
  });

  it('stays if its copy is newer than the tombstone', () => {
    const fleet = running();
    apply(fleet.world, { kind: 'tombstone', service: web, copy: '1.0' });
    kept(fleet, 'ORPHANED');
  });
});

describe('a service that was deleted and deployed again', () => {
  it('runs new copies; those from before the delete go when their node returns', () => {
    const fleet = aFleet(2);
    fleet.want(wanted(aService()));
    fleet.run(30_000);
    fleet.kill(1);
    fleet.run(14_000);
    apply(fleet.world, { kind: 'tombstone', service: web, copy: '1.1' });
    fleet.run(2_000);
    expect(jobs(fleet)).toEqual(['0 run app:1 node1', '0 run app:1 node2']);
    fleet.revive(1);
    fleet.tick(1_000);
    expect(jobs(fleet)).toEqual(['0 run app:1 node2']);
  });

  it('keeps nothing from before the delete while it is stopped, either', () => {
    const fleet = aFleet(1);
    fleet.want(wanted(aService()));
    fleet.run(30_000);
    apply(fleet.world, { kind: 'tombstone', service: web, copy: '1.1' });
    const until = at(3_600_000).wall;
    const stopped = { id: 'a', service: web, change: { kind: 'stop' }, actor: 'me', since: at(0).wall, until } as const;
    fleet.want(wanted(aService(), { stopped: { ...stopped, base: '' } }));
    fleet.run(5_000);
    expect(jobs(fleet)).toEqual([]);
  });
});

describe('a one-shot service', () => {
  it('that completed is done, also when its node is lost afterwards', () => {
    const cluster = aCluster();
    for (const n of [1, 2, 3]) cluster.join(n, 0);
    cluster.want(wanted(aService({ run: aRun('job:1', { one_shot: true }) })));
    foldPlans(cluster.world, policy, at(0));
    cluster.obey(1, 100, 'completed');
    expect(foldPlans(cluster.world, policy, at(100))).toMatchObject({ actions: [], holds: [], settled: 1 });
    cluster.beat(50_000, 2, 3);
    expect(foldPlans(cluster.world, policy, at(50_000))).toMatchObject({ actions: [], holds: [], settled: 1 });
  });

  it('that completed is done, also when a version after it fails and it would be the one to go back to', () => {
    const cluster = aCluster();
    for (const n of [1, 2]) cluster.join(n, 0);
    cluster.want(wanted(aService({ run: aRun('job:1', { one_shot: true }) })));
    foldPlans(cluster.world, policy, at(0));
    cluster.obey(1, 100, 'completed');
    foldPlans(cluster.world, policy, at(100));
    cluster.beat(50_000, 2);
    cluster.want(wanted(aService({ run: aRun('job:bad', { one_shot: true }) })));
    const [begun] = foldPlans(cluster.world, policy, at(50_000)).actions;
    expect(begun).toMatchObject({ kind: 'start', run: { code: 'job:bad' } });
    const copy = [...(cluster.world.copies.get(web)?.values() ?? [])].find(({ node }) => node === begun?.node);
    const said = { instance: slot(0), digest: copy?.job?.digest, want: 'run', status: 'failed', age: 0 };
    const reason = { code: 'IMAGE_NOT_FOUND', message: 'no such image' };
    cluster.report(2, 50_100, [{ ...said, copy: copy?.copy, reason } as never]);
    const { actions } = foldPlans(cluster.world, policy, at(50_100));
    expect(actions).toMatchObject([{ kind: 'drop', copy: copy?.copy }]);
    expect(cluster.world.rollouts.get(web)?.phase).toBe('rolled_back');
  });

  it('that completed is done, also when another version still runs and it is asked for again', () => {
    const cluster = aCluster();
    for (const n of [1, 2]) cluster.join(n, 0);
    const first = wanted(aService({ run: aRun('job:1', { one_shot: true }) }));
    cluster.want(first);
    foldPlans(cluster.world, policy, at(0));
    cluster.obey(1, 100, 'completed');
    foldPlans(cluster.world, policy, at(100));
    cluster.beat(50_000, 2);
    cluster.want(wanted(aService({ run: aRun('job:2', { one_shot: true }) })));
    foldPlans(cluster.world, policy, at(50_000));
    cluster.obey(2, 50_100, 'running');
    cluster.beat(70_000, 2);
    foldPlans(cluster.world, policy, at(70_000));
    cluster.want(first);
    const { actions } = foldPlans(cluster.world, policy, at(70_000));
    expect(actions).toMatchObject([{ kind: 'drop', node: 'node2', why: 'what is wanted is done already' }]);
  });

  it('that completed is done, also when a node comes back that did the version before', () => {
    const cluster = aCluster();
    for (const n of [1, 2]) cluster.join(n, 0);
    const first = wanted(aService({ run: aRun('job:1', { one_shot: true }) }));
    const second = wanted(aService({ run: aRun('job:2', { one_shot: true }) }));
    cluster.want(first);
    foldPlans(cluster.world, policy, at(0));
    cluster.beat(50_000, 2);
    cluster.want(second);
    foldPlans(cluster.world, policy, at(50_000));
    cluster.obey(2, 50_100, 'completed');
    expect(foldPlans(cluster.world, policy, at(50_100)).settled).toBe(1);
    cluster.beat(100_000, 1);
    cluster.obey(1, 100_000, 'completed');
    expect(foldPlans(cluster.world, policy, at(100_000)).actions).toMatchObject([
      { kind: 'drop', node: 'node1', why: 'what is wanted is done already' },
    ]);
    // Asked for again after the other version was done, it runs again.
    cluster.beat(150_000, 2);
    cluster.want(first);
    expect(foldPlans(cluster.world, policy, at(150_000)).actions).toMatchObject([
      { kind: 'start', run: { code: 'job:1' } },
    ]);
  });

  it('that completed is done, also when its node was lost before its ledger was read', () => {
    const cluster = aCluster();
    cluster.join(1, 0);
    apply(cluster.world, { kind: 'node', record: aNodeRecord(2) });
    cluster.beat(0, 2);
    const service = aService({ run: aRun('job:1', { one_shot: true }) });
    const said = { instance: slot(0), digest: service.digest, want: 'run', status: 'completed', age: 0 };
    cluster.report(2, 0, [{ ...said, copy: '0.4' } as never]);
    cluster.want(wanted(service));
    cluster.beat(50_000, 1);
    expect(foldPlans(cluster.world, policy, at(50_000))).toMatchObject({ actions: [], holds: [], settled: 1 });
    // Deployed anew since, it runs again.
    apply(cluster.world, { kind: 'tombstone', service: web, copy: '0.4' });
    expect(foldPlans(cluster.world, policy, at(50_000)).actions).toMatchObject([{ kind: 'start' }]);
  });
});

describe('before everything is known', () => {
  it('plans nothing while recovering', () => {
    const fleet = aFleet(1);
    fleet.world.recovering = true;
    fleet.want(wanted(aService()));
    const plan = planService(fleet.world, web, policy, at(0));
    expect(plan).toMatchObject({ actions: [], holds: [{ code: 'RECOVERING' }] });
  });

  it.each(['no copy', 'a stopped copy'])(
    'leaves copies and slots of nodes alone whose ledger was not read: with %s elsewhere',
    (elsewhere) => {
      const cluster = aCluster();
      cluster.join(1, 0);
      const spec = aService();
      cluster.want(wanted(spec));
      if (elsewhere === 'a stopped copy') {
        foldPlans(cluster.world, policy, at(0));
        const action = {
          kind: 'want',
          want: 'stopped',
          service: web,
          instance: slot(0),
          copy: '1.1',
          node: 'node1',
        } as const;
        apply(cluster.world, { kind: 'promised', action: { ...action, why: 'test' }, at: at(0).mono });
        cluster.obey(1, 0);
      }
      apply(cluster.world, { kind: 'node', record: aNodeRecord(2) });
      cluster.beat(0, 2);
      const copy = { instance: slot(0), copy: '0.4', digest: spec.digest, want: 'run', status: 'running', age: 0 };
      cluster.report(2, 0, [copy as never]);
      const plan = foldPlans(cluster.world, policy, at(1));
      expect(plan.actions).toEqual([]);
      expect(plan.holds.map((hold) => hold.code)).toEqual(['LEDGER_UNREAD']);
      expect(waitsForNodes(plan)).toBe(true);
    },
  );

  it('takes over a copy of another source with the same digest as it is, and says whose it is now', () => {
    const fleet = aFleet(1);
    fleet.want(wanted(aService(), { source: { name: 'direct' } }));
    fleet.run(30_000);
    fleet.want(wanted(aService()));
    const actions = fleet.run(30_000).flatMap((plan) => plan.actions);
    expect(actions).toMatchObject([{ kind: 'want', want: 'run', copy: '1.1', source: { name: 'main' } }]);
    unwant(fleet);
    expect(fleet.run(5_000).flatMap((plan) => plan.actions)).toMatchObject([{ kind: 'drop' }]);
  });
});
