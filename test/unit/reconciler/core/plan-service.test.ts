import { describe, expect, it } from 'vitest';
import { foldPlans } from '../../../../reconciler/core/plan.ts';
import { aCluster, aPolicy, aRun, aService, at, wanted } from '../../../support/builders.ts';

const policy = aPolicy();

describe('a new service', () => {
  it('starts every missing slot, spread over the nodes, and settles', () => {
    const cluster = aCluster();
    for (const n of [1, 2, 3]) cluster.join(n, 0);
    cluster.want(wanted(aService({ replicas: 3 })));

    const first = foldPlans(cluster.world, policy, at(10));
    expect(first.actions.map((a) => [a.kind, a.instance.slice(-1), a.node])).toEqual([
      ['start', '0', 'node1'],
      ['start', '1', 'node2'],
      ['start', '2', 'node3'],
    ]);
    for (const n of [1, 2, 3]) cluster.obey(n, 1000);
    const settling = foldPlans(cluster.world, policy, at(1000));
    expect(settling.actions).toEqual([]);
    expect(settling.holds.map((h) => h.code)).toEqual(['SETTLING', 'SETTLING', 'SETTLING']);
    expect(settling.wakeAt).toBe(at(11_000).mono);

    cluster.beat(9_000);
    const settled = foldPlans(cluster.world, policy, at(11_000));
    expect(settled).toMatchObject({ actions: [], holds: [], settled: 3 });
    expect(cluster.world.rollouts.get('shop.default.web.default')?.phase).toBe('settled');
  });
});

describe('an update', () => {
  it('runs old and new side by side when it may', () => {
    const cluster = aCluster();
    cluster.join(1, 0);
    cluster.want(wanted(aService()));
    foldPlans(cluster.world, policy, at(0));
    cluster.obey(1, 0, 'running', 20_000);
    foldPlans(cluster.world, policy, at(0));
    cluster.want(wanted(aService({ run: aRun('app:2') })));
    expect(foldPlans(cluster.world, policy, at(1)).actions).toMatchObject([{ kind: 'start', want: 'run' }]);
    cluster.obey(1, 2, 'running', 20_000);
    expect(foldPlans(cluster.world, policy, at(3)).actions).toMatchObject([{ kind: 'drop', copy: '1.1' }]);
  });
});
