/** The seeds' wire by hand: curl and Mosquitto's own clients against the shipped program, and `docker ps` as the witness. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobNumber } from '../../schemas/assignment.ts';
import type { ClusterEvent } from '../../schemas/cluster-events.ts';
import type { RegisterAnswer } from '../../schemas/joining.ts';
import type { PlainControl } from '../../schemas/seed.ts';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { buildTestImages, engineAnswers } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';
import { createHands, type Hands, hasHands } from '../support/seed-hands.ts';

const isServed = (await engineAnswers()) && (await hasHands());
let cluster: TestCluster;
let hands: Hands;
const closing: (() => void)[] = [];
let mqttPort = '';
let apiToken = '';

async function joinToken(): Promise<string> {
  return (JSON.parse(await cluster.oakctl('nodes', 'token', 'create', '-o', 'json')) as { token: string }).token;
}

interface Plant {
  readonly id: string;
  readonly name: string;
  /** Controls as mosquitto_sub printed them. */
  readonly heard: readonly PlainControl[];
  stop(): void;
}

/** A node made of curl, mosquitto_sub and mosquitto_pub. */
async function plant(name: string, id: string): Promise<Plant> {
  const body = { id, name, ip: '10.1.2.3', port: '3000' };
  const answer = await hands.curl('/api/node/register', await joinToken(), body);
  expect(answer.status).toBe(200);
  const { username, password } = answer.body as RegisterAnswer;
  expect(answer.body).toEqual({ id, MQTT_BROKER_PORT: mqttPort, username: id, password: expect.any(String) });
  const listening = await hands.listen(username, password, `nodes/${id}/controls`);
  const beat = (): void => {
    hands.publish(id, password, `nodes/${id}/information`, { cpu: '7', memory: 31.5 }).catch(() => undefined);
  };
  beat();
  const timer = setInterval(beat, 3_000);
  return {
    id,
    name,
    heard: listening.heard,
    stop() {
      clearInterval(timer);
      listening.stop();
    },
  };
}

async function events(): Promise<ClusterEvent[]> {
  const text = await cluster.oakctl('events', '-o', 'json');
  return (JSON.parse(text) as { items: ClusterEvent[] }).items;
}

/** Every control that the plants heard has its event, and behind it what the plan did: why, and on this node. Nothing else was sent. */
async function expectReasons(plants: readonly Plant[]): Promise<void> {
  const all = await events();
  const about = (kind: ClusterEvent['kind'], subject: string): string[] =>
    all.filter((event) => event.kind === kind && event.subject === subject).map(({ message }) => message);
  const told = plants.flatMap(({ name, heard }) =>
    heard.map(({ command, job }) => ({ name, command, job, says: `${command} of job ${job.id} to ${name}` })),
  );
  for (const { name, command, job, says } of told) {
    expect(about('control_sent', job.name)).toContain(says);
    const starts = command === 'deploy' || command === 'replicate';
    const plans = about(starts ? 'instance_started' : 'instance_stopped', job.name);
    expect(plans).toContainEqual(expect.stringMatching(new RegExp(`^\\S.*; .*on ${name}\\b`)));
  }
  const sent = all.filter(({ kind }) => kind === 'control_sent').map(({ message }) => message);
  expect(sent.sort()).toEqual(told.map(({ says }) => says).sort());
}

async function running(): Promise<string[]> {
  const nodes = new Map((await cluster.nodes()).map((node) => [node.id, node.name]));
  const found = (await cluster.containers()).filter(({ state }) => state === 'running');
  return found.map(({ node, instance }) => `${nodes.get(node)} ${instance}`).sort();
}

const see = (wanted: readonly string[]) =>
  eventually(async () => expect(await running()).toEqual([...wanted].sort()), { timeout: 60_000, interval: 200 });

