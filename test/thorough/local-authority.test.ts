/**
 * Agents that are their own authority, as shipped: under a reconciler over TLS, and under nothing but a broker and a hand. Beside
 * them nodes made of curl and Mosquitto's clients, as far as TLS lets them in.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RegisterAnswer } from '../../schemas/joining.ts';
import { createTestCluster, program, type TestCluster, takeDown } from '../support/cluster.ts';
import { buildTestImages, engineAnswers, engineSocket } from '../support/engine.ts';
import { eventually, steadily } from '../support/eventually.ts';
import { hasMosquitto, startMosquitto, type TestMosquitto } from '../support/mosquitto.ts';
import { createHands, type Hands, hasHands } from '../support/seed-hands.ts';

const isServed = (await engineAnswers()) && (await hasHands()) && hasMosquitto();
const patience = { timeout: 90_000, interval: 200 };
const image = 'oakctl/test:1';
const slot = (n: number) => `hello.default.hello.default.instance.${n}`;

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
}
let root = '';
let docker: Docker;
const agents = new Set<Running>();
/** What was opened, in order. */
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  if (!isServed) return;
  await buildTestImages();
  root = await mkdtemp(join(tmpdir(), 'oakctl-local-'));
  docker = new Docker({ socketPath: await engineSocket() });
});
/** Before what is left in the engine is removed: an agent would start it again. */
async function closeAll(): Promise<void> {
  for (const agent of agents) await stop(agent, 'SIGKILL');
  for (const one of opened.splice(0).reverse()) await one.close();
}
afterAll(async () => {
  if (root !== '') await rm(root, { recursive: true, force: true });
});

/** A folder with this agent.yaml. */
async function folderOf(name: string, settings: object): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  const file = { name, authority: 'local', ip: '127.0.0.1', beat: '1s', ...settings };
  await writeFile(join(folder, 'agent.yaml'), JSON.stringify(file));
  return folder;
}
function start(folder: string): Running {
  const child = spawn(process.execPath, [program, 'agent', '--folder', folder], { stdio: 'ignore' });
  const running = { child, ended: new Promise<void>((done) => child.once('close', () => done())) };
  agents.add(running);
  return running;
}
async function stop(running: Running, how: NodeJS.Signals): Promise<void> {
  running.child.kill(how);
  await running.ended;
  agents.delete(running);
}

/** What runs for a node, as instance and container. */
async function runningOn(node: string): Promise<Map<string, string>> {
  const found = await docker.listContainers({ filters: { label: [`io.oakctl.node=${node}`], status: ['running'] } });
  return new Map(found.map(({ Id, Labels }) => [Labels['io.oakctl.instance'] ?? '', Id]));
}
const see = (node: string, ...wanted: readonly string[]) =>
  eventually(async () => {
    const found = await runningOn(node);
    expect([...found.keys()].sort()).toEqual([...wanted].sort());
    return found;
  }, patience);

