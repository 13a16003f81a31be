import { beforeEach, describe, expect, it } from 'vitest';
import { serviceView } from '../../../../reconciler/core/views.ts';
import type { Wall } from '../../../../schemas/ports.ts';
import type { Hold } from '../../../../schemas/status.ts';
import { type CopyGiven, createViewWorld, now, type ViewWorld, v1, v2, web } from '../../../support/view-world.ts';

let c: ViewWorld;

beforeEach(() => {
  c = createViewWorld();
});

describe('a service that is as wanted', () => {
  it('is settled, with all that is known of it', () => {
    c.want([0, 1, 2]);
    for (const slot of [0, 1, 2]) c.copy(slot);
    expect(c.service()).toMatchObject({
      name: web,
      app: 'shop.prod',
      source: 'main',
      commit: 'c0ffee',
      file: 'shop.yaml',
      line: 7,
      image: 'app:2',
      digest: v2,
      replicas: 3,
      slots: 3,
      healthy: 3,
      outcome: 'settled',
      message: '3 of 3 healthy',
    });
  });

  it('is settled without replicas', () => {
    c.want([]);
    expect(c.service()).toMatchObject({ slots: 0, outcome: 'settled', message: 'no instance is wanted' });
  });

  it('is settled while a lost node still has a copy that was replaced elsewhere', () => {
    c.want([0]);
    c.copy(0, { node: 1, id: '3.1' });
    c.copy(0, { node: 2, id: '3.9' });
    c.silence(1, 60_000);
    expect(c.service()).toMatchObject({ outcome: 'settled', healthy: 1 });
    expect(c.service().instances).toMatchObject([{ node: 'pi2', copy: '3.9', status: 'running' }]);
  });

  it('counts a one-shot copy that completed, and a copy that its healthcheck approves at once', () => {
    c.want([0], { run: { one_shot: true } });
    c.copy(0, { status: 'completed', age: 0 });
    expect(c.service().outcome).toBe('settled');
    c.want([0], { run: { healthcheck: { command: ['x'], interval: 1, timeout: 1, retries: 1, start_period: 0 } } });
    c.copy(0, { status: 'running', age: 0 });
    expect(c.service().outcome).toBe('settled');
  });
});

