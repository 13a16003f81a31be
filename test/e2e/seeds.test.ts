/** The seeds' wire by hand: curl and Mosquitto's own clients against the shipped program, and `docker ps` as the witness. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterEvent, RegisterAnswer } from '../../schemas/api.ts';
import { jobNumber } from '../../schemas/assignment.ts';
import type { PlainControl } from '../../schemas/seed.ts';
import { createTestCluster, type TestCluster, takeDown } from '../support/cluster.ts';
import { buildTestImages } from '../support/engine.ts';
import { eventually } from '../support/eventually.ts';

const run = promisify(execFile);
let cluster: TestCluster;
let api = '';
let mqtt: string[] = [];
let apiToken = '';
const clients: ChildProcess[] = [];

beforeAll(async () => {
  await buildTestImages();
  cluster = await createTestCluster({ name: 'seeds', workers: 2 });
  const endpoints = JSON.parse(await readFile(join(cluster.folder, 'endpoints.json'), 'utf8')) as Record<
    string,
    string
  >;
  api = endpoints['api'] ?? '';
  const [host = '', port = ''] = (endpoints['mqtt'] ?? '').split(':');
  mqtt = ['-h', host, '-p', port];
  apiToken = (await readFile(join(cluster.folder, 'api-token'), 'utf8')).trim();
}, 120_000);
afterAll(async () => {
  for (const client of clients) client.kill();
  await takeDown(cluster);
}, 120_000);

/** `curl`, with the status behind the body. */
async function curl(path: string, bearer: string, body: unknown): Promise<{ status: number; body: unknown }> {
  const { stdout } = await run('curl', [
    ...['-sS', '-X', 'POST', '-w', '\n%{http_code}', '-H', 'content-type: application/json'],
    ...['-H', `authorization: Bearer ${bearer}`, '-d', JSON.stringify(body), `${api}${path}`],
  ]);
  const end = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(end + 1)), body: JSON.parse(stdout.slice(0, end)) };
}

async function joinToken(): Promise<string> {
  return (JSON.parse(await cluster.oakctl('nodes', 'token', 'create', '-o', 'json')) as { token: string }).token;
}

const login = (user: string, password: string, client: string): string[] => ['-u', user, '-P', password, '-i', client];

async function publish(user: string, password: string, topic: string, payload: object): Promise<void> {
  const who = login(user, password, `${user}.pub`);
  await run('mosquitto_pub', [...mqtt, ...who, '-q', '1', '-t', topic, '-m', JSON.stringify(payload)]);
}

interface Plant {
  readonly id: string;
  /** Controls as mosquitto_sub printed them. */
  readonly heard: PlainControl[];
  stop(): void;
}

/** A node made of curl, mosquitto_sub and mosquitto_pub. */
async function plant(name: string, id: string): Promise<Plant> {
  const body = { id, name, ip: '10.1.2.3', port: '3000' };
  const answer = await curl('/api/node/register', await joinToken(), body);
  expect(answer.status).toBe(200);
  const given = answer.body as RegisterAnswer;
  expect(given).toEqual({ id, MQTT_BROKER_PORT: mqtt[3], username: id, password: expect.any(String) });
  const heard: PlainControl[] = [];
  const who = login(given.username, given.password, id);
  const sub = spawn('stdbuf', ['-oL', 'mosquitto_sub', ...mqtt, ...who, '-q', '1', '-t', `nodes/${id}/controls`, '-d']);
  clients.push(sub);
  let ready = false;
  let text = '';
  sub.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    ready ||= lines.some((line) => line.includes('SUBACK'));
    for (const line of lines) if (line.startsWith('{')) heard.push(JSON.parse(line) as PlainControl);
  });
  await eventually(() => expect(ready).toBe(true), { timeout: 10_000 });
  const beat = (): void => {
    publish(id, given.password, `nodes/${id}/information`, { cpu: '7', memory: 31.5 }).catch(() => undefined);
  };
  beat();
  const timer = setInterval(beat, 3_000);
  return {
    id,
    heard,
    stop() {
      clearInterval(timer);
      sub.kill();
    },
  };
}

async function events(): Promise<ClusterEvent[]> {
  const text = await cluster.oakctl('events', '-o', 'json');
  return (JSON.parse(text) as { items: ClusterEvent[] }).items;
}

async function running(): Promise<string[]> {
  const nodes = new Map((await cluster.nodes()).map((node) => [node.id, node.name]));
  const found = (await cluster.containers()).filter(({ state }) => state === 'running');
  return found.map(({ node, instance }) => `${nodes.get(node)} ${instance}`).sort();
}

const see = (wanted: readonly string[]) =>
  eventually(async () => expect(await running()).toEqual([...wanted].sort()), { timeout: 60_000, interval: 200 });

