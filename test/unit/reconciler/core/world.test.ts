import { assert, beforeEach, describe, expect, it } from 'vitest';
import type { Action } from '../../../../reconciler/core/action.ts';
import { removedEntryCause } from '../../../../reconciler/core/listings.ts';
import type { Listing } from '../../../../reconciler/core/model.ts';
import { apply } from '../../../../reconciler/core/world.ts';
import type { InstancesMessage } from '../../../../schemas/messages.ts';
import {
  aCluster,
  aNodeRecord,
  aRun,
  aService,
  at,
  information,
  type TestCluster,
  wanted,
} from '../../../support/builders.ts';

const web = 'shop.default.web.default';
let cluster: TestCluster;

beforeEach(() => {
  cluster = aCluster();
  cluster.join(1, 0);
  cluster.join(2, 0);
  cluster.world.dirty.clear();
});

function promiseStart(node = 'node1', slot = 0): ReturnType<typeof apply> {
  return apply(cluster.world, { kind: 'promised', action: startOf(node, slot), at: at(0).mono });
}

function startOf(node: string, slot: number, more: { placed?: true } = {}): Action {
  const { run, digest } = aService({ run: aRun('app:1', { memory: 64 }) });
  const about = { service: web, instance: `${web}.instance.${slot}`, node, why: '' };
  const what = {
    want: 'run' as const,
    digest,
    run,
    runtime: 'docker' as const,
    source: { name: 'main', commit: 'c1' },
  };
  return { kind: 'start', ...about, ...what, ...more };
}

const drop = {
  ...{ kind: 'drop' as const, service: web, instance: `${web}.instance.0` },
  ...{ node: 'node1', copy: '1.1', why: '' },
};

const copies = () => [...(cluster.world.copies.get(web)?.values() ?? [])];

function instances(seq: number, session: string, status: string | undefined, retained = false): void {
  const report = {
    instance: `${web}.instance.0`,
    copy: '1.1',
    digest: aService().digest,
    want: 'run' as const,
    age: 500,
  };
  const message: InstancesMessage = {
    ...{ v: 1, session, seq, part: 0, parts: 1, epoch: 1, gen: 1, by: 'me', hash: '' },
    copies: status === undefined ? [] : [{ ...report, status }],
  };
  apply(cluster.world, { kind: 'instances', node: 'node1', message, retained, at: at(2_000).mono });
}

describe('a promise', () => {
  it('draws the next pair, makes the copy of it, and answers what a control needs', () => {
    const promised = promiseStart();
    expect(promised).toMatchObject({ node: 'node1', copy: '1.1', before: { jobs: [] } });
    expect(promised?.after).toMatchObject({
      fence: { epoch: 1, gen: 1, by: 'me' },
      jobs: [{ copy: '1.1', source: { name: 'main', commit: 'c1' } }],
    });
    expect(cluster.world.nodes.get('node1')?.part).toBe(promised?.after);
    expect(copies()).toMatchObject([{ slot: 0, node: 'node1', job: { want: 'run' } }]);
  });

  it('to drop makes room at once if nothing was reported, and what waits is planned again', () => {
    promiseStart();
    apply(cluster.world, { kind: 'waiting', service: 'a.b.c.d', waits: true });
    cluster.world.dirty.clear();
    apply(cluster.world, { kind: 'promised', action: drop });
    expect(copies()).toEqual([]);
    expect(cluster.world.reserved.get('node1')).toMatchObject({ memory: 0, vcpus: 0, vgpus: 0, ports: new Map() });
    expect([...cluster.world.dirty]).toEqual(['a.b.c.d']);
  });

  it('to drop what runs makes room when its node no longer reports it', () => {
    promiseStart();
    instances(10, 's1', 'running');
    apply(cluster.world, { kind: 'waiting', service: 'a.b.c.d', waits: true });
    cluster.world.dirty.clear();
    apply(cluster.world, { kind: 'promised', action: drop });
    instances(11, 's1', 'stopping');
    expect(cluster.world.reserved.get('node1')).toMatchObject({ memory: 64 });
    expect([...cluster.world.dirty]).toEqual([web]);
    instances(12, 's1', undefined);
    expect(cluster.world.reserved.get('node1')).toMatchObject({ memory: 0 });
    expect([...cluster.world.dirty]).toEqual([web, 'a.b.c.d']);
  });

  it.each([undefined, 'node2'])(
    'of which nobody was told is taken back, and its pair is not drawn again (home %s)',
    (home) => {
      const instance = `${web}.instance.0`;
      if (home !== undefined) cluster.world.homes.set(instance, home);
      cluster.world.inherited.set(instance, 'node1');
      const before = cluster.world.nodes.get('node1')?.part;
      const start = startOf('node1', 0, { placed: true });
      const promised = apply(cluster.world, { kind: 'promised', action: start, at: at(0).mono });
      assert(promised);
      expect(cluster.world.homes.get(instance)).toBe('node1');
      expect(cluster.world.inherited.size).toBe(0);
      apply(cluster.world, { kind: 'unpromised', action: start, promised });
      expect(cluster.world.nodes.get('node1')?.part).toBe(before);
      expect(copies()).toEqual([]);
      expect(cluster.world.homes.get(instance)).toBe(home);
      expect(cluster.world.inherited.get(instance)).toBe('node1');
      expect(promiseStart()?.copy).not.toBe(promised.copy);
    },
  );

  it('for a node that nobody knows does nothing', () => {
    expect(promiseStart('node9')).toBeUndefined();
    expect(cluster.world.fence.gen).toBe(0);
  });
});

