import { describe, expect, it } from 'vitest';
import type { Policy } from '../../../../reconciler/core/model.ts';
import { planAll } from '../../../../reconciler/core/plan.ts';
import { planService } from '../../../../reconciler/core/plan-service.ts';
import { resumed } from '../../../../reconciler/core/rollout.ts';
import { apply } from '../../../../reconciler/core/world.ts';
import {
  aCluster,
  aNodeRecord,
  aPolicy,
  aRun,
  aService,
  at,
  type ServiceOptions,
  wanted,
} from '../../../support/builders.ts';
import { aFleet, type Fleet } from '../../../support/fleet.ts';

const web = 'shop.default.web.default';
type Update = NonNullable<ServiceOptions['update']>;

/** `<slot> <code> <want>[ <status>]` of every job, sorted. */
function copies(fleet: Fleet, status = false): string[] {
  return [...(fleet.world.copies.get(web)?.values() ?? [])]
    .flatMap(({ slot, job, node, report }) => {
      const code = job && fleet.world.nodes.get(node)?.part.documents[job.digest]?.code;
      return job ? [`${slot} ${code} ${job.want}${status ? ` ${report?.status}` : ''}`] : [];
    })
    .sort();
}

const phase = (fleet: Fleet): string | undefined => fleet.world.rollouts.get(web)?.phase;
const holds = (fleet: Fleet) => planAll(fleet.world, fleet.policy, at(fleet.now())).holds;

/** A fleet on which version 1 has settled; `push` asks for another one. */
function settled(
  nodes: number,
  replicas: number | 'every',
  update: Update,
  pools: Readonly<Record<number, string>> = {},
) {
  const fleet = aFleet(nodes);
  const listings = Object.entries(pools).map(([n, pool]) => ({ name: `pi${n}`, line: 1, pool, labels: {} }));
  if (listings.length > 0) apply(fleet.world, { kind: 'listings', listings: listings as never, removed: [] });
  const push = (code: string): void => fleet.want(wanted(aService({ replicas, run: aRun(code), update })));
  push('app:1');
  fleet.run(30_000);
  expect(phase(fleet)).toBe('settled');
  return { fleet, push };
}

/** Every state that `copies` had while time passed, each once in a row. */
function watch(fleet: Fleet, ms: number, step = 250): string[][] {
  const seen: string[][] = [];
  for (let passed = 0; passed < ms; passed += step) {
    fleet.tick(step);
    const now = copies(fleet, true);
    if (JSON.stringify(seen.at(-1)) !== JSON.stringify(now)) seen.push(now);
  }
  return seen;
}

describe('notice', () => {
  it('is given for its time before a replaced copy goes, and the next instance waits for that', () => {
    const { fleet, push } = settled(2, 2, { notice: 1_000, settle: 2_000 });
    push('app:2');
    let noticedAt: number | undefined;
    for (let n = 0; n < 100 && copies(fleet).includes('0 app:1 run'); n += 1) {
      const noticed = [...(fleet.world.copies.get(web)?.values() ?? [])].filter((copy) => copy.notice !== undefined);
      if (noticed.length > 0) noticedAt ??= fleet.now();
      if (noticed.length > 0) expect(copies(fleet)).toEqual(['0 app:1 run', '0 app:2 run', '1 app:1 run']);
      fleet.tick(100);
    }
    expect(fleet.now() - (noticedAt ?? 0)).toBeGreaterThanOrEqual(1_000);
    expect(fleet.now() - (noticedAt ?? 0)).toBeLessThan(1_300);
    fleet.run(20_000);
    expect(phase(fleet)).toBe('settled');
  });

  it('is not over in a dry run: what comes after it goes where it would go now', () => {
    const { fleet } = settled(2, 2, { notice: 5_000 });
    fleet.want(wanted(aService({ replicas: 1, run: aRun('app:1'), update: { notice: 5_000 } })));
    fleet.want(wanted(aService({ name: 'shop.default.zoo.default', replicas: 1 })));
    const of = (policy: Policy) => planAll(fleet.world, policy, at(fleet.now())).actions;
    const started = (policy: Policy) => of(policy).flatMap((one) => (one.kind === 'start' ? [one.node] : []));
    const dry = { ...fleet.policy, isDryRun: true as const };
    expect(of(dry).map(({ kind }) => kind)).toEqual(['drop', 'start']);
    expect(started(dry)).toEqual(started(fleet.policy));
  });

  it('is taken back when the copy is wanted again', () => {
    const { fleet, push } = settled(1, 1, { notice: 60_000, settle: 1_000 });
    push('app:2');
    fleet.run(10_000, 500);
    const old = () => [...(fleet.world.copies.get(web)?.values() ?? [])][0];
    expect(old()?.notice).toBeDefined();
    push('app:1');
    fleet.run(2_000);
    expect(old()?.notice).toBeUndefined();
    fleet.run(70_000);
    expect(copies(fleet)).toEqual(['0 app:1 run']);
  });

  it('comes before the swap of stop_first, and before scaling down, but not before the end of the service', () => {
    const { fleet, push } = settled(1, 2, { order: 'stop_first', notice: 1_000, settle: 2_000 });
    push('app:2');
    const states = watch(fleet, 3_000);
    expect(states.at(-1)).toEqual(['0 app:1 stopped stopped', '0 app:2 run running', '1 app:1 run running']);
    const prepared = states.findIndex((state) => state.includes('0 app:2 prepared prepared'));
    expect(prepared).toBeGreaterThanOrEqual(0);
    fleet.run(20_000);
    const scale = (replicas: number) =>
      fleet.want(wanted(aService({ replicas, run: aRun('app:2'), update: { notice: 1_000, settle: 2_000 } })));
    scale(1);
    fleet.tick(10);
    expect(copies(fleet)).toHaveLength(2);
    fleet.run(1_500, 500);
    expect(copies(fleet)).toEqual(['0 app:2 run']);
    scale(0);
    fleet.tick(10);
    expect(copies(fleet)).toEqual([]);
  });
});

