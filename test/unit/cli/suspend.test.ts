import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ControlPlane } from '../../../reconciler/control-plane.ts';
import { listenApi, type TestApi, testToken } from '../../support/api-server.ts';
import { runCommand } from '../../support/commands.ts';
import { fakeNode, fakeService } from '../../support/fake-control-plane.ts';

type Asked = Parameters<ControlPlane['suspend']>;
const web = 'shop.default.web.default';
let api: TestApi;
let home: string;
let asked: Asked[];
const { isTTY } = process.stdin;

beforeEach(async () => {
  asked = [];
  const app = { source: 'git', services: 1, healthy: 1, instances: 1, outcome: 'settled' } as const;
  api = await listenApi({
    services: () => [fakeService(web), fakeService('blog.default.blog.default')],
    apps: () => ['shop.default', 'blog.default'].map((name) => ({ name, ...app })),
    nodes: () => [fakeNode('pi1', { id: 'aabbccddeeff0011' })],
    async suspend(subject, how) {
      asked.push([subject, how]);
      return { subject, changed: true, suspended: { subject, actor: how.actor, since: 1, until: Date.now() + 60_000 } };
    },
  });
  home = await mkdtemp(join(tmpdir(), 'oakctl-suspend-'));
  await writeFile(join(home, 'token'), testToken);
});
afterEach(async () => {
  process.stdin.isTTY = isTTY;
  await api.close();
  await rm(home, { recursive: true, force: true });
});
const run = (...args: string[]) =>
  runCommand('suspend', [...args, '--api', api.url, '--token-file', join(home, 'token')]);

it('needs a reason where nobody sits at a terminal, before anybody is asked', async () => {
  process.stdin.isTTY = false;
  const { code, stderr } = await run('shop');
  expect(code).toBe(2);
  expect(stderr).toContain('--reason');
  expect(asked).toEqual([]);
  expect((await run('shop', '--reason', 'repair', '--for', '30m')).code).toBe(0);
  expect(asked).toMatchObject([['shop.default', { reason: 'repair', for: 1_800_000 }]]);
});

it('takes none at a terminal, and says until when', async () => {
  process.stdin.isTTY = true;
  const { code, stdout } = await run('web');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^shop\.default\.web\.default is suspended by .+ left/);
});

it('knows applications, services, nodes and the cluster by the names that listings accept', async () => {
  for (const name of ['shop', 'shop.web', 'node/pi1', 'cluster']) await run(name, '--reason', 'r');
  expect(asked.map(([subject]) => subject)).toEqual(['shop.default', web, 'node/aabbccddeeff0011', 'cluster']);
});

it('guesses nothing where an application and a service have the name', async () => {
  const { code, stderr } = await run('blog', '--reason', 'r');
  expect(code).not.toBe(0);
  expect(stderr).toContain('one of: blog.default, blog.default.blog.default');
  expect(asked).toEqual([]);
});
