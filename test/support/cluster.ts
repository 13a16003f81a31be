/**
 * A cluster as a user has it: the shipped program (`dist`), a home of its own, real broker, real git, real Engine. Everything it
 * makes carries the fingerprint of the cluster, and `destroy` removes exactly that.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import Docker from 'dockerode';
import { exchange, readJson } from '../../schemas/io/http.ts';
import type { ClusterStatus, InstanceView, NodeView, ServiceView } from '../../schemas/views.ts';
import { type ClusterBroker, startClusterBroker } from './cluster-broker.ts';
import { eventually } from './eventually.ts';
import { cloneRepository, type GitRepo } from './git-repo.ts';
import { ownAddresses, ownPort } from './machine.ts';

/** The shipped program. Tests and bench run in the root of the package, as npm does it. */
export const program = resolve('dist/cli/bin/oakctl.js');

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A container of a cluster, as the Engine tells it. */
export interface Container {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly node: string;
  readonly instance: string;
  readonly copy: string;
}

export interface TestCluster {
  readonly name: string;
  readonly home: string;
  /** `<home>/clusters/<name>`. */
  readonly folder: string;
  readonly fingerprint: string;
  readonly repository: GitRepo;
  /** Runs the program with this cluster's home and context. Never throws. */
  run(...args: string[]): Promise<Ran>;
  /** As `run`; throws unless it exits with 0. Returns stdout. */
  oakctl(...args: string[]): Promise<string>;
  /** As `oakctl`, by another program than the shipped one. */
  by(program: string, ...args: string[]): Promise<string>;
  /** GET of the native API, e.g. `status` or `services`. */
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  status(): Promise<ClusterStatus>;
  services(): Promise<readonly ServiceView[]>;
  instances(): Promise<readonly InstanceView[]>;
  nodes(): Promise<readonly NodeView[]>;
  /** All its containers, sorted by name; of all states. */
  containers(): Promise<readonly Container[]>;
  /** Waits until exactly these services exist and are settled, with so many healthy instances each. */
  settled(wanted: Readonly<Record<string, number>>, timeout?: number): Promise<readonly InstanceView[]>;
  /** Pid in `run/<name>.pid`. */
  pid(name: string): Promise<number>;
  /** Stops the cluster, changes its cluster.yaml, and brings it up again. */
  configure(change: (text: string) => string): Promise<void>;
  destroy(): Promise<void>;
}

/** Ends a cluster after the tests, also when it never came up. */
export async function takeDown(cluster: TestCluster | undefined): Promise<void> {
  await cluster?.destroy();
}

