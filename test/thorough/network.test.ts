import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestCluster, program, type Ran, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildImage, engineAnswers } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';
import { listeningOn } from '../support/sockets.ts';

/** An address of this machine that others can reach; undefined on a machine without a network. */
const address = Object.values(networkInterfaces())
  .flatMap((all) => all ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
const open = address ?? '';
const shop = unique('shop');
const web = fullName(shop, 'web');
const insecureFlag = '--insecure-outside-loopback-i-know-the-risk';

/** The program on a machine that knows no cluster: a home of its own. */
let elsewhere: string;
beforeAll(async () => {
  elsewhere = await mkdtemp(join(tmpdir(), 'oakctl-elsewhere-'));
});
afterAll(() => rm(elsewhere, { recursive: true, force: true }));

function run(...args: string[]): Promise<Ran> {
  const env = { ...process.env, OAKCTL_HOME: elsewhere, NO_COLOR: '1' };
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], { env, timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr });
    });
  });
}

/** Everything that the processes of a cluster listen on. */
const scan = async (cluster: TestCluster, ...names: string[]): Promise<readonly string[]> =>
  listeningOn(await Promise.all(names.map((name) => cluster.pid(name))));
const hostsOf = (found: readonly string[]): string[] => [...new Set(found.map((one) => one.replace(/:\d+$/, '')))];

describe('by default', () => {
  let cluster: TestCluster | undefined;
  afterAll(() => takeDown(cluster));

  it('a cluster listens on loopback and nowhere else', async () => {
    cluster = await createTestCluster({ name: 'closed', workers: 1, runtime: 'process' });
    const found = await scan(cluster, 'reconciler', 'worker-1');
    const { api, mqtt } = JSON.parse(await readFile(join(cluster.folder, 'endpoints.json'), 'utf8')) as {
      api: string;
      mqtt: string;
    };
    expect(found).toEqual(expect.arrayContaining([new URL(api).host, mqtt]));
    expect(hostsOf(found)).toEqual(['127.0.0.1']);
    const { code, stderr } = await cluster.run('ca', 'show');
    expect([code, stderr]).toEqual([1, expect.stringContaining('this cluster speaks no TLS')]);
  });
});

describe.skipIf(!address)('outside loopback without TLS', () => {
  let cluster: TestCluster | undefined;
  afterAll(() => takeDown(cluster));

  it.each(['api', 'mqtt'])('a start is refused, with the way out (%s)', async (side) => {
    for (const host of [open, '0.0.0.0', '"::"']) {
      const folder = join(elsewhere, `refused-${side}`);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'cluster.yaml'), `cluster: refused\n${side}: { host: ${host}, port: 0 }\n`);
      const { code, stderr } = await run('reconciler', '--folder', folder);
      expect(code).toBe(4);
      expect(stderr).toMatch(/TLS_REQUIRED.* not loopback/);
      expect(stderr).toContain('tls: auto');
      expect(stderr).toContain('insecure_outside_loopback_i_know_the_risk: true');
    }
  });

  it('runs when the long flag says so; log and status say it too, and no token leaves another machine', async () => {
    cluster = await createTestCluster({
      name: 'open',
      workers: 1,
      runtime: 'process',
      flags: ['--bind', open, insecureFlag],
    });
    expect(hostsOf(await scan(cluster, 'reconciler'))).toEqual([open]);
    expect(await cluster.oakctl('status')).toMatch(/INSECURE .*without TLS/);
    expect(await readFile(join(cluster.folder, 'logs', 'reconciler.log'), 'utf8')).toContain(
      'insecure_outside_loopback',
    );
    const { api } = JSON.parse(await readFile(join(cluster.folder, 'endpoints.json'), 'utf8')) as { api: string };
    const { code, stderr } = await run('status', '--api', api, '--token-file', join(cluster.folder, 'api-token'));
    expect([code, stderr]).toEqual([4, expect.stringContaining('TLS_REQUIRED')]);
  });
});

describe.skipIf(!address)('`up --bind`', () => {
  let cluster: TestCluster;
  let withEngine: boolean;
  beforeAll(async () => {
    withEngine = await engineAnswers();
    const runtime = withEngine ? 'docker' : 'process';
    cluster = await createTestCluster({ name: 'bound', workers: 2, runtime, flags: ['--bind', open] });
  });
  afterAll(() => takeDown(cluster));

  it('listens there over TLS, and inside on loopback', async () => {
    const endpoints = JSON.parse(await readFile(join(cluster.folder, 'endpoints.json'), 'utf8')) as { api: string };
    expect(endpoints.api).toMatch(new RegExp(`^https://${open.replaceAll('.', '\\.')}:\\d+$`));
    const found = await scan(cluster, 'reconciler', 'worker-1', 'worker-2');
    expect(hostsOf(found).sort()).toEqual([open, '127.0.0.1'].sort());
    expect(found.filter((one) => one.startsWith('127.0.0.1:'))).toHaveLength(1);
    expect(await cluster.oakctl('status')).not.toContain('INSECURE');
  });

  it('runs what is deployed, and streams its log', async () => {
    const code = withEngine ? await buildImage('oakctl/test-web:1', { port: 80, text: 'one' }) : '/bin/sh';
    const process = { virtualization: 'process' as const, cmd: ['-c', 'echo one; exec sleep 1000'] };
    const service = { code, replicas: 2, memory: 20, ...(withEngine ? {} : process) };
    const file = join(elsewhere, 'app.json');
    await writeFile(file, descriptor(shop, { web: service }));
    await cluster.oakctl('deploy', file);
    await cluster.settled({ [web]: 2 });
    await cluster.oakctl('logs', `${web}.instance.0`);
  });

  it('is reached from another machine with the token and the exported certificate, and with nothing less', async () => {
    const ca = join(elsewhere, 'ca.pem');
    await writeFile(ca, await cluster.oakctl('ca', 'export'));
    const { api } = JSON.parse(await readFile(join(cluster.folder, 'endpoints.json'), 'utf8')) as { api: string };
    const reach = ['--api', api, '--token-file', join(cluster.folder, 'api-token')];
    const reached = await run('nodes', 'ls', '-o', 'name', ...reach, '--ca-file', ca);
    expect([reached.code, reached.stdout]).toEqual([0, 'worker-1\nworker-2\n']);
    const stranger = await run('nodes', 'ls', ...reach);
    expect([stranger.code, stranger.stderr]).toEqual([4, expect.stringContaining('TLS_INVALID')]);
    const shown = JSON.parse(await cluster.oakctl('ca', 'show', '-o', 'json')) as {
      authority: { certificate: string };
    };
    expect(shown.authority.certificate).toBe(await readFile(ca, 'utf8'));
  });

  it('keeps its authority when the reconciler is killed and started anew: nobody joins again', async () => {
    const before = (await cluster.nodes()).map(({ name, id }) => [name, id]);
    const instances = (await cluster.instances()).map(({ name, handle }) => [name, handle]);
    process.kill(await cluster.pid('reconciler'), 'SIGKILL');
    await cluster.oakctl('up');
    await eventually(async () => {
      const nodes = await cluster.nodes();
      expect(nodes.every(({ state }) => state === 'online')).toBe(true);
      expect(nodes.map(({ name, id }) => [name, id])).toEqual(before);
    });
    await cluster.settled({ [web]: 2 });
    expect((await cluster.instances()).map(({ name, handle }) => [name, handle])).toEqual(instances);
    await cluster.oakctl('stop');
    const refused = await cluster.run('up', '--bind', '127.0.0.1');
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('have joined it at')]);
  });
});
