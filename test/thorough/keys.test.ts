/** Keys of a cluster rotate while everything runs on: over TLS, with the program as built and a real engine. */
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { KeyView, RotateAnswer } from '../../schemas/keys.ts';
import type { NodeView } from '../../schemas/views.ts';
import { program } from '../support/cluster.ts';
import { descriptor } from '../support/descriptors.ts';
import { buildImage, describeWithEngine } from '../support/engine.ts';
import { eventually, steadily } from '../support/eventually.ts';
import { fakeTime, hasFakeTime, setTime } from '../support/fake-time.ts';
import { createHandCluster, type HandCluster, type Program } from '../support/hand-cluster.ts';
import { endLives, livesOf } from '../support/lives.ts';
import { ownAddresses, unique } from '../support/machine.ts';
import { type SteadyClient, startClient } from '../support/steady-client.ts';

const signal = new AbortController().signal;
const patience = { timeout: 90_000, interval: 200 };
const halfAYear = 180 * 86_400;
const app = unique('keys');

await describeWithEngine('keys that rotate', (socketPath) => {
  const docker = new Docker({ socketPath });
  const workers = ['w1', 'w2', 'w3', 'w4'];
  const agents = new Map<string, Program>();
  let root: string;
  /** All programs of the cluster have its time; we have not. */
  let clock: Readonly<Record<string, string>>;
  let cluster: HandCluster;
  const made: HandCluster[] = [];
  let reconciler: Program;
  let url: string;
  let isAhead = false;
  let fingerprint = '';
  let before: ReadonlyMap<string, string>;
  let client: SteadyClient | undefined;

  /** The command as a user has it who knows the first root only. */
  const oakctl = async <T>(...args: string[]): Promise<T> => {
    const to = ['--api', url, '--token-file', join(cluster.folder, 'api-token'), '--ca-file', join(root, 'first.pem')];
    const env = { ...process.env, ...clock, NO_COLOR: '1' };
    const { stdout } = await promisify(execFile)(process.execPath, [program, ...args, ...to, '-o', 'json'], { env });
    return JSON.parse(stdout) as T;
  };
  const rotate = (...args: string[]) => oakctl<RotateAnswer>('keys', 'rotate', ...args);
  /** By the API as long as we have the same time: a certificate of another one is none. */
  const keys = async () =>
    isAhead ? (await oakctl<{ items: readonly KeyView[] }>('keys', 'ls')).items : (await cluster.api()).keys(signal);
  const nodes = async () =>
    isAhead
      ? (await oakctl<{ items: readonly NodeView[] }>('nodes', 'ls')).items
      : (await cluster.api()).nodes([], signal);
  const stateOf = async (name: string) => (await nodes()).find((node) => node.name === name)?.state;
  const online = async () =>
    (await nodes())
      .filter(({ state }) => state === 'online')
      .map(({ name }) => name)
      .sort();
  /** The key is on the disks of so many nodes, and no other one of its kind counts. */
  const alone = (kind: KeyView['kind'], id: string | undefined, taken: number) =>
    eventually(async () => {
      const [newest, ...older] = (await keys()).filter((key) => key.kind === kind);
      expect(newest).toMatchObject({ id, state: 'used', taken });
      for (const { state } of older) expect(state).toBe('ended');
    }, patience);
  /** Names of nodes with this credential, and no other one. */
  const holders = (serial: string) =>
    keys().then((all) => all.flatMap(({ id, node, state }) => (id === serial && state === 'used' ? [node] : [])));
  const agent = async (name: string): Promise<void> => {
    agents.set(name, await cluster.agent(join(root, name), clock));
  };

  beforeAll(async () => {
    const image = await buildImage('oakctl/test:1', { text: 'version 1' });
    root = await mkdtemp(join(tmpdir(), 'oakctl-keys-'));
    await setTime(join(root, 'clock'), '+0');
    clock = hasFakeTime ? fakeTime(join(root, 'clock')) : {};
    const within = ['env', ...Object.entries(clock).map(([name, value]) => `${name}=${value}`)];
    cluster = await createHandCluster(join(root, 'cluster'), 'tls: auto\n', { nodeClass: 'fast', within });
    made.push(cluster);
    reconciler = await cluster.reconciler();
    const api = await cluster.api();
    url = api.url;
    fingerprint = (await api.status(signal)).fingerprint;
    await copyFile(join(cluster.folder, 'identity', 'ca', 'ca.pem'), join(root, 'first.pem'));
    for (const [index, name] of workers.entries()) {
      const node = { ip: `127.0.${await ownAddresses()}.${13 + index}` };
      await cluster.prepareAgent(join(root, name), name, `runtimes: { docker: { socket: ${socketPath} } }\n`, node);
      await agent(name);
    }
    const text = descriptor(app, { web: { code: image, replicas: 'every', memory: 16 } });
    await api.deploy({ documents: [{ file: 'a.json', text }] }, signal);
    await eventually(
      async () => expect((await api.status(signal)).instances).toEqual({ wanted: 4, healthy: 4 }),
      patience,
    );
    before = await livesOf(docker, fingerprint);
    expect(before.size).toBe(4);
    const targets = await api.instances([], signal);
    client = startClient({ list: async () => targets, port: 80, maxAge: 8_000 });
  });
  afterEach(async () => {
    expect(client?.failures).toEqual([]);
    expect(await livesOf(docker, fingerprint)).toEqual(before);
  });
  afterAll(async () => {
    await client?.stop();
    for (const one of made) await one.close();
    await endLives(docker, fingerprint);
    await rm(root, { recursive: true, force: true });
  });

  it('signing key, root and all credentials are exchanged, and nothing restarts', async () => {
    const { id: key } = await rotate('cluster', '--overlap', '1s');
    await alone('cluster', key, 4);
    const { id: authority } = await rotate('ca', '--overlap', '1s');
    await alone('ca', authority, 4);
    const { nodes: begun, skipped } = await rotate('node', '--all');
    expect([[...begun].sort(), skipped]).toEqual([workers, []]);
    await eventually(async () => expect(await holders('2')).toEqual(workers), patience);
    expect(await online()).toEqual(workers);
  });

  it('with --now the old ones are worth nothing at once; a node that is cut comes back by a token, as it was', async () => {
    const { id: key } = await rotate('cluster', '--now', '--yes');
    await alone('cluster', key, 4);
    const { id: authority } = await rotate('ca', '--now', '--yes');
    await alone('ca', authority, 4);
    expect(await online()).toEqual(workers);

    const { tokens } = await rotate('node', 'w2', '--now', '--yes');
    await eventually(async () => expect(await online()).toEqual(['w1', 'w3', 'w4']), patience);
    await agents.get('w2')?.stop();
    const own = join(root, 'w2');
    const files = await readdir(join(own, 'state'));
    for (const file of files.filter((name) => name.startsWith('identity'))) await rm(join(own, 'state', file));
    const settings = await readFile(join(own, 'agent.yaml'), 'utf8');
    await writeFile(join(own, 'agent.yaml'), settings.replace(/^token: .*$/m, `token: ${tokens[0]?.token}`));
    await agent('w2');
    await eventually(async () => expect(await online()).toEqual(workers), patience);
    await eventually(async () => expect(await holders('4')).toEqual(['w2']), patience);
  });

  it.skipIf(!hasFakeTime)('who was away for 180 days comes back; who was revoked does not', async () => {
    for (const name of ['w3', 'w4']) await agents.get(name)?.stop();
    await (await cluster.api()).revoke('w4', signal);
    await eventually(async () => expect(await stateOf('w3')).toBe('lost'), patience);
    const { id: key } = await rotate('cluster', '--overlap', '1s');
    await alone('cluster', key, 2);
    const { id: authority } = await rotate('ca', '--overlap', '1s');
    await alone('ca', authority, 2);
    await rotate('node', '--all');
    await eventually(async () => expect(await holders('3')).toEqual(['w1']), patience);
    // The token that is still in its settings pins a key that has ended.
    await agents.get('w2')?.stop();
    await agent('w2');

    await reconciler.stop();
    await setTime(join(root, 'clock'), `+${halfAYear}`);
    isAhead = true;
    reconciler = await cluster.startReconciler();
    await eventually(async () => expect(await online()).toEqual(['w1', 'w2']), patience);
    await agent('w3');
    await agent('w4');
    await eventually(async () => expect(await online()).toEqual(['w1', 'w2', 'w3']), patience);
    await alone('cluster', key, 3);
    await alone('ca', authority, 3);
    // The credential that it came with was the one from before; it took the next one at once.
    await eventually(async () => expect(await holders('3')).toEqual(['w1', 'w3']), patience);
    const log = () => readFile(join(cluster.folder, 'log'), 'utf8');
    await eventually(async () => expect(await log()).toContain('node_refused'), patience);
    await steadily(async () => (await online()).join() === 'w1,w2,w3', 2_000, 'its absence');
  });
});