/** Runs the shipped program, or another one. Never throws; a signal counts as code -1. */
function runProgram(args: readonly string[], env: NodeJS.ProcessEnv, run = program): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, NO_COLOR: '1', ...env }, timeout: 120_000, maxBuffer: 1 << 26 };
    execFile(process.execPath, [run, ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

/** Starts a cluster by `oakctl up`. Further flags go to it unchanged. Without `settings` the broker is as OAKCTL_TEST_BROKER says. */
export async function createTestCluster(options: {
  readonly name?: string;
  readonly workers?: number;
  readonly runtime?: 'docker' | 'process';
  readonly home?: string;
  readonly flags?: readonly string[];
  /** cluster.yaml, instead of the one that `up` writes. */
  readonly settings?: (repository: string) => string;
  /** That brings it up; default the shipped one. */
  readonly program?: string;
}): Promise<TestCluster> {
  const { name = 'test', workers = 3, runtime = 'docker', flags = [] } = options;
  const home = options.home ?? (await mkdtemp(join(tmpdir(), 'oakctl-home-')));
  const env = { OAKCTL_HOME: home, OAKCTL_CONTEXT: name };
  const folder = join(home, 'clusters', name);
  const ports = ['--api-port', String(await ownPort(0)), '--mqtt-port', String(await ownPort(50))];
  await mkdir(folder, { recursive: true });
  // As an interrupted `up` leaves it: workers get addresses that only this process has.
  const marker = { version: 1, runtime, block: await ownAddresses(), workers: [] };
  await writeFile(join(folder, 'local.json'), JSON.stringify(marker));
  const broker = options.settings ? undefined : await startClusterBroker(name);
  const settings = options.settings ?? broker?.settings;
  if (settings) await writeFile(join(folder, 'cluster.yaml'), settings(join(folder, 'repository.git')));
  const up = ['up', '--name', name, '--workers', String(workers), '--runtime', runtime, ...ports, ...flags];
  const ran = await runProgram(up, env, options.program);
  if (ran.code !== 0) {
    const logs = await readLogs(folder);
    await destroyCluster(name, home, env);
    await broker?.close();
    throw new Error(`oakctl ${up.join(' ')} exited with ${ran.code}\n${ran.stdout}${ran.stderr}\n${logs}`);
  }
  const repository = await cloneRepository(join(folder, 'repository.git'));
  const { fingerprint } = (await callApi(folder, 'GET', 'status')) as ClusterStatus;
  return describeCluster({ name, home, folder, fingerprint, repository, env, broker });
}

function describeCluster(known: {
  readonly name: string;
  readonly home: string;
  readonly folder: string;
  readonly fingerprint: string;
  readonly repository: GitRepo;
  readonly env: NodeJS.ProcessEnv;
  readonly broker: ClusterBroker | undefined;
}): TestCluster {
  const { name, home, folder, fingerprint, repository, env, broker } = known;
  const call = (method: 'GET' | 'POST', path: string, body?: unknown) => callApi(folder, method, path, body);
  const items = async <T>(path: string): Promise<readonly T[]> =>
    ((await call('GET', path)) as { items: readonly T[] }).items;
  const succeed = async (args: readonly string[], by?: string): Promise<string> => {
    const ran = await runProgram(args, env, by);
    if (ran.code === 0) return ran.stdout;
    throw new Error(`oakctl ${args.join(' ')} exited with ${ran.code}\n${ran.stdout}${ran.stderr}`);
  };
  const cluster: TestCluster = {
    name,
    home,
    folder,
    fingerprint,
    repository,
    run: (...args) => runProgram(args, env),
    oakctl: (...args) => succeed(args),
    by: (other, ...args) => succeed(args, other),
    get: (path) => call('GET', path) as Promise<never>,
    post: (path, body) => call('POST', path, body) as Promise<never>,
    status: () => call('GET', 'status') as Promise<ClusterStatus>,
    services: () => items<ServiceView>('services'),
    instances: () => items<InstanceView>('instances'),
    nodes: () => items<NodeView>('nodes'),
    containers: async () => listContainers(fingerprint),
    settled: (wanted, timeout = 120_000) => waitSettled(cluster, wanted, timeout),
    pid: (process) => readPid(join(folder, 'run', `${process}.pid`)),
    configure: async (change) => {
      await cluster.oakctl('stop');
      const settings = join(folder, 'cluster.yaml');
      await writeFile(settings, change(await readFile(settings, 'utf8')));
      await cluster.oakctl('up');
    },
    destroy: async () => {
      await destroyCluster(name, home, env, fingerprint);
      await broker?.close();
      await rm(repository.folder, { recursive: true, force: true });
    },
  };
  return cluster;
}

/** The answer of the native API of the cluster whose reconciler has this folder. */
export async function callApi(folder: string, method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
  const { api, ca } = JSON.parse(await readFile(join(folder, 'endpoints.json'), 'utf8')) as {
    api: string;
    ca?: string;
  };
  const token = (await readFile(join(folder, 'api-token'), 'utf8')).trim();
  const endpoint = { url: api, token, insecure: true, ...(ca !== undefined && { ca }) };
  const signal = AbortSignal.timeout(120_000);
  const what = { method, path: `/v1/${path}`, ...(body !== undefined && { body }) };
  return readJson(endpoint, await exchange(endpoint, what, signal), signal);
}

/** Waits until exactly these services exist and are settled, with so many healthy instances each. */
export async function waitSettled(
  cluster: Pick<TestCluster, 'name' | 'services' | 'instances'>,
  wanted: Readonly<Record<string, number>>,
  timeout: number,
): Promise<readonly InstanceView[]> {
  const expected = Object.entries(wanted)
    .map(([name, count]) => `${name}: ${count} settled`)
    .sort();
  return eventually(
    async () => {
      const services = await cluster.services();
      const found = services.map((s) => `${s.name}: ${s.healthy} ${s.outcome}`).sort();
      if (JSON.stringify(found) === JSON.stringify(expected)) return cluster.instances();
      const why = services.flatMap((s) => [s.message, ...s.holds.map((hold) => `${hold.code} ${hold.message}`)]);
      throw new Error(`wanted [${expected.join(', ')}], found [${found.join(', ')}] because ${why.join('; ')}`);
    },
    { timeout, interval: 200, what: `the cluster ${cluster.name}` },
  );
}

async function listContainers(fingerprint: string): Promise<readonly Container[]> {
  const filters = { label: [`io.oakctl.cluster=${fingerprint}`] };
  const found = await new Docker().listContainers({ all: true, filters });
  return found
    .map(({ Id, Names, State, Labels }) => ({
      id: Id,
      name: (Names[0] ?? '').slice(1),
      state: State,
      node: Labels['io.oakctl.node'] ?? '',
      instance: Labels['io.oakctl.instance'] ?? '',
      copy: Labels['io.oakctl.copy'] ?? '',
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Takes everything down that this cluster made, even after a test that failed half-way. OAKCTL_TEST_LOGS names a folder that
 * keeps the logs.
 */
async function destroyCluster(name: string, home: string, env: NodeJS.ProcessEnv, fingerprint?: string): Promise<void> {
  const kept = process.env['OAKCTL_TEST_LOGS'];
  if (kept)
    await cp(join(home, 'clusters', name, 'logs'), join(kept, `${name}-${Date.now()}`), { recursive: true }).catch(
      ignore,
    );
  await runProgram(['down', '--name', name], env);
  for (const pid of await pidsOf(join(home, 'clusters', name))) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  if (fingerprint) await removeFromEngine(fingerprint).catch(ignore);
  await rm(home, { recursive: true, force: true, maxRetries: 5 });
}

async function removeFromEngine(fingerprint: string): Promise<void> {
  const docker = new Docker();
  for (const { id } of await listContainers(fingerprint)) {
    await docker.getContainer(id).remove({ force: true }).catch(ignore);
  }
  const filters = { label: [`io.oakctl.cluster=${fingerprint}`] };
  for (const { Id } of await docker.listNetworks({ filters })) await docker.getNetwork(Id).remove().catch(ignore);
  const { Volumes } = (await docker.listVolumes({ filters })) as { Volumes: readonly { Name: string }[] | null };
  for (const { Name } of Volumes ?? []) await docker.getVolume(Name).remove().catch(ignore);
}

const ignore = (): void => undefined;

async function readPid(file: string): Promise<number> {
  return (JSON.parse(await readFile(file, 'utf8')) as { pid: number }).pid;
}

async function pidsOf(folder: string): Promise<number[]> {
  const run = join(folder, 'run');
  if (!existsSync(run)) return [];
  const files = (await readdir(run)).filter((file) => file.endsWith('.pid'));
  const pids = await Promise.all(files.map((file) => readPid(join(run, file))));
  return pids.filter((pid) => Number.isInteger(pid) && pid > 1);
}

/** The last lines of every log of the cluster, for the message of a failed test. */
async function readLogs(folder: string, lines = 15): Promise<string> {
  const logs = join(folder, 'logs');
  const files = await readdir(logs).catch(() => []);
  const parts = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(logs, file), 'utf8').catch(() => '');
      return `--- ${file}\n${text.trimEnd().split('\n').slice(-lines).join('\n')}`;
    }),
  );
  return parts.join('\n');
}