describe('max_unavailable', () => {
  it('keeps an old copy while another instance does not serve', () => {
    const { fleet, push } = settled(2, 2, { order: 'stop_first' });
    const broken = [...(fleet.world.copies.get(web)?.values() ?? [])].find(({ slot }) => slot === 1);
    fleet.run(1_000);
    const n = Number(broken?.node.slice(-1));
    push('app:2');
    // Instance 1 fails just now; the new copy of instance 0 is prepared, and waits.
    for (let i = 0; i < 12; i += 1) {
      fleet.beat(fleet.now() + 1);
      const reports = fleet.reports().get(n) ?? [];
      fleet.report(
        n,
        fleet.now(),
        reports.map((one) => (one.copy === broken?.copy ? { ...one, status: 'unhealthy' } : one)),
      );
      const plan = planService(fleet.world, web, fleet.policy, at(fleet.now()));
      const stops = plan.actions.filter((a) => a.kind === 'want' && a.want === 'stopped').map((a) => a.instance);
      expect(stops).not.toContain(`${web}.instance.0`);
      for (const action of plan.actions) apply(fleet.world, { kind: 'promised', action, at: at(fleet.now()).mono });
      const other = n === 1 ? 2 : 1;
      fleet.obey(other, fleet.now(), 'running', 60_000);
    }
  });
});

describe('recreate', () => {
  it('prepares all, stops all, then starts all: two versions never run at once', () => {
    const { fleet, push } = settled(3, 3, { order: 'recreate', settle: 2_000 });
    push('app:2');
    const states = watch(fleet, 20_000);
    for (const state of states) {
      const versions = new Set(state.filter((line) => line.endsWith('running')).map((line) => line.split(' ')[1]));
      expect(versions.size).toBeLessThanOrEqual(1);
    }
    const firstStop = states.find((state) => state.some((line) => line.includes('app:1 stopped')));
    expect(firstStop?.filter((line) => line.includes('app:2 prepared prepared'))).toHaveLength(3);
    expect(copies(fleet)).toEqual(['0 app:2 run', '1 app:2 run', '2 app:2 run']);
    expect(phase(fleet)).toBe('settled');
  });

  it('goes back the same way', () => {
    const { fleet, push } = settled(2, 3, { order: 'recreate', settle: 2_000 });
    push('bad:2');
    for (const state of watch(fleet, 30_000)) {
      const alive = state.filter((line) => /running|crash_loop/.test(line)).map((line) => line.split(' ')[1]);
      expect(new Set(alive).size).toBeLessThanOrEqual(1);
    }
    expect(copies(fleet)).toEqual(['0 app:1 run', '1 app:1 run', '2 app:1 run']);
    expect(phase(fleet)).toBe('rolled_back');
  });
});

