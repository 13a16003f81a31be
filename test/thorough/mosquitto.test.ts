import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadIdentity, saveIdentity } from '../../agent/identity.ts';
import { openKeys } from '../../reconciler/keys/keys.ts';
import { createSystemRandom } from '../../schemas/io/clock.ts';
import { createDurableFiles } from '../../schemas/io/durable-files.ts';
import type { KeyView } from '../../schemas/keys.ts';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { eventually, steadily } from '../support/eventually.ts';
import { unique } from '../support/machine.ts';
import { hasMosquitto, startMosquitto, type TestMosquitto } from '../support/mosquitto.ts';
import { createHands } from '../support/seed-hands.ts';

const shop = unique('shop');
const web = fullName(shop, 'web');
const isThere = hasMosquitto();
if (!isThere) process.stderr.write('e2e on Mosquitto: it is not installed, the story is skipped\n');

const serve = (word: string, replicas: number) => ({
  web: {
    virtualization: 'process' as const,
    code: '/bin/sh',
    cmd: ['-c', `: ${word}; exec sleep 1000`],
    replicas,
    memory: 20,
  },
});

describe.skipIf(!isThere)('a cluster on Mosquitto', () => {
  let mosquitto: TestMosquitto;
  let cluster: TestCluster;

  beforeAll(async () => {
    const password = 'a password of the reconciler';
    mosquitto = await startMosquitto({ users: { reconciler: password } });
    cluster = await createTestCluster({
      workers: 2,
      runtime: 'process',
      settings: (repository) => `cluster: test
sources: [{ name: main, url: ${JSON.stringify(repository)}, poll: 10s }]
api: { port: 0 }
mqtt: { url: ${mqttUrl()}, password_file: ${mosquitto.passwordFile('reconciler', password)} }
broker: { credentials: { file: ${mosquitto.folder}/passwords, reload: { pid_file: ${mosquitto.folder}/pid } } }
node_class: lan
cpu_overcommit: 16
`,
    });
  });
  afterAll(async () => {
    await takeDown(cluster);
    await mosquitto.close();
  });
  const allOnline = (): Promise<unknown> =>
    eventually(async () => (await cluster.nodes()).every(({ state }) => state === 'online'), { timeout: 60_000 });
  const mqttUrl = (): string => mosquitto.url;

  it('joins its nodes, whose passwords the broker has, and runs what is pushed', async () => {
    await cluster.repository.push({ 'shop.yaml': descriptor(shop, serve('one', 2)) });
    await cluster.settled({ [web]: 2 });
    const passwords = await readFile(join(mosquitto.folder, 'passwords'), 'utf8');
    const names = passwords
      .trim()
      .split('\n')
      .map((line) => line.split(':')[0]);
    const ids = (await cluster.nodes()).map(({ id }) => id);
    expect(names.sort()).toEqual([...ids, 'operator', 'reconciler'].sort());
    expect((await cluster.status()).conditions).toEqual([]);
  });

  it('takes the plain controls of an operator who has the API token, and of nobody else', async () => {
    const endpoints = JSON.parse(await readFile(join(cluster.folder, 'endpoints.json'), 'utf8')) as { api: string };
    const hands = createHands({ api: endpoints.api, mqtt: new URL(mosquitto.url).host });
    const token = (await readFile(join(cluster.folder, 'api-token'), 'utf8')).trim();
    const say = (command: string, name: string, password = token): Promise<void> =>
      hands.publish('operator', password, 'clusters/test/controls', { command, job: { id: 1, name } });
    try {
      await expect(say('replicate', web, 'guessed')).rejects.toThrow();
      await say('replicate', web);
      await cluster.settled({ [web]: 3 });
      await say('delete', `${web}.instance.2`);
      await cluster.settled({ [web]: 2 });
    } finally {
      hands.close();
    }
  });

  it('updates what is pushed again', async () => {
    await cluster.repository.push({ 'shop.yaml': descriptor(shop, serve('two', 2)) });
    await cluster.oakctl('sync');
    await cluster.settled({ [web]: 2 });
  });

  it('survives the loss of the broker and all that it kept: no copy restarts, and changes go on', async () => {
    const before = (await cluster.instances()).map(({ copy, restarts }) => [copy, restarts]);
    await mosquitto.kill();
    await mosquitto.start();
    await allOnline();
    await cluster.settled({ [web]: 2 });
    expect((await cluster.instances()).map(({ copy, restarts }) => [copy, restarts])).toEqual(before);
    await cluster.repository.push({ 'shop.yaml': descriptor(shop, serve('two', 3)) });
    await cluster.oakctl('sync');
    await cluster.settled({ [web]: 3 });
  });

  it('adopts what runs when the reconciler is started anew', async () => {
    const before = (await cluster.instances()).map(({ copy, restarts }) => [copy, restarts]);
    process.kill(await cluster.pid('reconciler'), 'SIGKILL');
    await cluster.oakctl('up');
    await cluster.settled({ [web]: 3 });
    expect((await cluster.instances()).map(({ copy, restarts }) => [copy, restarts])).toEqual(before);
  });

  it('exchanges credentials, also with an agent that has the new one while the broker has the old one', async () => {
    const copies = async () => (await cluster.instances()).map(({ copy, restarts }) => [copy, restarts]);
    const before = await copies();
    const began = mosquitto.log().length;
    const [, second] = await cluster.nodes();
    const [id, name] = [second?.id ?? '', second?.name ?? ''];
    process.kill(await cluster.pid(name), 'SIGKILL');
    await cluster.oakctl('keys', 'rotate', 'node', '--all');
    // As it is when it ends right after it wrote the new one down.
    const files = createDurableFiles({ folder: join(cluster.folder, 'workers', name, 'state') });
    const { folder } = cluster;
    const keys = await openKeys({ folder, cluster: 'test', random: createSystemRandom(), create: false });
    const identity = await loadIdentity(files);
    if (!identity) throw new Error(`${name} has no identity`);
    const { mqtt } = identity;
    const next = { ...mqtt, password: keys.credential(id, 2) };
    expect(next.password).not.toBe(mqtt.password);
    await saveIdentity(files, { ...identity, mqtt: next, former: mqtt.password });
    await cluster.oakctl('up');
    await eventually(
      async () => {
        const { items } = await cluster.get<{ items: readonly KeyView[] }>('keys');
        const credentials = items.filter(({ kind }) => kind === 'node').map((key) => `${key.id} ${key.state}`);
        expect(credentials).toEqual(['2 used', '2 used']);
      },
      { timeout: 60_000 },
    );
    expect(mosquitto.log().slice(began)).toMatch(/not authori[sz]ed/i);
    await eventually(async () => expect((await loadIdentity(files))?.former).toBeUndefined(), { timeout: 60_000 });
    expect((await loadIdentity(files))?.mqtt.password).toBe(next.password);
    await allOnline();
    await cluster.settled({ [web]: 3 });
    expect(await copies()).toEqual(before);
  });

  it('cuts a revoked node, which does not come back', async () => {
    const began = mosquitto.log().length;
    const [gone] = await cluster.nodes();
    await cluster.post(`nodes/${gone?.name}/revoke`, {});
    await eventually(async () => {
      const passwords = await readFile(join(mosquitto.folder, 'passwords'), 'utf8');
      expect(passwords).not.toContain(gone?.id);
    });
    const refusal = new RegExp(`${gone?.id}.*(not authori[sz]ed|disconnect)`, 'i');
    const refused = (): boolean => refusal.test(mosquitto.log().slice(began));
    await eventually(refused, { timeout: 60_000, what: 'the refusal' });
    await cluster.settled({ [web]: 3 });
    await steadily(async () => {
      const now = (await cluster.nodes()).find(({ id }) => id === gone?.id);
      return now?.state !== 'online';
    }, 2_000);
  });
});
