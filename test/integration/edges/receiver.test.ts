import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createCommitStatus } from '../../../reconciler/notify/commit-status.ts';
import { createReceiver } from '../../../reconciler/notify/receiver.ts';

let folder: string;
let server: Server;
let url: string;
let answer: { status: number; location?: string; text?: string };
/** Of one URL another answer. */
let answers: Readonly<Record<string, typeof answer>>;
const seen: string[] = [];
const { signal } = new AbortController();
const sender = { cluster: 'home', at: 0 };
const times = { after: 0, remind: 0 };
const notice = { kind: 'problem', key: 'k', subject: 'node/a', code: 'NODE_LOST', message: 'm', since: 0 } as const;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-receiver-'));
  answer = { status: 200 };
  answers = {};
  seen.length = 0;
  server = createServer((request, response) => {
    void text(request).then((body) => {
      seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? '-'} ${body}`);
      const { status, location, text: said } = answers[request.url ?? ''] ?? answer;
      response.writeHead(status, location === undefined ? {} : { location }).end(said);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

it('gets a letter with its token, which is read each time', async () => {
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, 'one\n', { mode: 0o600 });
  const receiver = createReceiver({ name: 'ops', kind: 'ntfy', url: `${url}/topic`, tokenFile, ...times });
  await receiver.send([notice], sender, signal);
  await writeFile(tokenFile, 'two\n');
  await receiver.send([notice], sender, signal);
  expect(seen).toEqual(['POST /topic Bearer one node/a: NODE_LOST: m', 'POST /topic Bearer two node/a: NODE_LOST: m']);
  await chmod(tokenFile, 0o644);
  await expect(receiver.send([notice], sender, signal)).rejects.toThrow(/others than its owner may read/);
  await rm(tokenFile);
  await expect(receiver.send([notice], sender, signal)).rejects.toThrow(/there is no token file/);
  expect(seen).toHaveLength(2);
});

it('that refuses, leads elsewhere or is not there was not told', async () => {
  const receiver = createReceiver({ name: 'ops', kind: 'webhook', url: `${url}/hook?secret=1`, ...times });
  answer = { status: 500 };
  await expect(receiver.send([notice], sender, signal)).rejects.toThrow(/answered 500$/);
  answer = { status: 302, location: 'http://127.0.0.1:1/' };
  await expect(receiver.send([notice], sender, signal)).rejects.toThrow(/answered 302$/);
  const gone = createReceiver({ name: 'ops', kind: 'webhook', url: 'http://127.0.0.1:1/hook?secret=1', ...times });
  const error = await gone.send([notice], sender, signal).catch(String);
  expect(error).toMatch(/127\.0\.0\.1:1 cannot be reached: /);
  expect(error).not.toContain('secret');
});

it('the host of a repository is told of a commit, and of the one that it leaves pending', async () => {
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, 'one\n', { mode: 0o600 });
  const settings = { kind: 'gitea', tokenFile, project: 'o/r', api: url } as const;
  const sink = createCommitStatus('main', 'home', settings);
  await sink.send({ commit: 'c2', state: 'success', description: 'd', document: {} }, 'c1', signal);
  const body = (state: string, description: string) => JSON.stringify({ state, context: 'oakctl/home', description });
  expect(seen).toEqual([
    `POST /repos/o/r/statuses/c1 token one ${body('error', 'c2 came after it')}`,
    `POST /repos/o/r/statuses/c2 token one ${body('success', 'd')}`,
  ]);
  answer = { status: 404 };
  await expect(
    sink.send({ commit: 'c2', state: 'success', description: 'd', document: {} }, undefined, signal),
  ).rejects.toThrow(/source\/main: the status of a commit: .* answered 404 \(.*does o\/r exist there/);
});

it('a host that has the status of a commit already, or has no more the commit before, is told of the next all the same', async () => {
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, 'one\n', { mode: 0o600 });
  const sinkOf = (kind: 'gitlab' | 'github') =>
    createCommitStatus('main', 'home', { kind, tokenFile, project: 'o/r', api: url });
  const told = { commit: 'c2', state: 'pending', description: 'd', document: {} } as const;
  answer = { status: 400, text: '{"message":"Cannot transition status via :run from :running (Reason(s): ...)"}' };
  await sinkOf('gitlab').send(told, 'c1', signal);
  expect(seen).toHaveLength(2);
  await expect(sinkOf('github').send(told, undefined, signal)).rejects.toThrow(/answered 400/);
  answer = { status: 201 };
  answers = { '/repos/o/r/statuses/c1': { status: 422 } };
  await sinkOf('github').send(told, 'c1', signal);
  expect(seen.at(-1)).toMatch(/^POST .repos.o.r.statuses.c2 /);
  answers = { '/repos/o/r/statuses/c1': { status: 403 } };
  await expect(sinkOf('github').send(told, 'c1', signal)).rejects.toThrow(/answered 403/);
});