describe('a service that is not settled', () => {
  it.each<[string, CopyGiven, string]>([
    ['sent', { status: 'none' }, 'waiting on pi3'],
    ['pulling', { status: 'pulling', age: 12_000 }, 'pulling on pi3 for 12 s'],
    ['settling', { age: 4_000 }, 'running on pi3 for 4 s, not long enough to count'],
    [
      'failing',
      { status: 'failed', age: 61_000, report: { reason: { code: 'IMAGE_NOT_FOUND', message: 'no such image' } } },
      'failed on pi3 for 1 min: no such image',
    ],
    ['backing off', { status: 'backing_off', age: 0 }, 'backing off on pi3 for 0 ms'],
    ['of a status that is too new for us', { status: 'dreaming' }, 'unknown on pi3 for 1 min'],
  ])('says of a copy that is %s what it does', (_what, copy, detail) => {
    c.want([0, 1, 2]);
    c.copy(0);
    c.copy(1);
    c.copy(2, copy);
    expect(c.service()).toMatchObject({
      outcome: 'progressing',
      healthy: 2,
      message: `2 of 3 healthy; ${web}.instance.2: ${detail}`,
    });
  });

  it('says that a node is silent, and does not believe its last word', () => {
    c.want([0]);
    c.copy(0);
    c.silence(1, 13_000);
    expect(c.service()).toMatchObject({
      outcome: 'progressing',
      healthy: 0,
      message: `0 of 1 healthy; ${web}.instance.0: pi1 is silent for 13 s`,
    });
  });

  it('does not believe the last word of a node that is back and has not reported since', () => {
    c.want([0]);
    c.copy(0);
    c.node(1, { stale: true });
    expect(c.service()).toMatchObject({
      outcome: 'progressing',
      healthy: 0,
      message: `0 of 1 healthy; ${web}.instance.0: pi1 is back and has not reported it yet`,
    });
  });

  it('shows the update while the old copies still serve', () => {
    c.want([0, 1]);
    c.copy(0, { id: '3.9' });
    c.copy(1, { id: '3.2', digest: v1 });
    c.copy(1, { id: '3.10', node: 3, status: 'pulling', age: 2_000 });
    expect(c.service()).toMatchObject({
      outcome: 'progressing',
      healthy: 2,
      message: `2 of 2 healthy, 1 with the wanted version; ${web}.instance.1: pulling on pi3 for 2 s`,
    });
    expect(c.service().instances[1]).toMatchObject({ copy: '3.10', status: 'pulling', healthy: false });
  });

  it('waits for what is to go, in wanted slots and in others', () => {
    c.want([0]);
    c.copy(0, { id: '3.9' });
    c.copy(0, { id: '3.1', node: 2, digest: v1, want: 'stopped', status: 'stopping' });
    expect(c.service()).toMatchObject({
      outcome: 'progressing',
      message: `1 of 1 healthy; ${web}.instance.0: the old copy 3.1 on pi2 is to go`,
    });
    c.world.copies.clear();
    c.copy(0, { id: '3.9' });
    c.copy(1, { status: 'stopping', age: 3_000, unpromised: true });
    expect(c.service()).toMatchObject({
      slots: 1,
      outcome: 'progressing',
      message: `1 of 1 healthy; ${web}.instance.1: stopping on pi2 for 3 s`,
    });
  });

  it('is held by a hold that no time frees, and says which', () => {
    c.want([0, 1]);
    c.copy(0);
    c.plan([{ code: 'NO_CAPACITY', subject: `${web}.instance.1`, message: 'needs 900 MB, largest free 12 MB' }]);
    expect(c.service()).toMatchObject({
      outcome: 'held',
      message: `1 of 2 healthy; ${web}.instance.1: needs 900 MB, largest free 12 MB`,
    });
    expect(c.service().instances[1]).toMatchObject({
      status: 'missing',
      reason: { code: 'NO_CAPACITY', message: 'needs 900 MB, largest free 12 MB' },
    });
    c.plan([{ code: 'UPDATE_QUEUED', subject: `${web}.instance.1`, message: 'after slot 0' }]);
    expect(c.service().outcome).toBe('progressing');
  });

  it('is held by a guard even while it runs as before', () => {
    c.want([0]);
    c.copy(0);
    const guard: Hold = { id: 'h1', code: 'REMOVAL_GUARD', subject: 'source/main', message: '5 of 5 would go' };
    c.world.held.set(web, guard);
    c.plan([guard]);
    expect(c.service()).toMatchObject({ outcome: 'held', holds: [guard] });
    expect(c.service().message).toBe('1 of 1 healthy; source/main: 5 of 5 would go');
  });

  it('is lost with its node', () => {
    c.want([0]);
    c.copy(0);
    c.silence(1, 16_000);
    expect(c.service().instances).toMatchObject([{ status: 'lost', healthy: false, node: 'pi1', seen: 16_000 }]);
    expect(c.service().message).toBe(`0 of 1 healthy; ${web}.instance.0: its node is lost`);
  });
});

it('names the copy that fails before the instances that wait for it', () => {
  c.want([0, 1]);
  c.copy(0, { digest: v1 });
  c.copy(1, { status: 'backing_off', age: 5_000 });
  c.plan([{ code: 'CANARY', subject: `${web}.instance.0`, message: '0 of 1 in pool small updated and healthy' }]);
  expect(c.service().message).toContain('instance.0: 0 of 1 in pool small');
  const reason = { code: 'CRASH_LOOP', message: 'it ended' } as const;
  c.copy(1, { status: 'backing_off', age: 5_000, report: { reason } });
  expect(c.service().message).toMatch(/instance\.1: backing off on \S+ for 5 s: it ended$/);
});

describe('the end of a rollout', () => {
  const good = { digest: v1, run: { virtualization: 'container', code: 'app:1' } } as const;

  it('is rolled back once the last good version runs again, and progressing until then', () => {
    c.want([0]);
    c.copy(0, { digest: v1, status: 'starting', age: 1_000 });
    const rollout = { phase: 'rolled_back', failed: v2, reason: 'pi1: not healthy within 300 s', good } as const;
    c.plan([], rollout);
    expect(c.service()).toMatchObject({
      outcome: 'progressing',
      message: `pi1: not healthy within 300 s; rolling back: 0 of 1 healthy; ${web}.instance.0: starting on pi1 for 1 s`,
    });
    c.copy(0, { digest: v1 });
    c.plan([], { ...rollout, ended: 5 as Wall });
    expect(c.service()).toMatchObject({
      outcome: 'rolled_back',
      healthy: 1,
      message: 'pi1: not healthy within 300 s; rolled back: 1 of 1 healthy',
    });
  });

  it.each(['failed', 'paused'] as const)('is %s', (phase) => {
    c.want([0]);
    c.copy(0, { status: 'crash_loop', age: 1_000 });
    c.world.rollouts.set(web, { digest: v2, phase, started: 0 as Wall, reason: 'it crashed' });
    expect(c.service()).toMatchObject({
      outcome: phase,
      message: expect.stringContaining('it crashed; 0 of 1 healthy'),
    });
  });

  it('says nothing about another digest', () => {
    c.want([0]);
    c.copy(0, { status: 'pulling' });
    c.plan([], { digest: v1, phase: 'failed' });
    expect(c.service().outcome).toBe('progressing');
  });

  it('is overtaken by health', () => {
    c.want([0]);
    c.copy(0);
    c.plan([], { phase: 'failed' });
    expect(c.service().outcome).toBe('settled');
  });
});