describe('a report', () => {
  it('dirties only services whose copies changed; an age that goes on is no change', () => {
    promiseStart();
    instances(10, 's1', 'running');
    expect([...cluster.world.dirty]).toEqual([web]);
    expect(copies()[0]?.since).toBe(at(1_500).mono);
    cluster.world.dirty.clear();
    instances(11, 's1', 'running');
    expect([...cluster.world.dirty]).toEqual([]);
  });

  it('that was overtaken, or is repeated, is ignored', () => {
    promiseStart();
    instances(10, 's1', 'running');
    instances(9, 's1', 'failed');
    instances(10, 's1', 'failed');
    expect(copies()[0]?.report?.status).toBe('running');
    instances(1, 's2', 'failed');
    expect(copies()[0]?.report?.status).toBe('failed');
  });

  it('that is retained is content, and no sign of life', () => {
    const world = aCluster();
    apply(world.world, { kind: 'node', record: aNodeRecord(1) });
    const message = { ...information(1, 1) };
    apply(world.world, { kind: 'information', node: 'node1', message, retained: true, at: at(0).mono });
    expect(world.world.nodes.get('node1')).toMatchObject({ information: { ip: '10.0.0.1' } });
    expect(world.world.nodes.get('node1')).not.toHaveProperty('heard');
  });

  it('of a copy that another node was told to have is not believed', () => {
    promiseStart('node2');
    instances(10, 's1', 'running');
    expect(copies()).toMatchObject([{ node: 'node2' }]);
    expect(copies()[0]?.report).toBeUndefined();
  });

  it('of a copy without a job stays in the index until it is no longer reported', () => {
    instances(10, 's1', 'stopping');
    expect(copies()).toMatchObject([{ copy: '1.1', report: { status: 'stopping' } }]);
    expect(copies()[0]?.job).toBeUndefined();
    instances(11, 's1', undefined);
    expect(copies()).toEqual([]);
  });
});

describe('signs of life', () => {
  const will = (session: string): void => {
    const message = { v: 1 as const, online: false, boot: 'b', session, reason: 'lost' };
    apply(cluster.world, { kind: 'online', node: 'node1', message, retained: false, at: at(100).mono });
  };
  const hello = (session: string): void => {
    const message = { v: 1 as const, online: true, boot: 'b', session };
    apply(cluster.world, { kind: 'online', node: 'node1', message, retained: false, at: at(200).mono });
  };

  it('a will makes the node gone, the next message ends that and dirties what is on it', () => {
    promiseStart();
    will('s1');
    expect(cluster.world.nodes.get('node1')?.gone).toEqual({ at: at(100).mono, reason: 'lost' });
    cluster.world.dirty.clear();
    hello('s1');
    expect(cluster.world.nodes.get('node1')?.gone).toBeUndefined();
    expect([...cluster.world.dirty]).toEqual([web]);
    expect(cluster.world.nodes.get('node1')?.stale).toBe(true);
    cluster.obey(1, 300);
    expect(cluster.world.nodes.get('node1')?.stale).toBeUndefined();
  });

  it('the will of an older session is none', () => {
    hello('new');
    will('old');
    expect(cluster.world.nodes.get('node1')?.gone).toBeUndefined();
  });
});

