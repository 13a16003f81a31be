import { describe, expect, test } from 'vitest';
import type { ActualCopy } from '../../../../agent/core/copy.ts';
import type { RuntimeCopies } from '../../../../agent/core/members.ts';
import { blankMemory, type CopyMemory, keyText, type Memory } from '../../../../agent/core/memory.ts';
import { report } from '../../../../agent/core/report.ts';
import type { Step } from '../../../../agent/core/step.ts';
import type { Mono, Now, Wall } from '../../../../schemas/ports.ts';
import { problem } from '../../../../schemas/problem.ts';
import type { RunSpec, RuntimeName } from '../../../../schemas/spec.ts';
import type { Want } from '../../../../schemas/status.ts';
import { container, jobOf, partOf } from '../support.ts';

const now: Now = { mono: 100_000 as Mono, wall: 0 as Wall };
const instance = 'a.default.s.default.instance.0';
const key = { instance, copy: '1.1', runtime: 'docker' as const };

interface Situation {
  readonly want?: Want;
  readonly run?: RunSpec;
  readonly found?: Partial<ActualCopy>;
  readonly memory?: Partial<CopyMemory>;
  readonly step?: Step['kind'];
  readonly engine?: 'unknown' | 'missing';
}

function reported({ want = 'run', run = container('web:1'), found, memory, step, engine }: Situation) {
  const job = jobOf(instance, '1.1', run, want);
  const ledger = partOf({ epoch: 1, gen: 1, by: 'x' }, [[job, run]]);
  const copy: ActualCopy = { ...key, digest: job.digest, state: 'running', handle: 'h', addresses: ['ip:1'], ...found };
  const copies: RuntimeCopies = engine === 'unknown' ? 'unknown' : new Map(found ? [[keyText(key), copy]] : []);
  const actual = new Map<RuntimeName, RuntimeCopies>(engine === 'missing' ? [] : [['docker', copies]]);
  const busy = new Map(step ? [[keyText(key), { kind: step, ...key, digest: job.digest, run, grace: 1 } as Step]] : []);
  const remembered = new Map(memory ? [[keyText(key), { ...blankMemory, ...memory }]] : []);
  const state: Memory = { copies: remembered, busy, stale: new Set(), images: new Map(), limits: new Map() };
  const [one] = report(ledger, actual, state, now);
  if (!one) throw new Error('nothing was reported');
  return one;
}

const failure = { step: 'prepare', problem: problem('IMAGE_PULL_FAILED', 'no route'), attempts: 1 } as const;
const once = container('job:1', { one_shot: true });
const ended = { value: 'completed', since: 1 as Mono } as const;

const checked = {
  ...container('web:1'),
  healthcheck: { command: ['x'], interval: 1, timeout: 5_000, retries: 1, start_period: 0 },
};

test.each<[ActualCopy['failedCheck'], string]>([
  ['timed_out', 'its healthcheck did not end within its timeout of 5s'],
  ['not_started', 'its healthcheck cannot be started: the command is not there, or is no program'],
  [3, 'its healthcheck fails (exit code 3)'],
  [undefined, 'its healthcheck fails'],
])('a healthcheck that came to %s is told as: %s', (failedCheck, message) => {
  const found = { health: 'unhealthy', ...(failedCheck !== undefined && { failedCheck }) } as const;
  expect(reported({ run: checked, found }).reason).toEqual({ code: 'UNHEALTHY', message });
});