describe('a canary', () => {
  const update = { settle: 2_000, canary: { pool: 'test', wait: 30_000 } };

  it('goes first, is watched, and then the others follow', () => {
    const { fleet, push } = settled(3, 'every', update, { 2: 'test' });
    push('app:2');
    fleet.run(20_000);
    expect(copies(fleet)).toEqual(['1 app:1 run', '2 app:2 run', '3 app:1 run']);
    expect(holds(fleet).filter(({ code }) => code === 'CANARY')).toMatchObject([
      { subject: `${web}.instance.1`, message: expect.stringContaining('1 of 1 in pool test updated and healthy') },
      { subject: `${web}.instance.3` },
    ]);
    fleet.run(60_000);
    expect(copies(fleet)).toEqual(['1 app:2 run', '2 app:2 run', '3 app:2 run']);
    expect(phase(fleet)).toBe('settled');
  });

  it('that fails takes nobody with it', () => {
    const { fleet, push } = settled(3, 'every', update, { 2: 'test' });
    push('bad:2');
    const states = watch(fleet, 60_000, 1_000);
    expect(states.flat().filter((line) => line.includes('bad:2') && !line.startsWith('2 '))).toEqual([]);
    expect(phase(fleet)).toBe('rolled_back');
  });

  it('whose node goes away with the new version takes nobody with it', () => {
    const { fleet, push } = settled(5, 4, update, { 2: 'test' });
    push('app:2');
    const isTried = (): boolean => copies(fleet, true).some((line) => line.endsWith('app:2 run running'));
    for (let n = 0; n < 40 && !isTried(); n += 1) fleet.tick(250);
    expect(isTried()).toBe(true);
    fleet.kill(2);
    const states = watch(fleet, 180_000, 1_000);
    expect(Math.max(...states.map((state) => state.filter((line) => line.includes('app:2')).length))).toBe(1);
    expect(holds(fleet).map(({ code }) => code)).toContain('CANARY');
    fleet.revive(2);
    fleet.run(90_000);
    expect(phase(fleet)).toBe('settled');
  });

  it('that fails holds the others up, though the update goes on past what fails, until it is well or people say otherwise', () => {
    const past = { ...update, on_failure: 'continue', max_unavailable: 3 } as const;
    const { fleet, push } = settled(3, 'every', past, { 2: 'test' });
    push('bad:2');
    fleet.run(60_000);
    expect(copies(fleet)).toEqual(['1 app:1 run', '2 bad:2 run', '3 app:1 run']);
    expect(phase(fleet)).toBe('failed');
    expect(holds(fleet).filter(({ code }) => code === 'CANARY')).toHaveLength(2);
    const { canary: _none, ...without } = past;
    fleet.want(wanted(aService({ replicas: 'every', run: aRun('bad:2'), update: without })));
    fleet.run(60_000);
    expect(copies(fleet)).toEqual(['1 bad:2 run', '2 bad:2 run', '3 bad:2 run']);
  });

  it('is not waited for where two versions may not run at once', () => {
    const { fleet, push } = settled(3, 'every', { ...update, order: 'recreate' }, { 2: 'test' });
    push('app:2');
    fleet.run(30_000);
    expect(copies(fleet)).toEqual(['1 app:2 run', '2 app:2 run', '3 app:2 run']);
    expect(phase(fleet)).toBe('settled');
  });

  it('without instances in its pool holds nobody up', () => {
    const { fleet, push } = settled(2, 'every', update);
    push('app:2');
    fleet.run(30_000);
    expect(phase(fleet)).toBe('settled');
  });
});