describe('a ledger', () => {
  it('becomes the part once, and never over an adopted one', () => {
    apply(cluster.world, { kind: 'node', record: aNodeRecord(3) });
    const { run, digest } = aService();
    const job = {
      instance: `${web}.instance.0`,
      copy: '0.7',
      want: 'run' as const,
      digest,
      runtime: 'docker' as const,
    };
    const part = {
      fence: { epoch: 0, gen: 7, by: 'old' },
      jobs: [{ ...job, source: { name: 'main', commit: 'c0' } }],
      documents: { [digest]: run },
    };
    apply(cluster.world, { kind: 'ledger', node: 'node3', part });
    expect(cluster.world.nodes.get('node3')).toMatchObject({ adopted: true, part });
    expect(copies()).toMatchObject([{ node: 'node3', copy: '0.7' }]);
    apply(cluster.world, { kind: 'ledger', node: 'node3', part: { ...part, jobs: [] } });
    expect(copies()).toHaveLength(1);
  });
});

describe('nodes.yaml', () => {
  const read = (listings: readonly Listing[], removed: readonly string[] = []): void => {
    apply(cluster.world, { kind: 'listings', listings, removed });
  };
  const node = (n: number) => cluster.world.nodes.get(`node${n}`);

  it('matches by name, else by IP, which gives an alias; what nobody matches is expected', () => {
    read([
      { name: 'pi1', labels: {} },
      { name: 'kitchen', ip: '10.0.0.2', labels: { room: 'kitchen' } },
      { name: 'attic', ip: '10.0.0.9', labels: {} },
    ]);
    expect(node(1)).toMatchObject({ aliases: [], listing: { name: 'pi1' } });
    expect(node(2)).toMatchObject({ aliases: ['kitchen'], listing: { name: 'kitchen' } });
    expect([...cluster.world.expected.keys()]).toEqual(['attic']);
    cluster.join(3, 0, { ip: '10.0.0.9' });
    expect(node(3)).toMatchObject({ aliases: ['attic'] });
    expect(cluster.world.expected.size).toBe(0);
  });

  it('cordons when an entry is removed, until one matches again; a cordon by hand stays', () => {
    apply(cluster.world, { kind: 'node', record: aNodeRecord(2, { cordon: { cause: 'by hand' } }) });
    const both = [
      { name: 'pi1', labels: {} },
      { name: 'pi2', labels: {} },
    ];
    read(both);
    read([], ['pi1', 'pi2']);
    expect(node(1)?.record.cordon).toEqual({ cause: removedEntryCause });
    read(both);
    expect(node(1)?.record.cordon).toBeUndefined();
    expect(node(2)?.record.cordon).toEqual({ cause: 'by hand' });
  });
});

describe('a new head', () => {
  it('makes what is known of ancestors of the old one unknown', () => {
    apply(cluster.world, { kind: 'head', source: 'main', commit: 'c2' });
    apply(cluster.world, { kind: 'ancestry', source: 'main', commit: 'c1', ancestor: true });
    apply(cluster.world, { kind: 'head', source: 'main', commit: 'c2' });
    expect(cluster.world.ancestry.size).toBe(1);
    apply(cluster.world, { kind: 'head', source: 'main', commit: 'c3' });
    expect(cluster.world.ancestry.size).toBe(0);
  });
});

describe('timers of rollouts', () => {
  it('begin when this process first sees the digest', () => {
    const rollout = { digest: '1:a', phase: 'progressing' as const, started: at(0).wall };
    apply(cluster.world, { kind: 'rollout', service: web, rollout, at: at(5).mono });
    apply(cluster.world, { kind: 'rollout', service: web, rollout: { ...rollout, phase: 'failed' }, at: at(9).mono });
    expect(cluster.world.rolloutSeen.get(web)).toEqual({ digest: '1:a', at: at(5).mono });
    apply(cluster.world, { kind: 'rollout', service: web, at: at(10).mono });
    expect(cluster.world.rolloutSeen.has(web)).toBe(false);
  });

  it('a wish dirties its service', () => {
    cluster.want(wanted(aService({ run: aRun('x') })));
    expect([...cluster.world.dirty]).toEqual([web]);
  });
});
