import { describe, expect, it } from 'vitest';
import {
  type Asking,
  hasEnded,
  type Lease,
  leaseHold,
  standingOf,
  waitOf,
} from '../../../../reconciler/core/leases.ts';
import { apply } from '../../../../reconciler/core/world.ts';
import type { CopyReport } from '../../../../schemas/messages.ts';
import { aCluster, aPolicy, aRun, aService, at, type TestCluster, wanted } from '../../../support/builders.ts';

const service = 'shop.default.web.default';
const instance = `${service}.instance.0`;
const run = aRun();
const spec = aService({ run, exclusive: { lease: 20_000 } });
const policy = aPolicy();

/** Three nodes; the service has a copy where `start` says. */
function begin(): TestCluster {
  const cluster = aCluster();
  for (const n of [1, 2, 3]) cluster.join(n, 0);
  cluster.want(wanted(spec));
  return cluster;
}

function start(cluster: TestCluster, n: number, away = true): Asking {
  const job = { digest: spec.digest, run, runtime: 'docker', source: { name: 'main' } } as const;
  const promised = apply(cluster.world, {
    kind: 'promised',
    at: at(0).mono,
    action: {
      kind: 'start',
      service,
      instance,
      node: `node${n}`,
      want: 'run',
      why: 'test',
      ...job,
      ...(away && { away: { stop_after: 20_000, exclusive: true as const } }),
    },
  });
  return { service, instance, copy: promised?.copy ?? '', node: `node${n}`, wait: 40_000 };
}

function tell(cluster: TestCluster, { copy, node }: Asking, want: 'run' | 'stopped' | undefined): void {
  const base = { service, instance, copy, node, why: 'test' };
  apply(cluster.world, {
    kind: 'promised',
    at: at(0).mono,
    action: want ? { kind: 'want', want, ...base } : { kind: 'drop', ...base },
  });
}

function hold(cluster: TestCluster, { copy, node }: Asking, granted?: number): void {
  const lease: Lease = {
    ...{ instance, copy, node, ms: 20_000, wait: 40_000 },
    ...(granted === undefined ? {} : { granted: at(granted).mono }),
  };
  apply(cluster.world, { kind: 'lease', service, lease });
}

const stand = (cluster: TestCluster, asking: Asking, ms: number) => {
  const standing = standingOf(cluster.world, asking, policy, at(ms));
  return typeof standing === 'string' ? standing : 'waits';
};

const reported = (
  { copy }: Asking,
  status: CopyReport['status'],
  want: CopyReport['want'] = 'stopped',
): CopyReport => ({ instance, copy, digest: spec.digest, status, want, age: 0 });

