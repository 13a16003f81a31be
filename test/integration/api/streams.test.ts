import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createStreamOpener } from '../../../agent/streams.ts';
import { ProblemError } from '../../../schemas/problem.ts';
import { listenApi, type TestApi } from '../../support/api-server.ts';
import { eventually } from '../../support/eventually.ts';

const cleanups: (() => unknown)[] = [];
const never = new AbortController().signal;
const node = 'aabbccddeeff0011';

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function listen(connectTimeout?: number): Promise<TestApi> {
  const api = await listenApi({}, connectTimeout === undefined ? {} : { connectTimeout });
  cleanups.push(api.close);
  return api;
}

const openerOf = (api: TestApi, name = node, password = `password-of-${name}`) =>
  createStreamOpener({ api: () => ({ url: api.url }), node: name, password });

async function join(chunks: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += chunk;
  return text;
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no failure',
    (error: unknown) => (error instanceof ProblemError ? error.problem.code : error),
  );

describe('a stream', () => {
  it('brings texts in order, whole, and ends with its writer', async () => {
    const api = await listen();
    const { id, chunks } = api.streams.expect(node, never);
    const stream = await openerOf(api).open(id, never);
    const texts = ['{"parts":', '', `x${'ä€😀'.repeat(100_000)}`, ']}'];
    const writing = (async () => {
      for (const text of texts) await stream.write(text);
      await stream.close();
    })();
    expect(await join(chunks)).toBe(texts.join(''));
    await writing;
    expect(stream.gone.aborted).toBe(true);
  });

  it('keeps what was written before anybody reads', async () => {
    const api = await listen();
    const { id, chunks } = api.streams.expect(node, never);
    const stream = await openerOf(api).open(id, never);
    await stream.write('early');
    const closing = stream.close();
    expect(await join(chunks)).toBe('early');
    await closing;
  });

  it('makes the writer wait for a slow reader', async () => {
    const api = await listen();
    const { id, chunks } = api.streams.expect(node, never);
    const stream = await openerOf(api).open(id, never);
    const total = 1_000;
    let written = 0;
    const writing = (async () => {
      for (; written < total; written += 1) await stream.write('x'.repeat(64 * 1024));
      await stream.close();
    })();
    let before = -1;
    await eventually(() => {
      const still = written > 0 && written === before;
      before = written;
      return still;
    });
    expect(written).toBeLessThan(total);
    expect((await join(chunks)).length).toBe(total * 64 * 1024);
    await writing;
  });

  it('is cut when the reader aborts, and the writer learns it', async () => {
    const api = await listen();
    const abort = new AbortController();
    const { id, chunks } = api.streams.expect(node, abort.signal);
    const stream = await openerOf(api).open(id, never);
    const reading = join(chunks);
    await stream.write('first');
    abort.abort();
    expect(['', 'first']).toContain(await reading);
    await eventually(() => stream.gone.aborted);
    expect(await codeOf(stream.write('more'))).toBe('UNREACHABLE');
    await stream.close();
  });

  it('is cut when the reader leaves its loop', async () => {
    const api = await listen();
    const { id, chunks } = api.streams.expect(node, never);
    const stream = await openerOf(api).open(id, never);
    await stream.write('first');
    for await (const chunk of chunks) {
      expect(chunk).toBe('first');
      break;
    }
    await eventually(() => stream.gone.aborted);
  });

  it('fails its reader when the writer dies in the middle', async () => {
    const api = await listen();
    const abort = new AbortController();
    const { id, chunks } = api.streams.expect(node, never);
    const stream = await openerOf(api).open(id, abort.signal);
    await stream.write('half of it');
    const reading = codeOf(join(chunks));
    abort.abort();
    expect(await reading).toBe('UNAVAILABLE');
  });

  it('fails its reader when the API closes', async () => {
    const api = await listenApi();
    const open = api.streams.expect(node, never);
    const waiting = api.streams.expect(node, never);
    const stream = await openerOf(api).open(open.id, never);
    const readings = [codeOf(join(open.chunks)), codeOf(join(waiting.chunks))];
    await api.close();
    expect(await Promise.all(readings)).toEqual(['UNAVAILABLE', 'UNAVAILABLE']);
    await eventually(() => stream.gone.aborted);
  });
});

describe('opening', () => {
  it('is for the node that was asked, with its password', async () => {
    const api = await listen();
    const { id, chunks } = api.streams.expect(node, never);
    expect(await codeOf(openerOf(api, node, 'wrong').open(id, never))).toBe('UNAUTHORIZED');
    expect(await codeOf(openerOf(api, 'another').open(id, never))).toBe('NOT_FOUND');
    expect(await codeOf(openerOf(api).open('0'.repeat(32), never))).toBe('NOT_FOUND');
    expect(await codeOf(openerOf(api).open('../status', never))).toBe('NOT_FOUND');
    const stream = await openerOf(api).open(id, never);
    expect(await codeOf(openerOf(api).open(id, never))).toBe('NOT_FOUND');
    const closing = stream.close();
    expect(await join(chunks)).toBe('');
    await closing;
  });

  it('must be soon', async () => {
    const api = await listen(50);
    const { id, chunks } = api.streams.expect(node, never);
    expect(await codeOf(join(chunks))).toBe('UNAVAILABLE');
    expect(await codeOf(openerOf(api).open(id, never))).toBe('NOT_FOUND');
  });

  it('that nobody reads is no failure of the process', async () => {
    const api = await listen(1);
    const { id } = api.streams.expect(node, never);
    await eventually(async () => (await codeOf(openerOf(api).open(id, never))) === 'NOT_FOUND');
  });

  it('of an aborted stream ends it, and is refused', async () => {
    const api = await listen();
    const abort = new AbortController();
    const { id, chunks } = api.streams.expect(node, abort.signal);
    const reading = join(chunks);
    abort.abort();
    expect(await reading).toBe('');
    expect(await codeOf(openerOf(api).open(id, never))).toBe('NOT_FOUND');
    expect(await join(api.streams.expect(node, abort.signal).chunks)).toBe('');
  });

  it('fails when no API is there', async () => {
    const api = await listenApi();
    await api.close();
    expect(await codeOf(openerOf(api).open('0'.repeat(32), never))).toBe('UNREACHABLE');
  });
});

it('refuses messages above its limit', async () => {
  const api = await listen();
  const { id, chunks } = api.streams.expect(node, never);
  const authorization = `Basic ${Buffer.from(`${node}:password-of-${node}`).toString('base64')}`;
  const socket = new WebSocket(new URL(`/v1/streams/${id}`, api.url), { headers: { authorization } });
  socket.on('error', () => {});
  socket.once('open', () => socket.send('x'.repeat(512 * 1024 + 1)));
  expect(await codeOf(join(chunks))).toBe('UNAVAILABLE');
  await eventually(() => socket.readyState === WebSocket.CLOSED);
});
