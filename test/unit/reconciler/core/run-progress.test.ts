import { describe, expect, it } from 'vitest';
import { seeCopies } from '../../../../reconciler/core/classify.ts';
import { foldPlans } from '../../../../reconciler/core/plan.ts';
import { progressOf } from '../../../../reconciler/core/run-progress.ts';
import { wantedSlots } from '../../../../reconciler/core/slots.ts';
import type { CopyReport } from '../../../../schemas/messages.ts';
import { aCluster, aPolicy, aRun, aService, at, type TestCluster, wanted } from '../../../support/builders.ts';

const policy = aPolicy();
const desired = wanted(aService({ replicas: 2, run: aRun('job:1', { one_shot: true }) }));

/** Two copies, on node 1 and node 2, and what their nodes say of them. */
function running(): TestCluster {
  const cluster = aCluster();
  for (const n of [1, 2]) cluster.join(n, 0);
  cluster.want(desired);
  foldPlans(cluster.world, policy, at(0));
  return cluster;
}
function say(cluster: TestCluster, n: number, ms: number, given: Partial<CopyReport>): void {
  const jobs = cluster.world.nodes.get(`node${n}`)?.part.jobs ?? [];
  const copies = jobs.map(({ instance, copy, digest, want }) => ({
    instance,
    copy,
    digest,
    want,
    age: 0,
    status: 'running',
  }));
  cluster.report(
    n,
    ms,
    copies.map((copy) => ({ ...copy, ...given })),
  );
}
const sight = (cluster: TestCluster, ms: number) =>
  progressOf(wantedSlots(cluster.world, desired), seeCopies(cluster.world, desired.spec.name, policy, at(ms)), at(ms));
const ended = { exit_code: 3 };

describe('a run of two instances', () => {
  it('is active while one runs, and completed when both are', () => {
    const cluster = running();
    say(cluster, 1, 10, { status: 'completed', ...{ exit_code: 0 } });
    say(cluster, 2, 10, {});
    expect(sight(cluster, 10)).toMatchObject({ progress: { is: 'active' }, open: new Set([1]) });
    say(cluster, 2, 20, { status: 'completed', ...{ exit_code: 0 } });
    expect(sight(cluster, 20).progress).toEqual({
      is: 'ended',
      result: { outcome: 'completed', exit_code: 0, node: 'pi1' },
    });
  });

  it('has failed when one has and the other is done, and not before', () => {
    const cluster = running();
    say(cluster, 1, 10, { status: 'failed', ...ended });
    say(cluster, 2, 10, { status: 'backing_off', ...ended });
    expect(sight(cluster, 10)).toMatchObject({ progress: { is: 'retrying' }, open: new Set([1]) });
    say(cluster, 2, 20, { status: 'completed' });
    expect(sight(cluster, 20).progress).toEqual({
      is: 'ended',
      result: { outcome: 'failed', exit_code: 3, node: 'pi1' },
    });
  });

  it('a start that fails has its second chances', () => {
    const cluster = running();
    const reason = { code: 'START_FAILED', message: 'no such file' };
    say(cluster, 1, 10, { status: 'completed' });
    say(cluster, 2, 10, { status: 'failed', reason });
    const { progress, wakeAt } = sight(cluster, 10);
    expect(progress).toMatchObject({ is: 'retrying', result: { outcome: 'failed', reason: 'no such file' } });
    expect(wakeAt).toBe(at(30_010).mono);
    cluster.beat(30_000);
    expect(sight(cluster, 30_010).progress).toMatchObject({
      is: 'ended',
      result: { outcome: 'failed', reason: 'no such file' },
    });
  });

  it('may go on where nobody hears it, until its node is lost; what was done before is done', () => {
    const cluster = running();
    say(cluster, 1, 10, { status: 'completed' });
    say(cluster, 2, 10, {});
    expect(sight(cluster, 14_000)).toMatchObject({ progress: { is: 'active' }, open: new Set([1]) });
    expect(sight(cluster, 20_000)).toMatchObject({
      progress: { is: 'lost', result: { node: 'pi2' } },
      open: new Set([1]),
    });
  });

  it('has come to its end where a node said so that was lost before its ledger was read', () => {
    const cluster = running();
    const copy = { service: 'a', slot: 0, instance: 'i', copy: '9.1', node: 'gone' };
    const [first] = wantedSlots(cluster.world, desired);
    const sight = progressOf(first ? [first] : [], { seen: [], unread: [], ended: [copy] }, at(0));
    expect(sight).toMatchObject({ progress: { is: 'ended', result: { outcome: 'completed', exit_code: 0 } } });
  });

  it('without a copy it has no place, and without instances it is over', () => {
    const cluster = running();
    const none = { seen: [], unread: [], ended: [] };
    expect(progressOf(wantedSlots(cluster.world, desired), none, at(0)).progress.is).toBe('unplaced');
    expect(progressOf([], none, at(0)).progress).toMatchObject({ is: 'ended', result: { outcome: 'stopped' } });
  });
});