describe.skipIf(!isServed)("the seeds' wire", () => {
  beforeAll(async () => {
    await buildTestImages();
    cluster = await createTestCluster({ name: 'seeds', workers: 2 });
    const endpoints = await readFile(join(cluster.folder, 'endpoints.json'), 'utf8');
    const { api, mqtt } = JSON.parse(endpoints) as { api: string; mqtt: string };
    hands = createHands({ api, mqtt });
    closing.push(hands.close);
    mqttPort = mqtt.split(':')[1] ?? '';
    apiToken = (await readFile(join(cluster.folder, 'api-token'), 'utf8')).trim();
  }, 120_000);
  afterAll(async () => {
    for (const close of closing) close();
    await takeDown(cluster);
  }, 120_000);

  it('has nodes of four keys and two that see deploy, replicate, move and delete, each for a reason; and operators with all four', async () => {
    const four = { id: '4201', name: 'plant-1', ip: '10.1.2.3', port: '3000' };
    const token = await joinToken();
    for (const key of Object.keys(four)) {
      const three = Object.fromEntries(Object.entries(four).filter(([name]) => name !== key));
      expect((await hands.curl('/api/node/register', token, three)).status).toBe(400);
    }
    expect((await hands.curl('/api/node/register', token, { ...four, more: 1 })).status).toBe(400);
    const [one, two] = [await plant('plant-1', '4201'), await plant('plant-2', '4202')];
    await eventually(
      async () => {
        const states = (await cluster.nodes()).map(({ name, state }) => `${name} ${state}`);
        expect(states).toEqual(expect.arrayContaining(['plant-1 online', 'plant-2 online']));
      },
      { timeout: 60_000 },
    );
    const image = 'oakctl/test:1';
    const service = 'sensor.default.sensor.default';
    const [first, next] = [`${service}.instance.0`, `${service}.instance.1`];
    await hands.publish('operator', apiToken, 'clusters/seeds/controls', {
      command: 'deploy',
      job: { id: 1, name: 'sensor', image, technology: 'docker' },
      worker: 'plant-1',
    });
    await eventually(() => expect(one.heard).toHaveLength(1), { timeout: 60_000 });
    expect(one.heard[0]).toEqual({
      command: 'deploy',
      job: { id: jobNumber(first), name: first, image, technology: 'docker' },
      cluster: 'seeds',
      worker: one.id,
    });
    await eventually(
      async () => expect((await cluster.services())[0]).toMatchObject({ name: service, outcome: 'unconfirmed' }),
      { timeout: 60_000 },
    );
    await cluster.oakctl('replicate', first, '--to', 'plant-2');
    await eventually(() => expect(two.heard).toHaveLength(1), { timeout: 60_000 });
    expect(two.heard[0]).toMatchObject({ command: 'replicate', job: { name: next, from: first, image } });
    await eventually(
      async () => expect((await cluster.services())[0]).toMatchObject({ healthy: 2, outcome: 'unconfirmed' }),
      { timeout: 60_000 },
    );
    await cluster.oakctl('move', first, '--to', 'plant-2');
    await eventually(() => expect([one.heard.length, two.heard.length]).toEqual([2, 2]), { timeout: 60_000 });
    expect(one.heard[1]).toMatchObject({ command: 'move', job: { name: first }, cluster: 'seeds', worker: two.id });
    expect(two.heard[1]).toMatchObject({ command: 'deploy', job: { name: first, image }, worker: two.id });
    await cluster.oakctl('delete', service);
    await eventually(() => expect(two.heard).toHaveLength(4), { timeout: 60_000 });
    expect(
      two.heard
        .slice(2)
        .map(({ command, job }) => `${command} ${job.name}`)
        .sort(),
    ).toEqual([`delete ${first}`, `delete ${next}`]);
    await expectReasons([one, two]);
    one.stop();
    two.stop();
    const say = (command: string, name: string, worker?: string) =>
      hands.publish('operator', apiToken, 'clusters/seeds/controls', {
        command,
        job: { id: 9, name, image: 'oakctl/test:1', technology: 'docker' },
        ...(worker === undefined ? {} : { worker }),
      });
    const slot = (n: number): string => `hello.default.hello.default.instance.${n}`;
    await say('deploy', 'hello', 'worker-1');
    await see([`worker-1 ${slot(0)}`]);
    await say('replicate', 'hello', 'worker-2');
    await see([`worker-1 ${slot(0)}`, `worker-2 ${slot(1)}`]);
    await say('move', slot(1), 'worker-1');
    await see([`worker-1 ${slot(0)}`, `worker-1 ${slot(1)}`]);
    await say('delete', slot(0));
    await see([`worker-1 ${slot(1)}`]);
    await say('delete', 'hello');
    await see([]);
    const taken = (await events()).filter(
      ({ kind, subject }) => kind === 'control_taken' && subject.startsWith('hello'),
    );
    expect(taken.map(({ message }) => message.split(' ')[0])).toEqual([
      'deploy',
      'replicate',
      'move',
      'delete',
      'delete',
    ]);
  });

  it('tells an operator of a direct deployment that it is not confirmed, and exits with 0', async () => {
    const node = await plant('plant-3', '4203');
    await eventually(
      async () => expect((await cluster.nodes()).find(({ name }) => name === 'plant-3')?.state).toBe('online'),
      { timeout: 60_000 },
    );
    const ran = await cluster.run('deploy', 'test/thorough/seed-app.yaml');
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining('is not confirmed') });
    expect(ran.stdout).toContain('unconfirmed');
    await cluster.oakctl('delete', 'field.default');
    node.stop();
  });

  it('answers where a job would go, and changes nothing', async () => {
    const records = () => readFile(join(cluster.folder, 'records', 'records.json'), 'utf8');
    // What was deleted a moment ago is forgotten first.
    const before = await eventually(async () => {
      const text = await records();
      expect(text).toContain('"tags":{}');
      return text;
    });
    const workers = (await cluster.nodes()).filter(({ runtimes }) => runtimes.length > 0);
    const good = await hands.curl('/api/calculate/deploy', apiToken, { image: 'oakctl/test:1', memory: 16 });
    expect(good.status).toBe(200);
    const { workers: ranked } = good.body as { workers: string[] };
    const ids = workers.filter(({ name }) => name.startsWith('worker-')).map(({ id }) => id);
    expect([...ranked].sort()).toEqual([...ids].sort());
    const bad = await hands.curl('/api/calculate/deploy', apiToken, { job: { image: 'oakctl/test:1', memory: 1e9 } });
    expect(bad).toMatchObject({ status: 409, body: { workers: [], problems: [{ code: 'NO_CAPACITY' }] } });
    expect(await cluster.services()).toEqual([]);
    expect(await records()).toBe(before);
  });

  it('tells workers of Oakestra itself, and strangers, what is wrong', async () => {
    const oakestra = { id: '', host: 'x', ip: '10.0.0.1', port: '3000', free_cores: 4 };
    expect((await hands.curl('/api/node/register', await joinToken(), oakestra)).status).toBe(501);
    const body = { id: '7', name: 'x', ip: '10.0.0.1', port: 1 };
    expect((await hands.curl('/api/node/register', 'nobody', body)).status).toBe(401);
    expect((await hands.curl('/api/node/register', await joinToken(), { ...body, more: 1 })).status).toBe(400);
    const wrong = hands.publish('operator', 'guess', 'clusters/seeds/controls', { command: 'deploy' });
    await expect(wrong).rejects.toThrow();
  });
});