describe('a failed update', () => {
  it('that pauses says how it goes on, and goes on when it is approved', () => {
    const { fleet, push } = settled(3, 3, { on_failure: 'pause', settle: 2_000 });
    push('bad:2');
    fleet.run(20_000);
    expect(phase(fleet)).toBe('paused');
    const [hold] = holds(fleet).filter(({ code }) => code === 'UPDATE_PAUSED');
    expect(hold?.hint).toContain(`oakctl approve ${hold?.id}`);
    expect(copies(fleet)).toEqual(['0 app:1 run', '0 bad:2 run', '1 app:1 run', '2 app:1 run']);
    expect(resumed(fleet.world.rollouts, 'another')).toBeUndefined();
    const on = resumed(fleet.world.rollouts, hold?.id ?? '');
    apply(fleet.world, { kind: 'rollout', service: web, at: at(fleet.now()).mono, ...on });
    fleet.run(30_000);
    // One may be without service at a time: of the others the old copies go on.
    expect(copies(fleet)).toEqual(['0 bad:2 run', '1 app:1 run', '1 bad:2 run', '2 app:1 run', '2 bad:2 run']);
    expect(phase(fleet)).toBe('failed');
    push('app:3');
    fleet.run(60_000);
    expect(phase(fleet)).toBe('settled');
  });

  it('that pauses stops nothing more, though more is prepared', () => {
    const update = { order: 'stop_first', on_failure: 'pause', max_unavailable: 2, settle: 60_000 } as const;
    const { fleet, push } = settled(2, 2, { ...update, settle: 2_000 });
    push('bad:2');
    for (let n = 0; n < 40 && copies(fleet, true).filter((line) => line.endsWith('prepared')).length < 2; n += 1) {
      fleet.beat(fleet.now() + n);
      for (const node of [1, 2]) {
        const jobs = fleet.world.nodes.get(`node${node}`)?.part.jobs ?? [];
        const statusOf = (slot: string, want: string, code: string): string =>
          code === 'app:1' ? 'running' : slot === '0' ? (want === 'run' ? 'crash_loop' : 'prepared') : 'pulling';
        fleet.report(
          node,
          fleet.now() + n,
          jobs.map(({ instance, copy, digest, want }) => {
            const code = fleet.world.nodes.get(`node${node}`)?.part.documents[digest]?.code ?? '';
            return { instance, copy, digest, want, age: 60_000, status: statusOf(instance.slice(-1), want, code) };
          }),
        );
      }
      const plan = planService(fleet.world, web, fleet.policy, at(fleet.now() + n));
      apply(fleet.world, {
        kind: 'rollout',
        service: web,
        at: at(fleet.now() + n).mono,
        ...(plan.rollout && { rollout: plan.rollout }),
      });
      for (const action of plan.actions) apply(fleet.world, { kind: 'promised', action, at: at(fleet.now() + n).mono });
    }
    expect(phase(fleet)).toBe('paused');
    expect(copies(fleet)).toEqual(['0 app:1 stopped', '0 bad:2 run', '1 app:1 run', '1 bad:2 prepared']);
    fleet.run(20_000);
    expect(copies(fleet)).toContain('1 app:1 run');
    expect(holds(fleet).map(({ subject }) => subject)).toContain(`${web}.instance.1`);
  });

  it('is not tried again, whatever restarts, until another version was asked for', () => {
    const { fleet, push } = settled(2, 2, { settle: 2_000 });
    push('bad:2');
    fleet.run(20_000);
    expect(fleet.world.rollouts.get(web)).toMatchObject({ phase: 'rolled_back', failed: expect.stringMatching(/^1:/) });
    push('bad:2');
    expect(fleet.run(60_000, 5_000).flatMap((plan) => plan.actions)).toEqual([]);
    push('app:1');
    fleet.run(5_000);
    push('bad:2');
    expect(fleet.run(1_000).flatMap((plan) => plan.actions.map(({ kind }) => kind))).toContain('start');
  });
});

describe('the update timeout', () => {
  /** A new process on the same records: the node reports what it has. */
  function restarted(status: string, age: number, waited?: number) {
    const cluster = aCluster();
    const run = aRun('app:2');
    const spec = aService({ run, update: { timeout: 60_000 } });
    const rollout = {
      digest: spec.digest,
      phase: 'progressing' as const,
      started: at(0).wall,
      ...(waited && { waited }),
    };
    apply(cluster.world, { kind: 'rollout', service: web, rollout, at: at(0).mono, restored: true });
    cluster.join(1, 0);
    cluster.want(wanted(spec));
    const job = { instance: `${web}.instance.0`, copy: '1.1', digest: spec.digest, want: 'run' as const };
    const part = { fence: { epoch: 1, gen: 1, by: 'me' }, documents: { [spec.digest]: run } };
    const source = { name: 'main', commit: 'c1' };
    const node = cluster.world.nodes.get('node1');
    if (node) cluster.world.nodes.set('node1', { ...node, adopted: false });
    apply(cluster.world, {
      kind: 'ledger',
      node: 'node1',
      part: { ...part, jobs: [{ ...job, runtime: 'docker', source }] },
    });
    const reason = { code: 'IMAGE_PULL_FAILED', message: 'no' };
    const look = (ms: number): string | undefined => {
      cluster.report(1, ms, [{ ...job, status, age: age + ms, ...(status === 'failed' ? { reason } : {}) }]);
      return planService(cluster.world, web, aPolicy(), at(ms)).rollout?.phase;
    };
    return look;
  }

  it('goes on over a restart by the age of what is reported', () => {
    const look = restarted('pulling', 50_000);
    expect([look(1_000), look(9_000), look(11_000)]).toEqual(['progressing', 'progressing', 'failed']);
  });

  it('goes on over a restart by what was written down, where the report says nothing of it', () => {
    const look = restarted('failed', 0, 45_000);
    expect([look(1_000), look(14_000), look(16_000)]).toEqual(['progressing', 'progressing', 'failed']);
  });

  it('is written down as it passes, in few steps', () => {
    const fleet = aFleet(1);
    fleet.want(wanted(aService({ update: { timeout: 100_000 } })));
    fleet.tick(10);
    const written = new Set<number>();
    for (let ms = 0; ms < 90_000; ms += 500) {
      fleet.beat(ms);
      fleet.obey(1, ms, 'pulling', ms);
      const { rollout } = planService(fleet.world, web, fleet.policy, at(ms));
      apply(fleet.world, { kind: 'rollout', service: web, at: at(ms).mono, ...(rollout && { rollout }) });
      written.add(rollout?.waited ?? 0);
    }
    expect(Math.max(...written)).toBe(85_000);
    expect(written.size).toBeLessThanOrEqual(20);
  });
});

