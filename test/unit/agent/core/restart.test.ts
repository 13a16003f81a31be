import { describe, expect, test } from 'vitest';
import type { ActualCopy } from '../../../../agent/core/copy.ts';
import {
  blankMemory,
  forgiven,
  lostSight,
  observed,
  stepBegins,
  stepDone,
  stepFailed,
} from '../../../../agent/core/memory.ts';
import { endingOf, restartDelay, retryDelay } from '../../../../agent/core/restart.ts';
import type { Step } from '../../../../agent/core/step.ts';
import type { Mono } from '../../../../schemas/ports.ts';
import { problem } from '../../../../schemas/problem.ts';
import { container } from '../support.ts';

const at = (ms: number) => ms as Mono;
const key = { instance: 'a.default.s.default.instance.0', copy: '1.1', runtime: 'docker' as const };
const run = container('web:1');
const start: Step = { kind: 'start', ...key, digest: 'd', run };
const stop: Step = { kind: 'stop', ...key, grace: 1 };
const copy = (state: ActualCopy['state'], more: Partial<ActualCopy> = {}): ActualCopy => ({
  ...key,
  digest: 'd',
  state,
  handle: 'h',
  addresses: [],
  ...more,
});

test('the restart curve: at once, then 10 s doubling to 300 s', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 8, 1_000].map(restartDelay)).toEqual(
    [0, 10, 20, 40, 80, 160, 300, 300, 300].map((s) => s * 1_000),
  );
});

test('the retry curve: 10 s doubling to 300 s, spread by 20 %', () => {
  expect([1, 2, 3, 6, 99].map((n) => retryDelay(n, 0.5))).toEqual([10_000, 20_000, 40_000, 300_000, 300_000]);
  expect([retryDelay(1, 0), retryDelay(1, 0.999999)]).toEqual([8_000, 12_000]);
});

test.each([
  ['a service', {}, 0, 'restart'],
  ['a service', {}, 1, 'restart'],
  ['a service', {}, undefined, 'restart'],
  ['on_failure', { restart: 'on_failure' }, 0, 'completed'],
  ['on_failure', { restart: 'on_failure' }, 3, 'restart'],
  ['never', { restart: 'never' }, 0, 'completed'],
  ['never', { restart: 'never' }, 3, 'ended'],
  ['one_shot', { one_shot: true }, 0, 'completed'],
  ['one_shot', { one_shot: true }, 3, 'ended'],
  ['one_shot, unknown exit', { one_shot: true }, undefined, 'ended'],
  ['one_shot on_failure', { one_shot: true, restart: 'on_failure' }, 3, 'restart'],
  ['one_shot always', { one_shot: true, restart: 'always' }, 0, 'completed'],
] as const)('%s %j that ends with %s: %s', (_name, more, code, ending) => {
  expect(endingOf(container('x', more), code)).toBe(ending);
});

describe('memory', () => {
  const ran = observed(blankMemory, copy('running', { since: 5_000 }), at(10_000));

  test('an adopted copy has run as long as its runtime says', () => {
    expect(ran.runningSince).toBe(5_000);
  });

  test('an end is a crash, also when the copy is simply gone', () => {
    expect(observed(ran, copy('exited', { exitCode: 3 }), at(11_000))).toEqual({
      crashes: 1,
      restarts: 0,
      notBefore: 11_000,
      lastExit: 3,
    });
    expect(observed(ran, undefined, at(11_000))).toMatchObject({ crashes: 1, notBefore: 11_000 });
  });

  test('an end that was seen once is counted once', () => {
    const ended = observed(ran, copy('exited'), at(11_000));
    expect(observed(ended, copy('exited'), at(12_000))).toBe(ended);
  });

  test('ten minutes of running forgive; a second less does not', () => {
    const old = { ...ran, crashes: 4 };
    expect(observed(old, copy('exited'), at(605_000)).crashes).toBe(1);
    expect(observed(old, copy('exited'), at(604_000)).crashes).toBe(5);
  });

  test('what we stop, and what ends while the engine is silent, is no crash', () => {
    expect(observed(stepBegins(ran, stop), copy('exited'), at(11_000))).toMatchObject({ crashes: 0, stopAsked: true });
    expect(observed(lostSight(ran), copy('exited'), at(11_000)).crashes).toBe(0);
  });

  test('a start after a crash is a restart; a first start, or one after our own stop, is none', () => {
    const crashed = observed(ran, copy('exited'), at(11_000));
    expect(stepDone(crashed, start, at(12_000))).toMatchObject({ restarts: 1, runningSince: 12_000 });
    expect(stepDone(blankMemory, start, at(12_000)).restarts).toBe(0);
    expect(stepDone({ ...crashed, stopAsked: true }, start, at(12_000)).restarts).toBe(0);
  });

  test('failed tries wait longer and longer, until a start succeeds or the wish changes', () => {
    const found = problem('START_FAILED', 'no');
    const twice = stepFailed(stepFailed(blankMemory, 'start', found, at(0), 0.5), 'start', found, at(10_000), 0.5);
    expect(twice).toMatchObject({ notBefore: 30_000, failure: { attempts: 2 } });
    const { failure, notBefore } = stepDone(twice, start, at(30_000));
    expect([failure, notBefore]).toEqual([undefined, undefined]);
    expect(forgiven(twice)).toEqual({ crashes: 0, restarts: 0 });
  });
});