describe.skipIf(!isServed)('a cluster that speaks TLS', () => {
  let cluster: TestCluster;
  let api = '';
  let mqtt = '';
  let apiToken = '';
  let secure: Hands;
  beforeAll(async () => {
    cluster = await createTestCluster({
      name: 'sealed',
      workers: 1,
      runtime: 'process',
      settings: (repository) => `cluster: sealed
sources: [{ name: main, url: ${JSON.stringify(repository)}, poll: 10s }]
api: { port: 0 }
mqtt: { port: 0 }
tls: auto
node_class: lan
`,
    });
    ({ api, mqtt } = JSON.parse(await readFile(join(cluster.folder, 'endpoints.json'), 'utf8')) as {
      api: string;
      mqtt: string;
    });
    apiToken = (await readFile(join(cluster.folder, 'api-token'), 'utf8')).trim();
    const ca = join(root, 'ca.pem');
    await writeFile(ca, await cluster.oakctl('ca', 'export'));
    secure = createHands({ api, mqtt, ca });
    opened.push(secure);
  }, 240_000);
  afterAll(async () => {
    await closeAll();
    await takeDown(cluster);
  }, 120_000);
  const newToken = async () =>
    (JSON.parse(await cluster.oakctl('nodes', 'token', 'create', '-o', 'json')) as { token: string }).token;
  const body = { id: '71', name: 'plant', ip: '10.1.2.3', port: '0' };

  it('refuses the seed in the open, with what to do; and serves it over TLS', async () => {
    const open = createHands({ api: api.replace('https:', 'http:'), mqtt });
    const token = await newToken();
    const { status, body: told } = await open.curl('/api/node/register', token, body);
    const { problems } = told as { problems: { code: string; hint: string }[] };
    expect([status, problems[0]?.code]).toEqual([400, 'TLS_REQUIRED']);
    for (const word of ['oakctl ca export', `--cacert ca.pem ${api}/api/node/register`, '--cafile', 'revoke'])
      expect(problems[0]?.hint).toContain(word);
    const { body: answer } = await secure.curl('/api/node/register', token, body);
    const { id, username, password } = answer as RegisterAnswer;
    expect(id).toBe('71');
    const information = `nodes/${id}/information`;
    await expect(open.publish(username, password, information, { cpu: 1, memory: 2 })).rejects.toThrow();
    const log = () => readFile(join(cluster.folder, 'logs', 'reconciler.log'), 'utf8');
    await eventually(async () => expect(await log()).toContain('it speaks without TLS'), patience);
    const node = await secure.listen(username, password, `nodes/${id}/controls`);
    await secure.publish(username, password, information, { cpu: 1, memory: 2 });
    const control = { command: 'deploy', job: { id: 1, name: 'far', image, technology: 'docker' }, worker: 'plant' };
    await secure.publish('operator', apiToken, 'clusters/sealed/controls', control);
    await eventually(() => expect(node.heard).toMatchObject([{ command: 'deploy', worker: id }]), patience);
    node.stop();
    await cluster.oakctl('delete', 'far.default');
  });

  it('has an agent that proves it by the pin, registers, and does what the plain controls say', async () => {
    const folder = await folderOf('field', { api, token: await newToken() });
    const before = start(folder);
    const field = async () => (await cluster.nodes()).find(({ name }) => name === 'field');
    const online = () =>
      eventually(async () => {
        const found = await field();
        expect(found).toMatchObject({ dialect: 'seed', state: 'online' });
        return found?.id ?? '';
      }, patience);
    const node = await online();
    const control = { command: 'deploy', job: { id: 1, name: 'hello', image, technology: 'docker' }, worker: 'field' };
    await secure.publish('operator', apiToken, 'clusters/sealed/controls', control);
    const there = await see(node, slot(0));
    expect((await cluster.containers()).map(({ instance }) => instance)).toContain(slot(0));
    await stop(before, 'SIGKILL');
    await eventually(async () => expect((await field())?.state).not.toBe('online'), patience);
    const again = start(folder);
    // What is said while it is away it never hears.
    await online();
    await steadily(async () => expect(await runningOn(node)).toEqual(there), 3_000);
    await cluster.oakctl('delete', 'hello.default');
    await see(node);
    await stop(again, 'SIGTERM');
  });
});

describe.skipIf(!isServed)('without a reconciler', () => {
  let mosquitto: TestMosquitto;
  let manager: Server;
  let hands: Hands;
  /** Its own at each run: what is left of it in the engine is ours. */
  const node = `local-${process.pid}`;
  const passwords = { reconciler: 'of whoever plans', [node]: 'of the node' };
  const asked: unknown[] = [];

  beforeAll(async () => {
    mosquitto = await startMosquitto({ users: passwords });
    opened.push(mosquitto);
    manager = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      request.on('end', () => {
        asked.push([request.method, request.url, JSON.parse(text)]);
        const broker = { MQTT_BROKER_PORT: String(mosquitto.port), username: node, password: passwords[node] };
        response.end(JSON.stringify({ id: node, ...broker }));
      });
    });
    opened.push(manager);
    await new Promise<void>((done) => manager.listen(0, '127.0.0.1', done));
    hands = createHands({ api: '', mqtt: mosquitto.url.replace('mqtt://', '') });
    opened.push(hands);
  });
  afterAll(async () => {
    await closeAll();
    const left = await docker.listContainers({ all: true, filters: { label: [`io.oakctl.node=${node}`] } });
    for (const { Id } of left) await docker.getContainer(Id).remove({ force: true });
  });

  it('registers with four keys, and `docker ps` follows the four plain controls', async () => {
    const { port } = manager.address() as AddressInfo;
    const agent = start(await folderOf('alone', { api: `http://127.0.0.1:${port}` }));
    // Whoever may write the topic is the planner: here the user that the access list lets write all of them.
    const say = (command: string, name: string, more: object = {}) =>
      hands.publish('reconciler', passwords.reconciler, `nodes/${node}/controls`, {
        command,
        job: { id: 1, name, image, technology: 'docker' },
        ...more,
      });
    await eventually(() => expect(mosquitto.log()).toContain(`as ${node}`), patience);
    expect(asked).toEqual([['POST', '/api/node/register', { id: '', name: 'alone', ip: '127.0.0.1', port: '0' }]]);
    await eventually(
      async () => {
        await say('deploy', 'hello');
        expect([...(await runningOn(node)).keys()]).toEqual([slot(0)]);
      },
      { timeout: 90_000, interval: 500 },
    );
    await say('replicate', slot(1));
    await say('replicate', 'hello');
    const three = await see(node, slot(0), slot(1), slot(2));
    await say('deploy', 'hello', { worker: 'somebody-else' });
    await say('move', slot(2), { worker: 'somebody-else' });
    await see(node, slot(0), slot(1));
    await say('delete', slot(0));
    expect((await see(node, slot(1))).get(slot(1))).toBe(three.get(slot(1)));
    await say('delete', 'hello');
    await see(node);
    await stop(agent, 'SIGTERM');
  });
});
