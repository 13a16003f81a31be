/** A reconciler of the shipped program with its broker, and a fleet that has joined already. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emptyRecords } from '../../../reconciler/core/records.ts';
import { openKeys } from '../../../reconciler/keys/keys.ts';
import { createRecordsStore } from '../../../reconciler/store/records-store.ts';
import { createSystemClock, createSystemRandom } from '../../../schemas/io/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { startMosquitto, type TestMosquitto } from '../../support/mosquitto.ts';
import { childrenOf } from '../proc.ts';
import type { Home, SimulatedNode } from './simulated.ts';

export type BrokerName = 'aedes' | 'mosquitto';

export interface FleetCluster {
  readonly home: Home;
  readonly nodes: readonly SimulatedNode[];
  readonly pids: { readonly reconciler: number; readonly broker: number };
  /** Answer of the native API. */
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  readonly api: { readonly url: string; readonly token: string };
  close(): Promise<void>;
}

const cluster = 'fleet';
const program = 'dist/cli/bin/oakctl.js';
const beat = 5_000;
const random = createSystemRandom();
const hex = (bytes: number): string => Buffer.from(random.bytes(bytes)).toString('hex');

/** `keep`: the folder stays, with the log and the profiles of the reconciler and of the broker. */
export async function startFleetCluster(options: {
  readonly agents: number;
  readonly broker: BrokerName;
  readonly keep?: boolean;
  readonly profile?: boolean;
  /** Further lines of cluster.yaml. */
  readonly settings?: string;
}): Promise<FleetCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'oakctl-fleet-'));
  const keys = await openKeys({ folder, cluster, random });
  const nodes = Array.from({ length: options.agents }, (_, n) => newNode(n, keys.credential));
  await enrol(folder, nodes);
  const mosquitto = options.broker === 'mosquitto' ? await startUsers(nodes) : undefined;
  const mqtt = mosquitto
    ? `{url: ${mosquitto.url}, password_file: ${mosquitto.passwordFile('reconciler', reconcilerPassword)}}`
    : '{host: 127.0.0.1, port: 0}';
  await writeFile(
    join(folder, 'cluster.yaml'),
    `cluster: ${cluster}\napi: {host: 127.0.0.1, port: 0}\nmqtt: ${mqtt}\n${options.settings ?? ''}`,
  );
  const { child, ended } = await startReconciler(folder, options.profile);
  const endpoints = await eventually(
    async () => JSON.parse(await readFile(join(folder, 'endpoints.json'), 'utf8')) as { api: string; mqtt: string },
    { timeout: 120_000, what: `the reconciler in ${folder} to listen` },
  );
  const token = (await readFile(join(folder, 'api-token'), 'utf8')).trim();
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const answer = await fetch(`${endpoints.api}/v1/${path}`, init);
    const value: unknown = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(value)}`);
    return value;
  };
  const reconciler = child.pid ?? 0;
  const broker = mosquitto?.pid ?? (await childrenOf(reconciler))[0] ?? 0;
  return {
    home: {
      cluster,
      keys: { [keys.kid]: keys.publicKey },
      mqtt: mosquitto?.url ?? `mqtt://${endpoints.mqtt}`,
      api: endpoints.api,
      beat,
    },
    nodes,
    pids: { reconciler, broker },
    api: { url: endpoints.api, token },
    get: (path) => call('GET', path) as Promise<never>,
    post: (path, body) => call('POST', path, body) as Promise<never>,
    async close() {
      child.kill('SIGTERM');
      await ended;
      await mosquitto?.close();
      if (options.keep) process.stderr.write(`kept: ${folder}\n`);
      else await rm(folder, { recursive: true, force: true });
    },
  };
}

function newNode(n: number, credential: (node: string, serial: number) => string): SimulatedNode {
  const id = hex(8);
  const ip = `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
  return { id, name: `node-${n}`, password: credential(id, 1), ip };
}

/** Into the records, as if all had joined long ago: what joining costs is another question. */
async function enrol(folder: string, nodes: readonly SimulatedNode[]): Promise<void> {
  const joined = createSystemClock().now().wall;
  const records = nodes.map(({ id, name }, ordinal) => [id, { id, name, ordinal, serial: 1, joined }] as const);
  const store = createRecordsStore({ folder: join(folder, 'records') });
  await store.save({ ...emptyRecords, epoch: 1, nextOrdinal: nodes.length, nodes: Object.fromEntries(records) });
}

const reconcilerPassword = hex(16);

function startUsers(nodes: readonly SimulatedNode[]): Promise<TestMosquitto> {
  const users = Object.fromEntries(nodes.map(({ id, password }) => [id, password]));
  return startMosquitto({ cluster, users: { ...users, reconciler: reconcilerPassword } });
}

async function startReconciler(
  folder: string,
  profile = false,
): Promise<{ readonly child: ChildProcess; readonly ended: Promise<void> }> {
  const log = await open(join(folder, 'reconciler.log'), 'a');
  const flags = profile ? ['--cpu-prof', `--cpu-prof-dir=${folder}`] : [];
  const args = [...flags, program, 'reconciler', '--folder', folder];
  const child = spawn(process.execPath, args, { stdio: ['ignore', log.fd, log.fd] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  // Whatever ends the bench: nothing is left behind that beats and listens.
  process.once('exit', () => child.kill('SIGTERM'));
  await log.close();
  return { child, ended };
}
