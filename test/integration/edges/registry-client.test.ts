/** What the reconciler asks a registry, over real HTTP. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { createRegistryClient } from '../../../reconciler/registry/client.ts';
import { createSystemClock } from '../../../schemas/io/clock.ts';
import { parseRegistries, type Registries } from '../../../schemas/registries.ts';
import { type RegistryLogin, startRegistry, type TinyRegistry, textImage } from '../../support/tiny-registry.ts';

const login = { username: 'fleet', password: 'correct horse' };
const soon = () => AbortSignal.timeout(5_000);
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function start(known?: RegistryLogin): Promise<TinyRegistry> {
  const registry = await startRegistry(known);
  open.push(registry);
  return registry;
}

function clientWith(entries: object, more: object = {}) {
  const { registries, problems } = parseRegistries(JSON.stringify({ registries: entries, ...more }), 'registries.yaml');
  if (!registries) throw new Error(JSON.stringify(problems));
  return createRegistryClient({ clock: createSystemClock() }, async (): Promise<Registries> => registries);
}

it.each(['basic', 'token'] as const)('learns what a tag stands for, with a login (%s)', async (kind) => {
  const registry = await start({ kind, ...login });
  const content = registry.push('team/app', '7', textImage('seven'));
  const image = `${registry.host}/team/app:7`;
  expect(await clientWith({ [registry.host]: login }).resolve(image, 5_000, soon())).toBe(content);
  await expect(clientWith({}).resolve(image, 5_000, soon())).rejects.toMatchObject({
    problem: { code: 'IMAGE_DENIED' },
  });
  const wrong = { ...login, password: 'wrong' };
  await expect(clientWith({ [registry.host]: wrong }).resolve(image, 5_000, soon())).rejects.toMatchObject({
    problem: { code: 'IMAGE_DENIED' },
  });
  const client = clientWith({});
  await client.check(registry.host, login, soon());
  await expect(client.check(registry.host, wrong, soon())).rejects.toMatchObject({ problem: { code: 'IMAGE_DENIED' } });
});

it('says apart what is not there, what does not answer, and who is not there', async () => {
  const registry = await start();
  const client = clientWith({});
  const codeOf = (image: string, signal = soon()) =>
    client.resolve(image, 5_000, signal).then(
      () => 'found',
      (error) => error.problem.code,
    );
  expect(await codeOf(`${registry.host}/team/app:8`)).toBe('IMAGE_NOT_FOUND');
  registry.mood = 'breaks';
  expect(await codeOf(registry.image)).toBe('REGISTRY_UNREACHABLE');
  registry.mood = 'stalls';
  expect(await codeOf(registry.image, AbortSignal.timeout(300))).toBe('REGISTRY_UNREACHABLE');
  await registry.close();
  expect(await codeOf(registry.image)).toBe('REGISTRY_UNREACHABLE');
});

it('asks the mirror first', async () => {
  const [registry, mirror] = [await start(), await start()];
  const content = mirror.push('team/app', '7', textImage('there'));
  const client = clientWith({ [registry.host]: { mirrors: [mirror.host] } });
  expect(await client.resolve(`${registry.host}/team/app:7`, 5_000, soon())).toBe(content);
  expect(registry.requests()).toBe(0);
  const only = registry.push('team/app', '8', textImage('here'));
  expect(await client.resolve(`${registry.host}/team/app:8`, 5_000, soon())).toBe(only);
});

it('gives a mirror that hangs its share of the time, and what is left to the next', async () => {
  const [registry, ...mirrors] = [await start(), await start(), await start()];
  const content = registry.push('team/app', '7', textImage('here'));
  for (const mirror of mirrors) mirror.mood = 'stalls';
  const client = clientWith({ [registry.host]: { mirrors: mirrors.map(({ host }) => host) } });
  expect(await client.resolve(`${registry.host}/team/app:7`, 1_500, soon())).toBe(content);
  expect(mirrors.map((mirror) => mirror.requests())).toEqual([1, 1]);
});

it('goes by the proxy, but not to what is left out, and never in the open without a grant', async () => {
  const registry = await start();
  const content = registry.push('team/app', '7', textImage('seven'));
  const seen: string[] = [];
  // Whatever it is asked for is the registry.
  const proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    const path = new URL(request.url ?? '').pathname;
    void fetch(`http://${registry.host}${path}`, { method: request.method ?? 'GET' }).then((answer) => {
      response.writeHead(answer.status, Object.fromEntries(answer.headers)).end();
    });
  });
  proxy.on('connect', (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  open.push({ close: () => new Promise((done) => proxy.close(() => done())) });
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const image = 'registry.test:5000/team/app:7';
  const granted = clientWith({ 'registry.test:5000': { plain_http: true } }, { proxy: address });
  expect(await granted.resolve(image, 5_000, soon())).toBe(content);
  expect(seen).toEqual(['CONNECT registry.test:5000', 'HEAD http://registry.test:5000/v2/team/app/manifests/7']);
  seen.length = 0;
  const denied = { problem: { code: 'REGISTRY_UNREACHABLE' } };
  await expect(clientWith({}, { proxy: address }).resolve(image, 5_000, soon())).rejects.toMatchObject(denied);
  expect(seen).toEqual(['CONNECT registry.test:5000']);
  const leftOut = clientWith({}, { proxy: address, no_proxy: ['registry.test'] });
  await expect(leftOut.resolve(image, 5_000, soon())).rejects.toMatchObject(denied);
  expect(seen).toHaveLength(1);
});