describe('the lease of an exclusive service', () => {
  it.each([
    ['running', 'waits'],
    ['starting', 'waits'],
    ['unknown', 'holder'],
    ['prepared', 'holder'],
  ] as const)(
    'on record for one while a later copy is %s: the record may be from before, it %s',
    (status, expected) => {
      const cluster = begin();
      const first = start(cluster, 1);
      hold(cluster, first, 0);
      const second = start(cluster, 2);
      cluster.report(1, 500, [reported(first, 'prepared', 'run')]);
      cluster.report(2, 500, [reported(second, status, 'run')]);
      expect(stand(cluster, first, 1_000)).toBe(expected);
      expect(stand(cluster, second, 1_000)).toBe('waits');
    },
  );

  it('is free for the first copy, and for no second one while the first is the holder', () => {
    const cluster = begin();
    const first = start(cluster, 1);
    expect(stand(cluster, first, 0)).toBe('free');
    hold(cluster, first, 0);
    expect(stand(cluster, first, 1_000)).toBe('holder');
    const second = start(cluster, 2);
    cluster.obey(1, 1_000);
    expect(stand(cluster, second, 1_000)).toBe('waits');
  });

  it('passes on when the node of the holder says that it stopped, and has heard that it shall', () => {
    const cluster = begin();
    const first = start(cluster, 1);
    hold(cluster, first, 0);
    const second = start(cluster, 2);
    // It ended by itself, but nobody told it not to start again.
    cluster.report(1, 1_000, [reported(first, 'backing_off', 'run')]);
    expect(stand(cluster, second, 1_000)).toBe('waits');
    tell(cluster, first, 'stopped');
    expect(stand(cluster, second, 1_000)).toBe('waits');
    cluster.report(1, 2_000, [reported(first, 'stopping')]);
    expect(stand(cluster, second, 2_000)).toBe('waits');
    cluster.report(1, 3_000, [reported(first, 'stopped')]);
    expect(stand(cluster, second, 3_000)).toBe('free');
  });

  it('passes on when the holder was dropped, once its node has heard of that and does not report it', () => {
    const cluster = begin();
    const first = start(cluster, 1);
    hold(cluster, first, 0);
    const second = start(cluster, 2);
    tell(cluster, first, undefined);
    expect(stand(cluster, second, 1_000)).toBe('waits');
    cluster.report(1, 2_000, []);
    expect(stand(cluster, second, 2_000)).toBe('free');
  });

  it('of a silent node ends by time; of one that is there it does not', () => {
    const cluster = begin();
    const first = start(cluster, 1);
    cluster.obey(1, 0, 'unknown');
    hold(cluster, first, 0);
    const second = start(cluster, 2);
    tell(cluster, first, 'stopped');
    cluster.beat(39_000, 2);
    expect(stand(cluster, second, 39_999)).toBe('waits');
    expect(stand(cluster, second, 40_000)).toBe('free');
    cluster.beat(40_000, 1);
    cluster.report(1, 40_000, [reported(first, 'unknown')]);
    expect(stand(cluster, second, 41_000)).toBe('waits');
    expect(hasEnded(cluster.world, service, policy, at(41_000))).toBe(false);
  });

  it('of unknown age does not end by time', () => {
    const cluster = begin();
    const first = start(cluster, 1);
    hold(cluster, first);
    const second = start(cluster, 2);
    expect(stand(cluster, second, 10_000_000)).toBe('waits');
  });

  it('of a node that was removed ends by time', () => {
    const cluster = begin();
    const first = start(cluster, 1);
    hold(cluster, first, 0);
    apply(cluster.world, { kind: 'node_forgotten', node: 'node1' });
    const second = start(cluster, 2);
    expect(stand(cluster, second, 39_999)).toBe('waits');
    expect(stand(cluster, second, 40_000)).toBe('free');
  });

  it('goes on to the next copy of an instance on one node, whose agent stops before it starts', () => {
    const cluster = begin();
    const first = start(cluster, 1);
    hold(cluster, first, 0);
    const second = start(cluster, 1);
    expect(stand(cluster, second, 0)).toBe('waits');
    tell(cluster, first, 'stopped');
    expect(stand(cluster, second, 0)).toBe('free');
  });

  it('goes back to the copy before it on one node, though the later one runs until its agent has stopped it', () => {
    const cluster = begin();
    const first = start(cluster, 1);
    tell(cluster, first, 'stopped');
    const second = start(cluster, 1);
    hold(cluster, second, 0);
    cluster.report(1, 500, [reported(first, 'stopped'), reported(second, 'unhealthy', 'run')]);
    tell(cluster, second, 'stopped');
    tell(cluster, first, 'run');
    expect(stand(cluster, first, 500)).toBe('free');
    hold(cluster, first, 500);
    expect(stand(cluster, first, 500)).toBe('holder');
  });

  it('waits for copies that were started before they needed one, for as long as it takes', () => {
    const cluster = begin();
    const old = start(cluster, 1, false);
    cluster.obey(1, 0);
    const next = start(cluster, 2);
    expect(stand(cluster, next, 10_000_000)).toBe('waits');
    tell(cluster, old, 'stopped');
    cluster.beat(1_000, 1);
    cluster.report(1, 1_000, [reported(old, 'stopped')]);
    expect(stand(cluster, next, 1_000)).toBe('free');
  });

  it('is not given anew while a node may run it that no record knows, as after a backup; who runs goes on', () => {
    const cluster = begin();
    const first = start(cluster, 1);
    const meet = (ms: number): unknown => apply(cluster.world, { kind: 'stranger', node: 'node9', at: at(ms).mono });
    meet(0);
    expect(stand(cluster, first, 39_999)).toBe('waits');
    expect(leaseHold(cluster.world, first, policy, at(0))).toMatchObject({
      hold: {
        code: 'LEASE_WAITING',
        message: expect.stringContaining('node9'),
        hint: expect.stringContaining('nodes rm node9'),
      },
      changesAt: at(40_000).mono,
    });
    expect(stand(cluster, first, 40_000)).toBe('free');
    hold(cluster, first, 40_000);
    meet(41_000);
    expect(stand(cluster, first, 41_000)).toBe('waits');
    cluster.report(1, 42_000, [reported(first, 'running', 'run')]);
    expect(stand(cluster, first, 42_000)).toBe('holder');
  });

  it('on record for one that does not run waits for the node that said last that a later one does', () => {
    const cluster = begin();
    const first = start(cluster, 1);
    const second = start(cluster, 2);
    cluster.report(2, 0, [reported(second, 'running', 'run')]);
    const { heard: _, ...node } = cluster.world.nodes.get('node2') ?? expect.fail('node2 is known');
    cluster.world.nodes.set('node2', node);
    hold(cluster, first);
    expect(stand(cluster, first, 0)).toBe('waits');
    hold(cluster, first, 1_000);
    expect(stand(cluster, first, 40_999)).toBe('waits');
    expect(stand(cluster, first, 41_000)).toBe('holder');
    cluster.report(1, 5_000, [reported(first, 'running', 'run')]);
    expect(stand(cluster, first, 5_000)).toBe('holder');
    cluster.report(1, 5_000, [reported(first, 'backing_off', 'run')]);
    cluster.beat(6_000, 2);
    cluster.report(2, 6_000, [reported(second, 'stopped', 'run')]);
    expect(stand(cluster, first, 6_000)).toBe('holder');
  });

  it('is planned again when a node speaks that no record knows', () => {
    const cluster = begin();
    cluster.world.dirty.clear();
    apply(cluster.world, { kind: 'stranger', node: 'node9', at: at(0).mono });
    expect(cluster.world.dirty).toEqual(new Set([service]));
  });

  it('is waited for longer than any copy can run on it', () => {
    expect(waitOf({ stop_after: 20_000, exclusive: true }, { stop_grace: 3_000 })).toBe(20_400 + 3_000 + 11_000);
    expect(waitOf({ stop_after: 20_000, exclusive: true }, undefined)).toBe(20_400 + 10_000 + 11_000);
  });
});