describe('an update whose instances can all not run', () => {
  const close = ({ world }: Fleet, n: number): void => {
    apply(world, { kind: 'node', record: aNodeRecord(n, { cordon: { cause: 'by me', actor: 'me' } }) });
  };

  it('is not said to run, writes nothing while it waits, and settles once one does', () => {
    const fleet = aFleet(2);
    for (const n of [1, 2]) close(fleet, n);
    fleet.want(wanted(aService({ replicas: 'every', update: { settle: 2_000 } })));
    fleet.run(20_000);
    const before = fleet.world.rollouts.get(web);
    expect(before?.phase).toBe('progressing');
    fleet.run(20_000);
    expect(fleet.world.rollouts.get(web)).toEqual(before);
    apply(fleet.world, { kind: 'node', record: aNodeRecord(1) });
    fleet.run(20_000);
    expect(phase(fleet)).toBe('settled');
  });

  it('goes on as long as its data is away', () => {
    const fleet = aFleet(3);
    const push = (code: string): void => {
      const run = aRun(code, { volumes: [{ name: 'data', mount_path: '/data' }] });
      fleet.want(wanted(aService({ run, update: { settle: 2_000 } })));
    };
    push('app:1');
    for (const action of fleet.run(20_000).flatMap(({ actions }) => actions))
      if (action.kind === 'start') fleet.kill(Number(action.node.slice(-1)));
    push('app:2');
    fleet.run(60_000);
    expect(holds(fleet).map(({ code }) => code)).toEqual(['VOLUME_ON_LOST_NODE']);
    expect(phase(fleet)).toBe('progressing');
  });
});

describe('another source', () => {
  it('starts its slots before those of the old source stop', () => {
    const fleet = aFleet(2);
    const spec = aService({ replicas: 2, update: { settle: 2_000 } });
    fleet.want(wanted(spec, { source: { name: 'direct' }, slots: [4, 5] }));
    fleet.run(20_000);
    fleet.want(wanted(spec));
    for (const state of watch(fleet, 20_000)) {
      expect(state.filter((line) => line.endsWith('running')).length).toBeGreaterThanOrEqual(2);
    }
    expect(copies(fleet)).toEqual(['0 app:1 run', '1 app:1 run']);
  });

  it('gets the room of the old slots where there is no other', () => {
    const fleet = aFleet(1);
    const spec = aService({ replicas: 1, run: aRun('app:1', { memory: 800 }), update: { settle: 2_000 } });
    fleet.want(wanted(spec, { source: { name: 'direct' }, slots: [4] }));
    fleet.run(20_000);
    fleet.want(wanted(spec));
    fleet.run(20_000);
    expect(copies(fleet)).toEqual(['0 app:1 run']);
  });
});

describe('an instance that does not serve', () => {
  it('has its turn although another one has it, which goes on until the first serves', () => {
    const { fleet, push } = settled(2, 2, { order: 'stop_first', settle: 1_000 });
    push('app:2');
    fleet.tick(10);
    expect(copies(fleet)).toEqual(['0 app:1 run', '0 app:2 prepared', '1 app:1 run']);
    fleet.spoil(2, 'app:1');
    fleet.tick(10);
    expect(copies(fleet, true)).toContain('1 app:1 run crash_loop');
    fleet.run(20_000);
    expect(copies(fleet)).toEqual(['0 app:2 run', '1 app:2 run']);
    expect(phase(fleet)).toBe('settled');
  });
});
