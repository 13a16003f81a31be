/** What becomes of identities, with the program as built: a reconciler with its broker, and agents in folders of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { connect, connectAsync } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiClient, createApiClient } from '../../schemas/io/api-client.ts';
import { createDurableFiles } from '../../schemas/io/durable-files.ts';
import type { JoinAnswer } from '../../schemas/joining.ts';
import type { InstancesMessage } from '../../schemas/messages.ts';
import type { Problem } from '../../schemas/problem.ts';
import { topic } from '../../schemas/topics.ts';
import type { NodeView } from '../../schemas/views.ts';
import { eventually, steadily } from '../support/eventually.ts';
import { timely } from '../support/machine.ts';

const program = resolve('dist/cli/bin/oakctl.js');
const signal = new AbortController().signal;

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
}

let root: string;
let folder: string;
const running: Running[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'oakctl-identity-'));
  folder = join(root, 'cluster');
  await mkdir(folder);
  const any = '{ host: 127.0.0.1, port: 0 }';
  const settings = `cluster: here\nnode_class: lan\nsources: [{ name: away, url: ${root}/none.git }]\n`;
  await writeFile(join(folder, 'cluster.yaml'), `${settings}api: ${any}\nmqtt: ${any}\n`);
});
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.splice(0).map(({ ended }) => ended));
  await rm(root, { recursive: true, force: true });
});

function run(...args: string[]): Running {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'ignore'] });
  const started = { child, ended: new Promise<void>((done) => child.once('close', () => done())) };
  running.push(started);
  return started;
}
async function stop({ child, ended }: Running, how: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  child.kill(how);
  await ended;
}
async function listening(): Promise<ApiClient> {
  return eventually(
    async () => {
      const { api } = JSON.parse(await readFile(join(folder, 'endpoints.json'), 'utf8')) as { api: string };
      const token = (await readFile(join(folder, 'api-token'), 'utf8')).trim();
      const client = createApiClient({ url: api, token });
      await client.status(signal);
      return client;
    },
    { what: 'the API', timeout: 60_000 },
  );
}
async function reconciler(): Promise<Running & { readonly api: ApiClient }> {
  const started = run(program, 'reconciler', '--folder', folder);
  return { ...started, api: await listening() };
}
/** How the broker answers a client with this credential. */
async function tryToConnect(username: string, password: string): Promise<string> {
  const { mqtt } = JSON.parse(await readFile(join(folder, 'endpoints.json'), 'utf8')) as { mqtt: string };
  const client = connect(`mqtt://${mqtt}`, { clientId: username, username, password, reconnectPeriod: 0 });
  const outcome = await new Promise<string>((done) => {
    client.on('connect', () => done('connected'));
    client.on('error', (error) => done(error.message));
    client.on('close', () => done('closed'));
  });
  client.end(true);
  return outcome;
}
/** A node that says that it carries something, and then nothing more. */
async function reportOnce({ id, mqtt }: JoinAnswer): Promise<void> {
  const { username, password } = mqtt;
  const client = await connectAsync(`mqtt://${mqtt.host}:${mqtt.port}`, { clientId: id, username, password });
  const pair = { epoch: 1, gen: 1, by: 'x' };
  const report: InstancesMessage = {
    ...pair,
    v: 1,
    session: 's',
    seq: 1,
    part: 0,
    parts: 1,
    hash: 'f'.repeat(64),
    copies: [],
  };
  await client.publishAsync(topic(id, 'instances'), JSON.stringify(report), { qos: 1, retain: true });
  await client.endAsync();
}
/** The folder of an agent that is to join as `name`. */
async function agentFolder(api: ApiClient, name: string): Promise<string> {
  const { token } = await api.createToken({ name }, signal);
  const own = join(root, name);
  await mkdir(own);
  const yaml = `name: ${name}\napi: ${api.url}\ntoken: ${token}\nip: 127.0.0.13\nbeat: 500ms\n`;
  await writeFile(join(own, 'agent.yaml'), `${yaml}runtimes: { process: { allow: true } }\n`);
  return own;
}
const agent = (own: string): Running => run(program, 'agent', '--folder', own);
const nodeOf = async (api: ApiClient): Promise<NodeView | undefined> => (await api.nodes([], signal))[0];
const online = (api: ApiClient) =>
  eventually(async () => (await nodeOf(api))?.state === 'online', { what: 'an online node', timeout: 60_000 });

