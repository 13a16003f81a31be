import { createServer, type IncomingMessage, type RequestListener, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { followEvents } from '../../../cli/services/follow-events.ts';
import { askHealth } from '../../../cli/services/health.ts';
import { createApi } from '../../../reconciler/api/server.ts';
import type { ControlPlane } from '../../../reconciler/control-plane.ts';
import type { EventPosition } from '../../../schemas/cluster-events.ts';
import { createApiClient } from '../../../schemas/io/api-client.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { listenApi, type TestApi, testToken } from '../../support/api-server.ts';
import { eventually } from '../../support/eventually.ts';
import {
  fakeControlPlane,
  fakeEvent,
  fakeInstance,
  fakeNode,
  fakeService,
  seqOf,
} from '../../support/fake-control-plane.ts';
import { memoryAccounts, memoryDesk } from '../../support/memory-accounts.ts';

const cleanups: (() => unknown)[] = [];
const never = new AbortController().signal;

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function listen(...given: Parameters<typeof listenApi>): Promise<TestApi> {
  const api = await listenApi(...given);
  cleanups.push(api.close);
  return api;
}

const web = 'shop.prod.web.default';
const waitFor = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
const codeOf = async (promise: Promise<unknown>) => {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(ProblemError);
  return (error as ProblemError).problem.code;
};

describe('requests', () => {
  it('asks and answers over a real socket', async () => {
    const { client } = await listen({
      services: () => [fakeService(web), fakeService('blog.prod.web.default')],
      nodes: () => [fakeNode('pi1', { id: 'aa' })],
      deploy: async ({ documents, actor }) => ({
        services: [{ name: `${documents[0]?.text} by ${actor}`, digest: '1:0', change: 'created' }],
        warnings: [],
      }),
      revoke: async (node) => ({ revoked: node }),
    });
    expect((await client.status(never)).cluster).toBe('test');
    expect((await client.services(['shop', 'blog'], never)).map(({ name }) => name)).toEqual([
      web,
      'blog.prod.web.default',
    ]);
    expect((await client.service('shop', never)).name).toBe(web);
    expect(await client.holds(never)).toEqual([]);
    const answer = await client.deploy({ documents: [{ file: 'a', text: 'grüße €' }], actor: 'ann' }, never);
    expect(answer.services[0]?.name).toBe('grüße € by ann');
    expect(await client.revoke('pi1', never)).toEqual({ revoked: 'aa' });
  });

  it('brings the problems of the server as they are', async () => {
    const problems = [
      problem('OWNED_BY_GIT', 'no', { subject: web, hint: 'oakctl deploy --commit' }),
      problem('REFUSED', 'nor'),
    ];
    const { client } = await listen({
      plan: async () => {
        throw new ProblemError(problems);
      },
    });
    await expect(client.plan({}, never)).rejects.toMatchObject({ problems });
  });

  it('names what an ambiguous name could mean', async () => {
    const { client } = await listen({ instances: () => [0, 1].map((n) => fakeInstance(`${web}.instance.${n}`)) });
    const reading = (async () => {
      for await (const _ of client.logs('web', {}, never)) void _;
    })();
    await expect(reading).rejects.toMatchObject({
      problems: [{ code: 'BAD_REQUEST', hint: `one of: ${web}.instance.0, ${web}.instance.1` }],
    });
  });

  it('is refused without the token, and with a wrong one', async () => {
    const { url } = await listen();
    expect(await codeOf(createApiClient({ url }).status(never))).toBe('UNAUTHORIZED');
    expect(await codeOf(createApiClient({ url, token: 'wrong' }).status(never))).toBe('UNAUTHORIZED');
    expect((await createApiClient({ url }).identity('ab'.repeat(16), never)).cluster).toBe('test');
  });

  it('is refused with a body above 1 MiB', async () => {
    const { client } = await listen();
    const documents = [{ file: 'a', text: 'x'.repeat(1024 * 1024) }];
    await expect(client.deploy({ documents }, never)).rejects.toThrow('larger than 1 MiB');
  });

  it('rejects with the reason of an abort', async () => {
    const { client } = await listen({ sync: async (signal) => waitFor(signal).then(() => ({ sources: [] })) });
    const abort = new AbortController();
    const syncing = client.sync(abort.signal);
    abort.abort(new Error('changed my mind'));
    await expect(syncing).rejects.toThrow('changed my mind');
    await expect(client.status(abort.signal)).rejects.toThrow('changed my mind');
  });
});

describe('when no reconciler answers', () => {
  async function answering(listener: RequestListener): Promise<string> {
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => server.close());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it('says so when the connection is refused', async () => {
    const { url, close } = await listenApi();
    await close();
    const client = createApiClient({ url, token: testToken });
    const error = await client.status(never).catch((e: unknown) => e as ProblemError);
    expect(error).toMatchObject({ problem: { code: 'UNREACHABLE', message: expect.stringContaining('ECONNREFUSED') } });
    expect((error as ProblemError).problem.hint).toContain('oakctl up');
  });

  it.each([
    ['a page', 200, '<html>'],
    ['a page of an error', 404, '<html>'],
    ['problems that are none', 500, '{"problems":["x"]}'],
  ])('says so when %s comes', async (_what, status, body) => {
    const url = await answering((_request, response) => void response.writeHead(status).end(body));
    await expect(createApiClient({ url }).status(never)).rejects.toThrow('is not a reconciler');
  });

  it('says so when the answer breaks off', async () => {
    const url = await answering((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"cl', () => response.destroy());
    });
    expect(await codeOf(createApiClient({ url }).status(never))).toBe('UNREACHABLE');
  });

  it('says that an address is none', async () => {
    expect(await codeOf(createApiClient({ url: 'localhost:10100' }).status(never))).toBe('USAGE');
    expect(await codeOf(createApiClient({ url: '' }).status(never))).toBe('USAGE');
  });
});

describe('following', () => {
  it('gives events as they come, until the caller aborts', async () => {
    let left = false;
    const { client } = await listen({
      async *events(after, signal) {
        yield fakeEvent(seqOf(after) + 1);
        await turn();
        yield fakeEvent(seqOf(after) + 2);
        await waitFor(signal);
        left = true;
      },
    });
    const abort = new AbortController();
    const seen: number[] = [];
    for await (const { seq } of client.events({ after: 7, follow: true }, abort.signal)) {
      seen.push(seq);
      if (seen.length === 2) abort.abort();
    }
    expect(seen).toEqual([8, 9]);
    await eventually(() => left);
  });

  it('ends at the last event that is kept when not asked to follow', async () => {
    const { client } = await listen({
      async *events(after, signal) {
        for (const seq of [1, 2, 3]) if (seq > seqOf(after)) yield fakeEvent(seq);
        await waitFor(signal);
      },
    });
    const seen: number[] = [];
    for await (const { seq } of client.events({ after: 1 }, never)) seen.push(seq);
    expect(seen).toEqual([2, 3]);
  });

  it('goes on over a broken stream where it was, and tells what was missed', async () => {
    const asked: EventPosition[] = [];
    const seen: number[] = [];
    const { client } = await listen({
      async *events(after, signal) {
        asked.push(after);
        const next = seqOf(after) + 1;
        yield fakeEvent(next);
        if (next === 9) {
          await eventually(() => expect(seen).toEqual([9]));
          throw new Error('the stream breaks');
        }
        await waitFor(signal);
      },
    });
    const said: string[] = [];
    const abort = new AbortController();
    for await (const { seq } of followEvents(client, 8, (text) => said.push(text), abort.signal)) {
      seen.push(seq);
      if (seen.length === 2) abort.abort();
    }
    expect(seen).toEqual([9, 10]);
    expect(asked).toEqual([8, { run: 'run-1', seq: 9 }]);
    expect(said).toEqual([expect.stringContaining('trying again'), 'The reconciler answers again.']);
  });

  it('cuts off who does not read its events, and nobody else', async () => {
    const drops: number[] = [];
    const { url } = await listen(
      {
        async *events(_after, signal) {
          for (let seq = 1; !signal.aborted; seq += 1) {
            yield { ...fakeEvent(seq), message: 'x'.repeat(1000) };
            if (seq % 50 === 0) await turn();
          }
        },
      },
      {},
      undefined,
      undefined,
      { follow: { patience: 300, meter: { listening: () => {}, dropped: () => drops.push(1) } } },
    );
    const open = (): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const headers = { authorization: `Bearer ${testToken}` };
        request(`${url}/v1/events?follow=true`, { headers }, resolve).on('error', reject).end();
      });
    const [reader, stalled] = await Promise.all([open(), open()]);
    let bytes = 0;
    reader.on('data', (data: Buffer) => {
      bytes += data.length;
    });
    stalled.pause();
    const gone = new Promise<void>((resolve) => stalled.once('close', () => resolve()));
    stalled.on('error', () => {});
    await eventually(() => expect(drops).toEqual([1]), { timeout: 20_000 });
    stalled.resume();
    await gone;
    const before = bytes;
    await eventually(() => expect(bytes).toBeGreaterThan(before), { timeout: 20_000 });
    reader.destroy();
  });

  it('tells the control plane when the reader of a log leaves', async () => {
    let left = false;
    const { client } = await listen({
      instances: () => [fakeInstance(`${web}.instance.0`)],
      async *logs(_instance, _options, signal) {
        yield 'first\n';
        await waitFor(signal);
        left = true;
      },
    });
    for await (const text of client.logs('web.0', { follow: true }, never)) {
      expect(text).toBe('first\n');
      break;
    }
    await eventually(() => left);
  });

  it('ends a log that goes on by itself when its reader leaves', async () => {
    let ended = false;
    const { client } = await listen({
      instances: () => [fakeInstance(`${web}.instance.0`)],
      async *logs() {
        try {
          for (;;) yield 'again\n';
        } finally {
          ended = true;
        }
      },
    });
    for await (const _ of client.logs('web.0', { follow: true }, never)) break;
    await eventually(() => ended);
  });

  it('does not read ahead of a slow reader', async () => {
    let made = 0;
    const total = 2_000;
    const piece = 'x'.repeat(32 * 1024);
    const { client } = await listen({
      instances: () => [fakeInstance(`${web}.instance.0`)],
      async *logs() {
        for (; made < total; made += 1) yield piece;
      },
    });
    let length = 0;
    let before = -1;
    for await (const text of client.logs('web.0', {}, never)) {
      if (length === 0) {
        // Nothing is read until the producer stands still.
        await eventually(() => {
          const still = made > 0 && made === before;
          before = made;
          return still;
        });
        expect(made).toBeLessThan(total);
      }
      length += text.length;
    }
    expect(length).toBe(total * piece.length);
  });

  it('fails when a log breaks off on the other side', async () => {
    const { client } = await listen({
      instances: () => [fakeInstance(`${web}.instance.0`)],
      async *logs() {
        yield 'first\n';
        throw new ProblemError(problem('UNAVAILABLE', 'the agent is gone'));
      },
    });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const text of client.logs('web.0', {}, never)) seen.push(text);
    })();
    expect(await codeOf(reading)).toBe('UNREACHABLE');
  });

  it('fails when the server closes, and the server does close', async () => {
    const api = await listenApi({
      async *events(_after, signal) {
        yield fakeEvent(1);
        await waitFor(signal);
      },
    });
    const events = api.client.events({ follow: true }, never)[Symbol.asyncIterator]();
    expect((await events.next()).value?.seq).toBe(1);
    const next = codeOf(events.next());
    await api.close();
    expect(await next).toBe('UNREACHABLE');
  });
});