describe('status', () => {
  test.each<[string, Situation, string, string?]>([
    ['nothing done yet', {}, 'waiting'],
    ['pull under way', { step: 'prepare' }, 'pulling'],
    ['pull failed', { memory: { failure } }, 'failed', 'IMAGE_PULL_FAILED'],
    ['created, waits for its turn', { found: { state: 'created' } }, 'prepared'],
    ['being started', { found: { state: 'created' }, step: 'start' }, 'starting'],
    ['start failed', { found: { state: 'created' }, memory: { failure } }, 'failed', 'IMAGE_PULL_FAILED'],
    ['runs', { found: {} }, 'running'],
    ['healthcheck not answered', { found: { health: 'starting' } }, 'starting'],
    ['healthy', { found: { health: 'healthy' } }, 'running'],
    ['unhealthy', { found: { health: 'unhealthy' } }, 'unhealthy', 'UNHEALTHY'],
    ['crashed once', { found: { state: 'exited', exitCode: 1 }, memory: { crashes: 1 } }, 'backing_off', 'CRASH_LOOP'],
    [
      'crashed 4 times',
      { found: { state: 'exited', exitCode: 1 }, memory: { crashes: 4 } },
      'backing_off',
      'CRASH_LOOP',
    ],
    [
      'crashed 5 times',
      { found: { state: 'exited', exitCode: 1 }, memory: { crashes: 5 } },
      'crash_loop',
      'CRASH_LOOP',
    ],
    ['exited before we came', { found: { state: 'exited', exitCode: 1 } }, 'waiting'],
    ['one-shot, exit 0', { run: once, found: { state: 'exited', exitCode: 0 } }, 'completed'],
    ['one-shot, exit 2', { run: once, found: { state: 'exited', exitCode: 2 } }, 'failed', 'START_FAILED'],
    ['wanted prepared, absent', { want: 'prepared' }, 'waiting'],
    ['wanted prepared, created', { want: 'prepared', found: { state: 'created' } }, 'prepared'],
    ['wanted prepared, runs', { want: 'prepared', found: {} }, 'stopping'],
    ['wanted prepared, pull failed', { want: 'prepared', memory: { failure } }, 'failed', 'IMAGE_PULL_FAILED'],
    ['wanted stopped, runs', { want: 'stopped', found: {} }, 'stopping'],
    ['wanted stopped, exited', { want: 'stopped', found: { state: 'exited' } }, 'stopped'],
    ['wanted stopped, absent', { want: 'stopped' }, 'stopped'],
    [
      'wanted stopped, still being started',
      { want: 'stopped', found: { state: 'created' }, step: 'start' },
      'stopping',
    ],
    ['engine silent', { engine: 'unknown' }, 'unknown', 'RUNTIME_UNAVAILABLE'],
    ['engine silent, and it was done', { run: once, engine: 'unknown', memory: { status: ended } }, 'completed'],
    ['runtime not on this node', { engine: 'missing' }, 'failed', 'RUNTIME_UNAVAILABLE'],
  ])('%s', (_name, situation, status, code) => {
    const one = reported(situation);
    expect([one.status, one.reason?.code]).toEqual([status, code]);
  });

  test('a process where the node allows none', () => {
    const run: RunSpec = { virtualization: 'process', code: '/bin/true' };
    const job = { ...jobOf(instance, '1.1', run), runtime: 'process' as const };
    const ledger = partOf({ epoch: 1, gen: 1, by: 'x' }, [[job, run]]);
    const none: Memory = { copies: new Map(), busy: new Map(), stale: new Set(), images: new Map(), limits: new Map() };
    expect(report(ledger, new Map([['docker', new Map()]]), none, now)[0]).toMatchObject({
      status: 'failed',
      reason: { code: 'PROCESS_NOT_ALLOWED' },
    });
  });
});

describe('what else is said', () => {
  test('addresses only while it runs, exit code only once it ended', () => {
    expect(reported({ found: {} })).toMatchObject({ addresses: ['ip:1'], handle: 'h' });
    const ended = reported({ found: { state: 'exited', exitCode: 7 }, memory: { crashes: 2, restarts: 3 } });
    expect(ended).toMatchObject({ exit_code: 7, restarts: 3 });
    expect(ended.addresses).toBeUndefined();
  });

  test('age counts from when the status was reached', () => {
    const since = 40_000 as Mono;
    expect(reported({ found: {}, memory: { status: { value: 'running', since } } }).age).toBe(60_000);
    expect(reported({ found: {}, memory: { status: { value: 'starting', since } } }).age).toBe(0);
    expect(reported({ found: { since: 7_000 } }).age).toBe(7_000);
  });

  test('copies that are in no ledger are stopping; such as the ledger cannot know are what they are', () => {
    const ledger = partOf({ epoch: 1, gen: 5, by: 'x' }, []);
    const plain = { instance, runtime: 'docker', digest: 'd', handle: 'h', addresses: [], state: 'running' } as const;
    const copies = new Map([
      ['a', { ...plain, copy: '1.5' }],
      ['b', { ...plain, copy: '1.6' }],
    ]);
    const none: Memory = { copies: new Map(), busy: new Map(), stale: new Set(), images: new Map(), limits: new Map() };
    expect(
      report(ledger, new Map([['docker', copies]]), none, now).map(({ copy, status, want }) => [copy, status, want]),
    ).toEqual([
      ['1.5', 'stopping', 'stopped'],
      ['1.6', 'running', 'run'],
    ]);
  });
});

describe('what many copies have to say', () => {
  const many = Array.from({ length: 500 }, (_, slot) =>
    jobOf(`shop.default.web.default.instance.${slot}`, '1.1', once),
  );
  const ledger = partOf(
    { epoch: 1, gen: 1, by: 'x' },
    many.map((job) => [job, once]),
  );
  const saying = (message: string, count = many.length) => {
    const failed: CopyMemory = { ...blankMemory, failure: { ...failure, problem: problem('START_FAILED', message) } };
    const copies = new Map(many.slice(0, count).map((job) => [keyText(job), failed]));
    const actual = new Map<RuntimeName, RuntimeCopies>([['docker', new Map()]]);
    return report(
      ledger,
      actual,
      { copies, busy: new Map(), stale: new Set(), images: new Map(), limits: new Map() },
      now,
    );
  };

  test('is shortened until a broker takes it, and each still says its code', () => {
    const copies = saying('ö'.repeat(2_048));
    expect(Buffer.byteLength(JSON.stringify(copies))).toBeLessThan(255 * 1024);
    expect(new Set(copies.map(({ reason }) => reason?.code))).toEqual(new Set(['START_FAILED']));
    expect(saying('x'.repeat(2_048), 10)[0]?.reason?.message).toHaveLength(2_048);
  });

  test('ends with no half character, which nobody would read', () => {
    const [copy] = saying(`${'x'.repeat(2_047)}\u{1F600}`, 1);
    expect(copy?.reason?.message.isWellFormed()).toBe(true);
  });
});