describe("the seeds' wire", () => {
  it('registers with four keys, sends two, and sees deploy, replicate, move and delete, each for a reason', async () => {
    const [one, two] = [await plant('plant-1', '4201'), await plant('plant-2', '4202')];
    await eventually(
      async () => {
        const states = (await cluster.nodes()).map(({ name, state }) => `${name} ${state}`);
        expect(states).toEqual(expect.arrayContaining(['plant-1 online', 'plant-2 online']));
      },
      { timeout: 20_000 },
    );
    const image = 'oakctl/test:1';
    const service = 'sensor.default.sensor.default';
    const [first, next] = [`${service}.instance.0`, `${service}.instance.1`];
    await publish('operator', apiToken, 'clusters/seeds/controls', {
      command: 'deploy',
      job: { id: 1, name: 'sensor', image, technology: 'docker' },
      worker: 'plant-1',
    });
    await eventually(() => expect(one.heard).toHaveLength(1), { timeout: 20_000 });
    expect(one.heard[0]).toEqual({
      command: 'deploy',
      job: { id: jobNumber(first), name: first, image, technology: 'docker' },
      cluster: 'seeds',
      worker: one.id,
    });
    await eventually(
      async () => expect((await cluster.services())[0]).toMatchObject({ name: service, outcome: 'unconfirmed' }),
      { timeout: 30_000 },
    );
    await cluster.oakctl('replicate', first, '--to', 'plant-2');
    await eventually(() => expect(two.heard).toHaveLength(1), { timeout: 20_000 });
    expect(two.heard[0]).toMatchObject({ command: 'replicate', job: { name: next, from: first, image } });
    await eventually(
      async () => expect((await cluster.services())[0]).toMatchObject({ healthy: 2, outcome: 'unconfirmed' }),
      { timeout: 30_000 },
    );
    await cluster.oakctl('move', first, '--to', 'plant-2');
    await eventually(() => expect(two.heard).toHaveLength(2), { timeout: 20_000 });
    expect(one.heard[1]).toMatchObject({ command: 'move', job: { name: first }, cluster: 'seeds', worker: two.id });
    expect(two.heard[1]).toMatchObject({ command: 'deploy', job: { name: first, image }, worker: two.id });
    await cluster.oakctl('delete', service);
    await eventually(() => expect(two.heard).toHaveLength(4), { timeout: 20_000 });
    expect(
      two.heard
        .slice(2)
        .map(({ command, job }) => `${command} ${job.name}`)
        .sort(),
    ).toEqual([`delete ${first}`, `delete ${next}`]);
    const sent = (await events()).filter(({ kind }) => kind === 'control_sent');
    const told = (controls: readonly PlainControl[], name: string): string[] =>
      controls.map(({ command, job }) => `${job.name}: ${command} of job ${job.id} to ${name}`);
    expect(sent.map(({ subject, message }) => `${subject}: ${message}`).sort()).toEqual(
      [...told(one.heard, 'plant-1'), ...told(two.heard, 'plant-2')].sort(),
    );
    one.stop();
    two.stop();
  });

  it('tells an operator of a direct deployment that it is not confirmed, and exits with 0', async () => {
    const node = await plant('plant-3', '4203');
    await eventually(
      async () => expect((await cluster.nodes()).find(({ name }) => name === 'plant-3')?.state).toBe('online'),
      { timeout: 20_000 },
    );
    const ran = await cluster.run('deploy', 'test/e2e/seed-app.yaml');
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining('is not confirmed') });
    expect(ran.stdout).toContain('unconfirmed');
    await cluster.oakctl('delete', 'field.default');
    node.stop();
  });

  it('follows the four plain controls of an operator', async () => {
    const say = (command: string, name: string, worker?: string) =>
      publish('operator', apiToken, 'clusters/seeds/controls', {
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

  it('answers where a job would go, and changes nothing', async () => {
    const before = await readFile(join(cluster.folder, 'records', 'records.json'), 'utf8');
    const workers = (await cluster.nodes()).filter(({ runtimes }) => runtimes.length > 0);
    const good = await curl('/api/calculate/deploy', apiToken, { image: 'oakctl/test:1', memory: 16 });
    expect(good.status).toBe(200);
    const { workers: ranked } = good.body as { workers: string[] };
    const ids = workers.filter(({ name }) => name.startsWith('worker-')).map(({ id }) => id);
    expect([...ranked].sort()).toEqual([...ids].sort());
    const bad = await curl('/api/calculate/deploy', apiToken, { job: { image: 'oakctl/test:1', memory: 1e9 } });
    expect(bad).toMatchObject({ status: 409, body: { workers: [], problems: [{ code: 'NO_CAPACITY' }] } });
    expect(await cluster.services()).toEqual([]);
    expect(await readFile(join(cluster.folder, 'records', 'records.json'), 'utf8')).toBe(before);
  });

  it('tells workers of Oakestra itself, and strangers, what is wrong', async () => {
    const oakestra = { id: '', host: 'x', ip: '10.0.0.1', port: '3000', free_cores: 4 };
    expect((await curl('/api/node/register', await joinToken(), oakestra)).status).toBe(501);
    const body = { id: '7', name: 'x', ip: '10.0.0.1', port: 1 };
    expect((await curl('/api/node/register', 'nobody', body)).status).toBe(401);
    expect((await curl('/api/node/register', await joinToken(), { ...body, more: 1 })).status).toBe(400);
    const wrong = publish('operator', 'guess', 'clusters/seeds/controls', { command: 'deploy' });
    await expect(wrong).rejects.toThrow();
  });
});