describe.runIf(process.platform === 'linux')('an identity', () => {
  it('in two folders is told, and one of the two agents is left in peace', async () => {
    const { api } = await reconciler();
    const first = await agentFolder(api, 'w');
    const original = agent(first);
    await online(api);
    await stop(original);
    const second = join(root, 'copy');
    await cp(first, second, { recursive: true });
    const both = [agent(first), agent(second)];
    const isTold = async () => (await nodeOf(api))?.problems.some(({ code }) => code === 'DUPLICATE_NODE') === true;
    await eventually(isTold, { what: 'DUPLICATE_NODE', timeout: 60_000 });
    expect((await api.status(signal)).conditions).toContainEqual(expect.objectContaining({ code: 'DUPLICATE_NODE' }));
    await online(api);
    await steadily(async () => (await nodeOf(api))?.state === 'online' && (await isTold()), 5_000, 'peace');
    const events: string[] = [];
    for await (const { kind } of api.events({}, signal)) events.push(kind);
    expect(events.filter((kind) => kind === 'node_duplicate')).toHaveLength(1);
    expect(events.filter((kind) => kind === 'node_suspect').length).toBeLessThanOrEqual(5);
    await stop(both[0] as Running);
    await online(api);
  });

  it('that was revoked stays revoked, however the reconciler ends and whatever of state/ is wiped', async () => {
    let current = await reconciler();
    const own = await agentFolder(current.api, 'w');
    const one = agent(own);
    await online(current.api);
    await stop(one);
    const text = await createDurableFiles({ folder: join(own, 'state') }).read('identity');
    const { username, password } = (JSON.parse(text ?? '') as { mqtt: { username: string; password: string } }).mqtt;
    expect(await tryToConnect(username, password)).toBe('connected');
    await current.api.revoke('w', signal);
    expect(await tryToConnect(username, password)).not.toBe('connected');
    for (const how of ['SIGKILL', 'SIGTERM'] as const) {
      await stop(current, how);
      await rm(join(folder, 'state'), { recursive: true, force: true });
      await rm(join(folder, 'endpoints.json'), { force: true });
      current = await reconciler();
      expect(await tryToConnect(username, password)).not.toBe('connected');
      expect((await nodeOf(current.api))?.state).toBe('revoked');
    }
    await current.api.removeNode('w', {}, signal);
    expect(await tryToConnect(username, password)).not.toBe('connected');
    expect(await nodeOf(current.api)).toBeUndefined();
  });
});

const missingRecords = async (api: ApiClient): Promise<Problem[]> =>
  (await api.status(signal)).conditions.filter(({ code }) => code === 'RECORDS_MISSING');

describe('records that were lost while the identity was kept', () => {
  it('close enrolment, say so, and are given up node by node', async () => {
    const before = await reconciler();
    const own = await agentFolder(before.api, 'w');
    const one = agent(own);
    await online(before.api);
    await stop(one);
    const text = await createDurableFiles({ folder: join(own, 'state') }).read('identity');
    const { username, password } = (JSON.parse(text ?? '') as { mqtt: { username: string; password: string } }).mqtt;
    const spare = await agentFolder(before.api, 'spare');
    await stop(before);
    await rm(join(folder, 'records'), { recursive: true, force: true });
    await rm(join(folder, 'endpoints.json'), { force: true });

    const { api } = await reconciler();
    expect(await missingRecords(api)).toEqual([]);
    expect(await tryToConnect('0'.repeat(16), password)).not.toBe('connected');
    expect(await missingRecords(api)).toEqual([]);
    expect(await tryToConnect(username, password)).not.toBe('connected');
    const missing = await eventually(async () => (await missingRecords(api))[0], { what: 'a condition' });
    expect(missing).toMatchObject({
      code: 'RECORDS_MISSING',
      hint: expect.stringContaining(`oakctl nodes rm ${username}`),
    });
    const { token } = await api.createToken({}, signal);
    const request = { token, name: 'new', ip: '127.0.0.13', version: '0.1.0' };
    await expect(api.join(request, signal)).rejects.toThrow(/RECORDS_MISSING|enrolment is closed/);
    await rm(spare, { recursive: true });

    await api.removeNode(username, {}, signal);
    expect(await missingRecords(api)).toEqual([]);
    expect(await api.join(request, signal)).toMatchObject({ name: 'new', ordinal: 1 });
    expect(await tryToConnect(username, password)).not.toBe('connected');
    expect(await missingRecords(api)).toEqual([]);
  });
});

describe('a reconciler', () => {
  it('ends within 2 s of SIGTERM', async () => {
    const { child, ended } = await reconciler();
    await timely({ what: 'the end of the reconciler', work: 2_000 }, async () => {
      child.kill('SIGTERM');
      await ended;
    });
    expect(child.exitCode).not.toBeNull();
  });

  it('leaves nothing behind that keeps its process: nobody has to call exit', async () => {
    const main = JSON.stringify(new URL('../../dist/reconciler/main.js', import.meta.url).href);
    const { child, ended } = run(
      '--input-type=module',
      '-e',
      `import { runReconciler } from ${main};
       const abort = new AbortController();
       process.once('SIGTERM', () => abort.abort());
       await runReconciler({ folder: ${JSON.stringify(folder)} }, abort.signal);`,
    );
    const api = await listening();
    const token = await api.createToken({}, signal);
    const joined = await api.join({ token: token.token, name: 'silent', ip: '127.0.0.9', version: '1' }, signal);
    await reportOnce(joined);
    // It waits for the ledger that the node does not send.
    await eventually(async () => (await nodeOf(api))?.problems.some(({ code }) => code === 'LEDGER_UNREAD') === true);
    await timely({ what: 'the end of the reconciler', work: 1_500 }, async () => {
      child.kill('SIGTERM');
      await ended;
    });
    expect(child.exitCode).toBe(0);
  });
});
