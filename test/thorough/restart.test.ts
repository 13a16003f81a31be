import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Container, createTestCluster, program, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { buildImage, engineAnswers } from '../support/engine.ts';
import { eventually, steadily } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';

const [shop, tools, old] = [unique('shop'), unique('tools'), unique('old')];
const fromGit = fullName(shop, 'web');
const direct = fullName(tools, 'cache');
const doomed = fullName(old, 'job');

describe.skipIf(!(await engineAnswers()))('a reconciler that is killed', () => {
  let cluster: TestCluster;
  let code: string;
  let before: readonly Container[];
  const stops: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    code = await buildImage('oakctl/test-web:1', { port: 80, text: 'one' });
    cluster = await createTestCluster({});
    await cluster.repository.push({ 'shop.yaml': descriptor(shop, { web: { code, replicas: 3, memory: 20 } }) });
    await deploy(tools, { cache: { code, replicas: 2, memory: 20 } });
    await cluster.settled({ [fromGit]: 3, [direct]: 2 });
    before = await cluster.containers();
  });
  afterAll(async () => {
    for (const stop of stops) await stop();
    await takeDown(cluster);
  });

  const deploy = async (app: string, services: Parameters<typeof descriptor>[1]): Promise<void> => {
    const file = join(cluster.home, `${app}.yaml`);
    await writeFile(file, descriptor(app, services));
    await cluster.oakctl('deploy', file);
  };
  const kill = async () => process.kill(await cluster.pid('reconciler'), 'SIGKILL');
  const unchanged = async (): Promise<void> => expect(await cluster.containers()).toEqual(before);

  it('finds the same state again without state/, and no container restarts', async () => {
    await kill();
    await steadily(unchanged, 1000);
    await rm(join(cluster.folder, 'state'), { recursive: true });
    await cluster.oakctl('up');
    await cluster.settled({ [fromGit]: 3, [direct]: 2 });
    await unchanged();
    expect((await cluster.instances()).every(({ restarts }) => restarts === 0)).toBe(true);
  });

  it('does not bring back what was deleted while its node was away', async () => {
    await deploy(old, { job: { code, replicas: 3, memory: 20 } });
    await cluster.settled({ [fromGit]: 3, [direct]: 2, [doomed]: 3 });
    const agent = await cluster.pid('worker-2');
    process.kill(agent, 'SIGKILL');
    await eventually(async () => (await nodeState('worker-2')) !== 'online', { timeout: 60_000, what: 'its absence' });
    await cluster.oakctl('delete', doomed);
    await kill();
    await rm(join(cluster.folder, 'state'), { recursive: true });
    await cluster.oakctl('up');
    const left = async (): Promise<void> => {
      const names = (await cluster.containers()).map(({ instance }) => instance);
      expect(names.filter((name) => name.startsWith(doomed))).toEqual([]);
    };
    await eventually(left, { timeout: 120_000, what: 'the removal of the deleted service' });
    await cluster.settled({ [fromGit]: 3, [direct]: 2 });
    await steadily(left, 2000);
    before = await cluster.containers();
  });

  it('keeps a revoked node out', async () => {
    await cluster.post('nodes/worker-3/revoke', {});
    await cluster.settled({ [fromGit]: 3, [direct]: 2 });
    await kill();
    await rm(join(cluster.folder, 'state'), { recursive: true });
    await cluster.oakctl('up', 'worker-1');
    await cluster.settled({ [fromGit]: 3, [direct]: 2 });
    await steadily(async () => (await nodeState('worker-3')) !== 'online', 5000, 'the absence of the revoked node');
    const { nodes } = await cluster.status();
    expect(nodes.online).toBe(2);
  });

  it('can be started in another folder with identity, records and git alone', async () => {
    await cluster.settled({ [fromGit]: 3, [direct]: 2 });
    before = (await cluster.containers()).filter(({ state }) => state === 'running');
    const elsewhere = await mkdtemp(join(tmpdir(), 'oakctl-moved-'));
    stops.push(() => rm(elsewhere, { recursive: true, force: true }));
    const { api } = JSON.parse(await readFile(join(cluster.folder, 'endpoints.json'), 'utf8'));
    await kill();
    for (const part of ['identity', 'records', 'cluster.yaml']) {
      // The lock of the killed process is a socket; it stays behind as nobody would copy it.
      const filter = (path: string): boolean => !path.endsWith('.lock');
      await cp(join(cluster.folder, part), join(elsewhere, part), { recursive: true, filter });
    }
    const child = spawn(process.execPath, [program, 'reconciler', '--folder', elsewhere], { stdio: 'ignore' });
    stops.push(async () => child.kill('SIGKILL'));

    const token = (): Promise<string> => readFile(join(elsewhere, 'api-token'), 'utf8');
    const status = async () =>
      (await fetch(`${api}/v1/status`, { headers: { authorization: `Bearer ${(await token()).trim()}` } })).json();
    await eventually(
      async () => expect(await status()).toMatchObject({ phase: 'running', instances: { wanted: 5, healthy: 5 } }),
      {
        timeout: 120_000,
        what: 'the same state from the other folder',
      },
    );
    const ids = (await cluster.containers()).filter(({ state }) => state === 'running').map(({ id }) => id);
    expect(ids.sort()).toEqual(before.map(({ id }) => id).sort());
  });

  const nodeState = async (name: string) => (await cluster.nodes()).find((node) => node.name === name)?.state;
});
