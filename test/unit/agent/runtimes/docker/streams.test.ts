import { PassThrough, Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { labelsOf } from '../../../../../agent/runtimes/docker/labels.ts';
import { demultiplex } from '../../../../../agent/runtimes/docker/logs.ts';
import { readProgress, splitReference } from '../../../../../agent/runtimes/docker/pull.ts';
import { catchUp, readEvent } from '../../../../../agent/runtimes/docker/watch.ts';
import type { ActualCopy, CopyKey, LogLine } from '../../../../../agent/runtimes/runtime.ts';

const never = new AbortController().signal;

/** A frame as the engine sends it. */
function frame(stream: 1 | 2, text: string): Buffer {
  const header = Buffer.alloc(8);
  const body = Buffer.from(text);
  header[0] = stream;
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}

async function linesOf(bytes: Buffer, sizes: readonly number[]): Promise<LogLine[]> {
  const chunks: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  const lines: LogLine[] = [];
  for await (const line of demultiplex(Readable.from(chunks))) lines.push(line);
  return lines;
}

describe('a log stream of the engine', () => {
  const bytes = Buffer.concat([frame(1, 'one\ntw'), frame(2, 'oops\r\n'), frame(1, 'ö\n\n'), frame(1, 'open')]);
  it('is the same lines, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), async (sizes) => {
        const lines = await linesOf(bytes, sizes);
        const of = (stream: string) => lines.filter((line) => line.stream === stream).map(({ text }) => text);
        expect(of('stdout')).toEqual(['one', 'twö', '', 'open']);
        expect(of('stderr')).toEqual(['oops']);
      }),
    );
  });

  it('comes in pieces where a line is endless', async () => {
    const lines = await linesOf(frame(1, 'x'.repeat(200_000)), [65_536]);
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.map(({ text }) => text.length).reduce((a, b) => a + b)).toBe(200_000);
  });
});

describe('an image reference', () => {
  it.each([
    ['nginx', 'nginx', 'latest'],
    ['nginx:1.27', 'nginx', '1.27'],
    ['docker.io/library/nginx:latest', 'docker.io/library/nginx', 'latest'],
    ['host:5000/a/b', 'host:5000/a/b', 'latest'],
    ['host:5000/a/b:2', 'host:5000/a/b', '2'],
    ['a/b@sha256:ff', 'a/b', 'sha256:ff'],
    ['a/b:1@sha256:ff', 'a/b', 'sha256:ff'],
  ])('%s', (image, repository, tag) => {
    expect(splitReference(image)).toEqual({ repository, tag });
  });
});

describe('the progress of a pull', () => {
  it('ends with what the engine said was wrong', async () => {
    const stream = Readable.from(['{"status":"Pulling"}\n{"err', 'or":"manifest unknown","errorDetail":{}}\n']);
    expect(await readProgress(stream, 1000, never)).toBe('manifest unknown');
    expect(await readProgress(Readable.from(['{"status":"Done"}\n']), 1000, never)).toBeUndefined();
    expect(await readProgress(Readable.from(['{"error":"at the very end"}']), 1000, never)).toBe('at the very end');
  });

  it('fails when nothing moves, not when it takes long', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const stream = new PassThrough();
    const outcome = readProgress(stream, 60_000, never);
    for (let beats = 0; beats < 6; beats += 1) {
      stream.write('{"status":"Downloading"}\n');
      await turn();
      await vi.advanceTimersByTimeAsync(20_000);
    }
    expect(stream.destroyed).toBe(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await outcome).toBe('no progress for 60000 ms');
  });
});

describe('events of the engine', () => {
  const owner = { cluster: 'c'.repeat(64), node: '0123456789abcdef' };
  const key = { instance: 'shop.prod.web.prod.instance.4', copy: '3.9', digest: '1:ab' };
  const line = (Action: string, attributes: object = {}) =>
    JSON.stringify({
      Action,
      Actor: { Attributes: { ...labelsOf(owner, key), name: 'shop.prod.web.prod.instance.4.3.9', ...attributes } },
    });

  it.each([
    ['start', 'started'],
    ['die', 'ended'],
    ['destroy', 'removed'],
    ['health_status: healthy', 'health'],
  ])('%s is %s', (action, kind) => {
    expect(readEvent(owner, line(action))).toEqual({ kind, instance: key.instance, copy: key.copy });
  });

  it('of an end say how it ended', () => {
    const at = { instance: key.instance, copy: key.copy };
    expect(readEvent(owner, line('die', { exitCode: '137' }))).toEqual({ kind: 'ended', ...at, exitCode: 137 });
    expect(readEvent(owner, line('die', { exitCode: '0' }))).toEqual({ kind: 'ended', ...at, exitCode: 0 });
    expect(readEvent(owner, line('die', { exitCode: '' }))).toEqual({ kind: 'ended', ...at });
    expect(readEvent(owner, line('start', { exitCode: '137' }))).toEqual({ kind: 'started', ...at });
  });

  it('of a signal counts if it may be meant to end it', () => {
    const at = { instance: key.instance, copy: key.copy };
    for (const signal of ['15', '9', '2', '3', '28'])
      expect(readEvent(owner, line('kill', { signal }))).toEqual({ kind: 'signalled', ...at });
    for (const signal of ['1', '10', '12']) expect(readEvent(owner, line('kill', { signal }))).toBeUndefined();
  });

  it.each([
    ['of another action', line('exec_start')],
    ['of another name', line('start', { name: 'copied' })],
    ['of another node', line('start', { 'io.oakctl.node': 'x' })],
    ['without attributes', '{"Action":"start"}'],
    ['that are no JSON', '{"Action":'],
  ])('%s are nothing', (_what, text) => {
    expect(readEvent(owner, text)).toBeUndefined();
  });

  it('are made up for after a gap: what vanished, what ended, what runs and may have been changed', () => {
    const copy = (instance: string, state: ActualCopy['state']): ActualCopy => ({
      ...{ runtime: 'docker', instance, copy: '1.1', digest: '1:ab', state, handle: 'h', addresses: [] },
    });
    const known = new Map<string, CopyKey>();
    const [a, b, c] = [copy('a', 'running'), copy('b', 'running'), copy('c', 'exited')];
    expect(catchUp(known, [a, b], false)).toEqual([]);
    expect(catchUp(known, [b, c], true).map(({ kind, instance }) => `${instance} ${kind}`)).toEqual([
      'a removed',
      'b started',
      'c ended',
      'b changed',
    ]);
  });
});
