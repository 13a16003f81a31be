import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { environmentOf } from '../../../../../agent/runtimes/process/environment.ts';
import { judge, keepChecking, type Series } from '../../../../../agent/runtimes/process/health.ts';
import { readLogs, rotateLogs } from '../../../../../agent/runtimes/process/logs.ts';
import { differences } from '../../../../../agent/runtimes/process/monitor.ts';
import { parseIdentity, parseStat } from '../../../../../agent/runtimes/process/proc.ts';
import { parseExit } from '../../../../../agent/runtimes/process/shim.ts';
import type { StoredCopy } from '../../../../../agent/runtimes/process/store.ts';

const stat = '42 (a) b (c) S 7 42 40 0 -1 4194304 64 0 0 0 0 0 0 0 20 0 1 0 254034 2654208 407 1844';

describe('what a shim recorded', () => {
  it('names the process, whatever its command is called', () => {
    expect(parseStat(stat)).toEqual({ pid: 42, state: 'S', session: 40, start: 254_034 });
    expect(parseIdentity(`boot-id ${stat}\n`)).toEqual({ boot: 'boot-id', pid: 42, start: 254_034, session: 40 });
  });

  it.each(['', '\n', 'boot', `boot ${stat}`, 'boot garbage\n', `boot ${stat.slice(0, 30)}\n`])(
    'counts only when it is whole: %j',
    (text) => {
      expect(parseIdentity(text)).toBeUndefined();
    },
  );

  it.each([
    ['0\n', 0],
    ['137\n', 137],
    ['13', undefined],
    ['', undefined],
    ['x\n', undefined],
  ])('exit %j is %s', (text, code) => {
    expect(parseExit(text)).toBe(code);
  });
});

describe('the environment', () => {
  it('is built from the run spec and the place; facts cannot be overridden', () => {
    const key = { instance: 'a.b.c.d.instance.0', copy: '1.2' };
    const ports = [{ host: 6080, container: 60, protocol: 'tcp' as const }];
    const run = {
      virtualization: 'process' as const,
      code: 'x',
      ports,
      environment: ['X=1=2', 'EMPTY', 'OAK_COPY=9.9'],
    };
    expect(environmentOf(key, run, { ip: '127.0.0.2', path: '/bin', home: '/w' })).toEqual({
      PATH: '/bin',
      HOME: '/w',
      PORT: '6080',
      X: '1=2',
      EMPTY: '',
      OAK_INSTANCE: key.instance,
      OAK_COPY: '1.2',
      OAK_IP: '127.0.0.2',
      OAK_PORT_60: '6080',
    });
  });
});

describe('healthchecks', () => {
  const check = { command: ['x'], interval: 1, timeout: 1, retries: 2, start_period: 100 };
  const run = (answers: readonly [ok: boolean, age: number][], from: Series = { health: 'starting', failures: 0 }) =>
    answers.reduce((series, [ok, age]) => judge(series, ok, age, check), from).health;

  it('need one success, or retries failures in a row', () => {
    expect(run([[true, 1]])).toBe('healthy');
    expect(run([[false, 200]])).toBe('starting');
    expect(
      run([
        [false, 200],
        [false, 201],
      ]),
    ).toBe('unhealthy');
    expect(
      run([
        [true, 1],
        [false, 200],
        [true, 201],
        [false, 202],
      ]),
    ).toBe('healthy');
    expect(
      run([
        [false, 200],
        [false, 201],
        [true, 202],
      ]),
    ).toBe('healthy');
  });

  it('forgive failures of the start period, until the first success', () => {
    expect(
      run([
        [false, 1],
        [false, 50],
        [false, 99],
      ]),
    ).toBe('starting');
    expect(
      run([
        [true, 1],
        [false, 50],
        [false, 99],
      ]),
    ).toBe('unhealthy');
  });
});

it.each([
  ['exec sleep 60', 'timed_out'],
  ['exit 3', 3],
] as const)('a healthcheck that does `%s` is told as %s', async (script, failed) => {
  const check = { command: ['sh', '-c', script], interval: 1, timeout: 300, retries: 1, start_period: 0 };
  const done = new AbortController();
  const told = await new Promise((resolve) => {
    const changed = (...what: unknown[]) => Promise.resolve(resolve(what));
    void keepChecking(
      { check, cwd: '/', environment: { PATH: '/usr/bin:/bin' }, age: () => Promise.resolve(1), changed },
      'starting',
      done.signal,
    );
  });
  done.abort();
  expect(told).toEqual(['unhealthy', failed]);
});

describe('log files', () => {
  const never = new AbortController().signal;
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'oakctl-logs-'));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const read = async (options: { tail?: number }) => {
    const lines: string[] = [];
    for await (const line of readLogs(folder, options, async () => true, never)) lines.push(line.text);
    return lines;
  };

  it('are moved aside by size, two older ones are kept, and reading goes over all', async () => {
    const path = join(folder, 'stdout.log');
    for (const text of ['one\n', 'two\n', 'three\n', 'four\n']) {
      await writeFile(path, text);
      await rotateLogs(folder, 4);
    }
    expect(await readFile(path, 'utf8')).toBe('');
    await writeFile(path, 'five\nopen');
    expect(await read({})).toEqual(['three', 'four', 'five', 'open']);
    expect(await read({ tail: 2 })).toEqual(['five', 'open']);
    expect(await read({ tail: 0 })).toEqual([]);
    await rotateLogs(folder, 1000);
    expect(await readFile(path, 'utf8')).toBe('five\nopen');
  });

  it('are empty before the first line', async () => {
    expect(await read({ tail: 10 })).toEqual([]);
  });
});

describe('two looks at the copies', () => {
  const copy = (name: string, state: StoredCopy['state'], pid?: number): [string, StoredCopy] => {
    const run = { virtualization: 'process' as const, code: 'x' };
    const record = { cluster: 'c', node: 'n', instance: name, copy: '1.1', digest: '1:a', run };
    const identity = pid === undefined ? {} : { process: { boot: 'b', pid, start: pid, session: 1 } };
    return [name, { name, folder: '', record, state, ...identity }];
  };
  const kinds = (before: [string, StoredCopy][] | undefined, now: [string, StoredCopy][]) =>
    differences(before && new Map(before), new Map(now)).map(({ kind, instance }) => `${instance} ${kind}`);

  it('tell what happened between them', () => {
    expect(kinds(undefined, [copy('a', 'running', 1)])).toEqual([]);
    expect(kinds([copy('a', 'created')], [copy('a', 'running', 1)])).toEqual(['a started']);
    expect(kinds([copy('a', 'running', 1)], [copy('a', 'running', 1)])).toEqual([]);
    expect(kinds([copy('a', 'running', 1)], [copy('a', 'exited', 1)])).toEqual(['a ended']);
    expect(kinds([copy('a', 'exited', 1)], [copy('a', 'exited', 1)])).toEqual([]);
    expect(kinds([copy('a', 'running', 1)], [])).toEqual(['a removed']);
    // Started and ended again between the looks.
    expect(kinds([copy('a', 'exited', 1)], [copy('a', 'exited', 2)])).toEqual(['a started', 'a ended']);
    expect(kinds([copy('a', 'running', 1)], [copy('a', 'running', 2)])).toEqual(['a started']);
  });
});
