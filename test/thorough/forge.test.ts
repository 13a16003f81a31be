import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { eventually, steadily } from '../support/eventually.ts';
import { type GitServer, serveGit } from '../support/git-server.ts';

const secret = 'canary-of-the-webhook';
const sleeper = { virtualization: 'process', code: 'sleep', cmd: ['86400'] } as const;
const names = Array.from({ length: 50 }, (_, n) => `s${n}`);
/** Fifty descriptors, of which these run one instance each. */
const files = (...running: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    names.map((name) => [
      `${name}.yaml`,
      descriptor(name, { loop: { ...sleeper, replicas: running.includes(name) ? 1 : 0 } }),
    ]),
  );

/** A repository behind a web server, as on a forge: pushes by webhook, polls, refusals (G15). */
describe('a repository on a forge', () => {
  let cluster: TestCluster;
  let server: GitServer;
  let api: string;
  let nodesFile: string;

  beforeAll(async () => {
    cluster = await createTestCluster({ workers: 1, runtime: 'process' });
    nodesFile = await readFile(join(cluster.repository.folder, 'nodes.yaml'), 'utf8');
    server = await serveGit(cluster.folder);
    const file = join(cluster.home, 'webhook');
    await writeFile(file, `${secret}\n`, { mode: 0o600 });
    const url = `${server.url}/repository.git`;
    await cluster.configure((text) => {
      const changed = text.replace(/^(\s*)url: .*$/m, `$1url: ${url}\n$1poll: 1h`).replace(/^\s*poll: (?!1h).*\n/m, '');
      expect(changed).toContain(url);
      return `${changed}\nwebhooks: { plain: { secret_file: ${file} } }\n`;
    });
    api = (JSON.parse(await readFile(join(cluster.folder, 'endpoints.json'), 'utf8')) as { api: string }).api;
  });
  afterAll(async () => {
    await takeDown(cluster);
    await server.close();
  });

  const hook = (authorization: string) =>
    fetch(`${api}/v1/webhooks/plain`, { method: 'POST', headers: { authorization }, body: '' });
  /** Of the metrics: what a counter of the source counted. */
  const counted = async (metric: string, step = 'head'): Promise<number> => {
    const token = (await readFile(join(cluster.folder, 'api-token'), 'utf8')).trim();
    const text = await (await fetch(`${api}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();
    const line = text.split('\n').find((one) => one.startsWith(`${metric}{`) && one.includes(`step="${step}"`));
    return Number(line?.split(' ').at(-1));
  };

  it('is looked at when a webhook says so, and not when somebody else does', async () => {
    const pushed = await cluster.repository.replace({ ...files('s0'), 'nodes.yaml': nodesFile });
    expect((await hook('Bearer something')).status).toBe(401);
    const before = server.requests.length;
    expect((await hook(`Bearer ${secret}`)).status).toBe(202);
    await eventually(async () => expect((await cluster.status()).sources[0]?.accepted).toBe(pushed));
    await eventually(async () => {
      const found = (await cluster.instances()).filter(({ service }) => service === fullName('s0', 'loop'));
      expect(found.map(({ status }) => status)).toEqual(['running']);
    });
    expect((await cluster.services()).length).toBe(names.length);
    // One for the head, and what a fetch takes: not one per descriptor.
    expect(server.requests.length - before).toBeLessThan(10);
    const log = await readFile(join(cluster.folder, 'logs', 'reconciler.log'), 'utf8');
    expect(log).not.toContain(secret);
  });

  it('is asked once per poll however many descriptors it has, and less often while it refuses', async () => {
    const begun = server.requests.length;
    await cluster.configure((text) => text.replace('poll: 1h', 'poll: 200ms'));
    await eventually(async () => expect((await cluster.status()).sources[0]?.state).toBe('synced'));
    await eventually(() => server.requests.length >= begun + 6);
    server.fault = { kind: 'status', status: 429, headers: { 'retry-after': '3600' } };
    await eventually(async () => expect((await cluster.status()).sources[0]?.problems[0]?.code).toBe('SOURCE_LIMITED'));
    const rest = server.requests.length;
    const asked = server.requests.slice(begun);
    expect(asked.every(({ path }) => path.endsWith('/info/refs?service=git-upload-pack'))).toBe(true);
    // Metrics are a second old at most, and nobody polls any more.
    await eventually(async () => {
      expect(await counted('oakctl_git_failures_total')).toBe(1);
      const looks = await counted('oakctl_git_duration_seconds_count');
      expect(Math.abs(asked.length - looks)).toBeLessThanOrEqual(1);
    });
    await steadily(() => expect(server.requests.length).toBe(rest), 1_000);
    // Somebody who asks for it is answered all the same, and nothing that runs ends.
    server.fault = undefined;
    await cluster.oakctl('sync');
    expect((await cluster.status()).sources[0]).toMatchObject({ state: 'synced', problems: [] });
    expect((await cluster.instances()).map(({ status }) => status)).toEqual(['running']);
  });
});