describe('a service that nobody wants', () => {
  it('is being removed', () => {
    c.copy(0, { want: 'stopped', status: 'stopping', age: 2_000 });
    expect(c.service()).toMatchObject({
      source: 'main',
      replicas: 0,
      outcome: 'removing',
      message: `1 copy is to go; ${web}.instance.0: stopping on pi1 for 2 s`,
    });
  });

  it('waits for a lost node', () => {
    c.copy(0);
    c.silence(1, 16_000);
    expect(c.service()).toMatchObject({
      outcome: 'removing',
      message: `1 copy is to go; ${web}.instance.0: waits for pi1, which is lost`,
    });
  });

  it('is orphaned, or held, when the plan says so', () => {
    c.copy(0);
    c.plan([{ code: 'ORPHANED', subject: web, message: 'nothing explains it' }]);
    expect(c.service()).toMatchObject({ outcome: 'orphaned', message: 'nothing explains it' });
    c.plan([{ code: 'ANCESTRY_UNKNOWN', subject: web, message: 'not known yet' }]);
    expect(c.service().outcome).toBe('held');
  });

  it('is not judged before the nodes have reported', () => {
    c.world.recovering = true;
    c.copy(0);
    expect(c.service().outcome).toBe('progressing');
  });

  it('is not there without a copy', () => {
    expect(serviceView(c.input(), web)).toBeUndefined();
  });
});

describe('replicas: every', () => {
  it('wants the ordinals of the nodes', () => {
    c.want([], { spec: { replicas: 'every' } });
    c.copy(1, { node: 1 });
    c.copy(2, { node: 2 });
    expect(c.service()).toMatchObject({ replicas: 'every', slots: 3, healthy: 2, outcome: 'progressing' });
    c.copy(3, { node: 3 });
    expect(c.service().outcome).toBe('settled');
  });
});

describe('several copies of an instance', () => {
  it('are all told: the old one that serves beside the new one that fails', () => {
    c.want([0]);
    c.copy(0, { id: '3.1', digest: v1 });
    c.copy(0, { id: '3.2', status: 'crash_loop' });
    const [instance] = c.service().instances;
    expect(instance).toMatchObject({ copy: '3.2', status: 'crash_loop', healthy: false });
    expect(instance?.others).toMatchObject([{ copy: '3.1', status: 'running', healthy: true, digest: v1 }]);
    expect(c.service().healthy).toBe(1);
  });

  it('one that is about to be stopped is not to be used', () => {
    c.want([0]);
    c.copy(0, { id: '3.1', digest: v1 });
    c.copy(0, { id: '3.2' });
    const key = `${web}.instance.0/3.1`;
    const old = c.world.copies.get(web)?.get(key);
    if (old) c.world.copies.get(web)?.set(key, { ...old, notice: old.since ?? now.mono });
    const [instance] = c.service().instances;
    expect(instance).toMatchObject({ copy: '3.2', healthy: true });
    expect(instance?.others).toMatchObject([{ copy: '3.1', status: 'running', healthy: false, leaving: true }]);
  });
});

describe('an instance that belongs to a lost node', () => {
  const every = { spec: { replicas: 'every' as const } };

  it('is counted apart: the update of the others is done', () => {
    c.want([], every);
    for (const [slot, node] of [
      [1, 1],
      [2, 2],
    ] as const)
      c.copy(slot, { node });
    c.copy(3, { node: 3, digest: v1 });
    c.silence(3, 600_000);
    expect(c.service()).toMatchObject({ outcome: 'settled', message: '2 of 3 updated, 1 absent' });
  });

  it('does not hide that nothing runs at all', () => {
    c.want([], every);
    for (const n of [1, 2, 3]) c.silence(n, 600_000);
    expect(c.service().outcome).not.toBe('settled');
  });
});
