/** An engine that hangs, lies or breaks: a server on a unix socket that a test scripts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterEach, describe, expect, it } from 'vitest';
import { createEngine, statusOf } from '../../../../../agent/runtimes/docker/engine.ts';
import { createDockerRuntime } from '../../../../../agent/runtimes/docker/index.ts';
import { labelsOf } from '../../../../../agent/runtimes/docker/labels.ts';
import { eventually } from '../../../../support/eventually.ts';

const never = new AbortController().signal;
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

/** Answers pings with this API version, and everything else as told. Notes the paths. */
async function scripted(api: string | undefined, answer: RequestListener) {
  const folder = mkdtempSync(join(tmpdir(), 'oakctl-engine-'));
  const socket = join(folder, 'engine.sock');
  const paths: string[] = [];
  const server: Server = createServer((request, response) => {
    paths.push(`${request.method} ${request.url?.split('?')[0]}`);
    if (request.url !== '/_ping') return answer(request, response);
    if (api) response.setHeader('Api-Version', api);
    response.end('OK');
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return { socket, paths };
}

const unavailable = { problem: { code: 'RUNTIME_UNAVAILABLE' } };

describe('the version of the API', () => {
  it.each([
    ['1.41', 'v1.41'],
    ['1.47', 'v1.47'],
    ['1.99', 'v1.51'],
  ])('of an engine with %s is %s, asked once', async (offered, spoken) => {
    const { socket, paths } = await scripted(offered, (_request, response) => response.end('[]'));
    const engine = createEngine(socket);
    const list = () => engine.call(30_000, never, (docker) => docker.listContainers());
    await Promise.all([list(), list()]);
    await list();
    expect(paths).toEqual(['GET /_ping', ...Array(3).fill(`GET /${spoken}/containers/json`)]);
  });

  it.each(['1.40', '2.0', 'latest', undefined])('%s is not spoken', async (offered) => {
    const { socket } = await scripted(offered, (_request, response) => response.end('[]'));
    const call = createEngine(socket).call(30_000, never, (docker) => docker.listContainers());
    await expect(call).rejects.toMatchObject(unavailable);
  });
});

describe('a call', () => {
  it('ends within its limit when the engine hangs, before or after the first byte', async () => {
    const { socket } = await scripted('1.41', (request, response) => {
      if (request.url?.includes('containers')) response.writeHead(200).write('[');
    });
    const engine = createEngine(socket);
    await expect(engine.call(50, never, (docker) => docker.listContainers())).rejects.toMatchObject({
      problem: { ...unavailable.problem, message: expect.stringContaining('50 ms'), disposition: 'retry' },
    });
    await expect(engine.call(50, never, (docker) => docker.version())).rejects.toMatchObject(unavailable);
  });

  it.each([
    ['version', (docker: Docker) => docker.version()],
    ['images', (docker: Docker) => docker.getImage('a').inspect()],
    ['volumes', (docker: Docker) => docker.getVolume('a').inspect()],
    ['exec', (docker: Docker) => docker.getExec('a').inspect()],
    ['exec', (docker: Docker) => docker.getExec('a').start({ hijack: true, stdin: false })],
  ])('that is given up leaves no connection behind: %s', async (path, action) => {
    const open = new Set<unknown>();
    const { socket } = await scripted('1.41', (request) => {
      if (!request.url?.includes(path)) return;
      open.add(request);
      request.socket.on('close', () => open.delete(request));
    });
    await expect(createEngine(socket).call(50, never, action as never)).rejects.toMatchObject(unavailable);
    await eventually(() => expect(open.size).toBe(0));
  });

  it('ends with the reason of its signal, not with a problem', async () => {
    const { socket } = await scripted('1.41', () => {});
    const controller = new AbortController();
    const call = createEngine(socket).call(10_000, controller.signal, (docker) => docker.listContainers());
    const reason = new Error('no longer wanted');
    setTimeout(() => controller.abort(reason), 20);
    await expect(call).rejects.toBe(reason);
  });

  it('keeps the status of a refusal', async () => {
    const { socket } = await scripted('1.41', (_request, response) => {
      response.writeHead(409, { 'content-type': 'application/json' }).end('{"message":"in use"}');
    });
    const call = createEngine(socket).call(30_000, never, (docker) => docker.listContainers());
    expect(await call.then(undefined, statusOf)).toBe(409);
  });

  it('works again as soon as the engine does', async () => {
    const socket = join(tmpdir(), 'oakctl-nobody.sock');
    await expect(createEngine(socket).call(500, never, (docker) => docker.version())).rejects.toMatchObject({
      problem: { ...unavailable.problem, disposition: 'retry' },
    });
  });
});

describe('the runtime on a broken engine', () => {
  const make = (socket: string) => createDockerRuntime({ socket, cluster: 'c'.repeat(64), node: 'n', ip: '127.0.0.1' });
  const key = { instance: 'a.b.c.d.instance.0', copy: '1.1' };

  it('is unavailable when the engine fails, never empty and never a bug', async () => {
    const { socket } = await scripted('1.41', (_request, response) => {
      response.writeHead(500).end('{"message":"database is locked"}');
    });
    const runtime = make(socket);
    for (const call of [runtime.list(never), runtime.remove(key, never), runtime.probe(never)])
      await expect(call).rejects.toMatchObject({
        problem: { ...unavailable.problem, message: expect.stringContaining('database is locked') },
      });
  });

  it('opens its event stream again after it broke', async () => {
    const { socket, paths } = await scripted('1.41', (request, response) => {
      if (request.url?.includes('/events')) response.writeHead(200).end();
      else response.end('[]');
    });
    const controller = new AbortController();
    make(socket).watch(() => {}, controller.signal);
    await eventually(() => expect(paths.filter((path) => path.endsWith('/events')).length).toBeGreaterThan(1));
    controller.abort();
  });

  it('leaves no event stream open that it gives up because the list fails, and does not ask in a hurry', async () => {
    const open = new Set<unknown>();
    const begun: number[] = [];
    const { socket } = await scripted('1.41', (request, response) => {
      if (!request.url?.includes('/events')) {
        response.writeHead(500, { 'content-type': 'application/json' }).end('{"message":"a container is broken"}');
        return;
      }
      begun.push(performance.now());
      open.add(request);
      response.on('close', () => open.delete(request));
      response.writeHead(200).flushHeaders();
    });
    const controller = new AbortController();
    make(socket).watch(() => {}, controller.signal);
    await eventually(() => expect(begun.length).toBe(4));
    expect(open.size).toBeLessThan(2);
    controller.abort();
    const pauses = begun.slice(1).map((at, index) => at - (begun[index] ?? 0));
    expect(pauses[2]).toBeGreaterThan(600);
  });

  const logs = async (socket: string, follow: boolean) => {
    const lines: string[] = [];
    for await (const { text } of make(socket).logs(key, { follow }, never)) lines.push(text);
    return lines;
  };
  const container = (cluster: string) =>
    JSON.stringify({
      Id: 'abc',
      Name: `/${key.instance}.${key.copy}`,
      State: {},
      Config: { Labels: labelsOf({ cluster, node: 'n' }, { ...key, digest: '1:x' }) },
    });

  it('says what the engine says of logs that it does not give', async () => {
    const { socket } = await scripted('1.41', (request, response) => {
      if (!request.url?.includes('/logs')) return response.end(container('c'.repeat(64)));
      response.writeHead(500, { 'content-type': 'application/json' }).end('{"message":"no such file: abc-json.log"}');
    });
    await expect(logs(socket, false)).rejects.toMatchObject({
      problem: { ...unavailable.problem, message: expect.stringContaining('no such file: abc-json.log') },
    });
  });

  it('says that logs broke off when the engine dies under them', async () => {
    const { socket } = await scripted('1.41', (request, response) => {
      if (!request.url?.includes('/logs')) return response.end(container('c'.repeat(64)));
      response.writeHead(200).write(Buffer.from([1, 0, 0, 0, 0, 0, 0, 3, 111, 110, 10]));
      setTimeout(() => request.socket.destroy(), 20);
    });
    await expect(logs(socket, true)).rejects.toMatchObject(unavailable);
  });
});