describe('the server', () => {
  it('says that its port is taken', async () => {
    const { url, streams } = await listen();
    const bind = { host: '127.0.0.1', port: Number(new URL(url).port) };
    const second = createApi({
      control: fakeControlPlane(),
      accounts: memoryAccounts().accounts,
      limit: () => fakeControlPlane(),
      oakestra: memoryDesk(),
      token: 'x',
      streams,
      bind,
      logger: pino({ level: 'silent' }),
    });
    expect(await codeOf(second)).toBe('PORT_TAKEN');
  });

  it('answers a request that is not HTTP to the end', async () => {
    const { url } = await listen();
    const status = await new Promise((resolve, reject) => {
      const upgrade = { connection: 'upgrade', upgrade: 'something' };
      request(new URL('/v1/status', url), { headers: upgrade }, (response) => resolve(response.statusCode))
        .on('error', reject)
        .end();
    });
    expect(status).toBe(401);
  });
});

describe('how the reconciler is', () => {
  const lacking = (subject: string) => problem('UNAVAILABLE', `${subject} is away`, { subject });

  it('nothing, what it waits for, and what it is ill without', async () => {
    let vitals: ReturnType<ControlPlane['vitals']> = { vital: [], working: [] };
    const { url } = await listen({ vitals: () => vitals });
    expect(await askHealth({ url }, never)).toEqual([]);
    vitals = { vital: [], working: [lacking('git')] };
    expect(await askHealth({ url }, never)).toEqual([lacking('git')]);
    vitals = { vital: [lacking('broker')], working: [lacking('git')] };
    expect(await codeOf(askHealth({ url }, never))).toBe('UNAVAILABLE');
  });
});
