/**
 * `oakctl up`: a cluster on this machine. Every step looks first and does only what is missing, so that a second call, a call
 * after a reboot and a call after an interrupted one all end in the same state.
 */
import { mkdir, readFile, rmdir } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { firstPasswordFile, firstUser } from '../../schemas/accounts.ts';
import { type ApiClient, createApiClient } from '../../schemas/io/api-client.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { RuntimeName } from '../../schemas/spec.ts';
import { endpointOf, readContexts, readEndpoint, resolveTarget } from '../contexts.ts';
import type { Env } from '../home.ts';
import { maxWorkers, workerAddress } from './addresses.ts';
import { freeBlock } from './blocks.ts';
import { engineSocket, openEngine } from './engine.ts';
import { type LocalPaths, localPaths } from './folders.ts';
import { exclusively } from './lock.ts';
import { type LocalWorker, type Marker, readMarker, requireMarker, workersMeant, writeMarker } from './marker.ts';
import { runningPid } from './processes.ts';
import { ensureRepository } from './repository.ts';
import { type Bind, type Compat, ensureSettings, type Ports, readListening } from './settings.ts';
import { startReconciler, startWorker, untilListening, untilOnline, untilRunning } from './start.ts';
import { nodesYaml, repositoryReadme } from './texts.ts';

export interface UpOptions {
  readonly home: string;
  /** DOCKER_HOST names the Engine. */
  readonly env: Env;
  readonly name: string;
  /** Only this worker (of a cluster that exists), or `reconciler`. */
  readonly only?: string;
  readonly workers?: number;
  readonly runtime?: RuntimeName;
  readonly ports?: Partial<Ports>;
  /** What API and broker listen on instead of loopback: with TLS, unless `insecure`. */
  readonly bind?: Bind;
  /** Another system whose API is served on this machine, too. */
  readonly compat?: Compat;
  /** Of the workers' addresses, for a new cluster; default the first that no cluster of the home has. */
  readonly block?: number;
  /** The compiled command line, started as `node <program> reconciler|agent`. */
  readonly program: string;
  readonly say: (text: string) => void;
}

export interface UpReport {
  readonly name: string;
  readonly folder: string;
  readonly api: string;
  readonly mqtt: string;
  /** What to clone and push to. */
  readonly repository: string;
  readonly runtime: RuntimeName;
  readonly workers: readonly LocalWorker[];
  /** Names of the processes (`reconciler`, workers) that were started, and that were up already. */
  readonly started: readonly string[];
  readonly already: readonly string[];
}

/** Brings the cluster up and returns when its workers are online. PORT_TAKEN, REFUSED, TIMED_OUT, UNREACHABLE. */
export async function up(options: UpOptions, signal: AbortSignal): Promise<UpReport> {
  const paths = localPaths(options.home, options.name);
  try {
    return await exclusively(paths, () => bringUp(paths, options, signal));
  } catch (error) {
    await forgetEmpty(paths);
    throw error;
  }
}

/** Of a cluster that was refused before anything was made, no name is left over. A folder with anything in it stays. */
async function forgetEmpty({ run, folder }: LocalPaths): Promise<void> {
  for (const path of [run, folder]) await rmdir(path).catch(() => undefined);
}

async function bringUp(paths: LocalPaths, options: UpOptions, signal: AbortSignal): Promise<UpReport> {
  const marker = await prepare(paths, options);
  const workers = workersMeant(marker, options.only);
  const started: string[] = [];
  const already: string[] = [];
  const running = await runningPid(paths.pid('reconciler'));
  if (running !== undefined) {
    await untilListening(paths, running, signal);
    already.push('reconciler');
    if (options.compat && !(await readListening(paths))?.compat.includes(options.compat))
      options.say(
        'The reconciler is up: `--compat` has no effect before `oakctl stop` and another `oakctl up --compat`.',
      );
  } else {
    const { moved } = await ensureSettings(
      paths,
      {
        ...options.ports,
        ...(options.bind && { bind: options.bind }),
        ...(options.compat && { compat: options.compat }),
      },
      marker.workers.some(({ id }) => id !== undefined),
    );
    for (const text of moved) options.say(text);
    const before = await readFirstPassword(paths);
    await startReconciler(paths, options.program, signal);
    const first = await readFirstPassword(paths);
    if (first !== undefined && before === undefined)
      options.say(`The account ${firstUser} has the password ${first} (told once).`);
    started.push('reconciler');
  }
  const api = await connect(options, signal);
  await untilRunning(api, signal);
  const capacity = share(marker.workers.length);
  await Promise.all(
    workers.map(async (worker) => {
      const settings = { worker, marker, capacity, program: options.program };
      const isNew = await startWorker(paths, api, settings, signal);
      (isNew ? started : already).push(worker.name);
    }),
  );
  const known = await untilOnline(paths, api, workers, signal);
  await writeMarker(paths, await withIds(marker, api, known, signal));
  const { api: url, mqtt } = (await readEndpoint(paths.folder)) ?? { api: api.url, mqtt: '' };
  const { name, folder, repository } = paths;
  return { name, folder, api: url, mqtt, repository, runtime: marker.runtime, workers, started, already };
}

/** Marker, folders and repository. */
async function prepare(paths: LocalPaths, options: UpOptions): Promise<Marker> {
  const old = options.only === undefined ? await markerOrNone(paths) : await requireMarker(paths);
  const count = Math.max(options.workers ?? (old ? 0 : 3), old?.workers.length ?? 0);
  if (count < 1 || count > maxWorkers) {
    throw new ProblemError(problem('USAGE', `${options.workers} workers are not possible: 1 to ${maxWorkers} are`));
  }
  if (old && options.workers !== undefined && options.workers < old.workers.length) {
    options.say(`${paths.name} keeps its ${old.workers.length} workers; \`oakctl stop <worker>\` stops one`);
  }
  const runtime = options.runtime ?? old?.runtime ?? (await chooseRuntime(options));
  const socket = runtime === 'docker' ? { socket: await requireSocket(options.env, old?.socket) } : {};
  const block = old?.block ?? options.block ?? (await freeBlock(options.home));
  const added = Array.from({ length: count }, (_, i) => ({ name: `worker-${i + 1}`, ip: workerAddress(block, i + 1) }));
  const workers = [...(old?.workers ?? []), ...added.slice(old?.workers.length ?? 0)];
  const marker: Marker = { ...old, ...socket, version: 1, runtime, block, workers };
  await mkdir(paths.folder, { recursive: true, mode: 0o700 });
  await writeMarker(paths, marker);
  const files = { 'README.md': repositoryReadme(paths.name), 'nodes.yaml': nodesYaml(workers) };
  await ensureRepository(paths.repository, files);
  return marker;
}

/** Until somebody changes it. */
async function readFirstPassword({ folder }: LocalPaths): Promise<string | undefined> {
  const text = await readFile(join(folder, firstPasswordFile), 'utf8').catch(() => undefined);
  return text?.trim();
}

async function markerOrNone(paths: LocalPaths): Promise<Marker | undefined> {
  const marker = await readMarker(paths);
  if (marker) return marker;
  return requireMarker(paths).catch((error: ProblemError) => {
    if (error.problem.code === 'NOT_FOUND') return undefined;
    throw error;
  });
}

/** Docker where an Engine answers. The fallback is for demos, and is said. */
async function chooseRuntime({ env, say }: UpOptions): Promise<RuntimeName> {
  if (await openEngine(engineSocket(env))) return 'docker';
  say('No Docker Engine answers: the workers run processes instead, which is for demos (`oakctl doctor` says more).');
  return 'process';
}

async function requireSocket(env: Env, known: string | undefined): Promise<string> {
  const socket = env['DOCKER_HOST'] ? engineSocket(env) : (known ?? engineSocket(env));
  if (socket !== undefined && (await openEngine(socket))) return socket;
  throw new ProblemError(
    problem('RUNTIME_UNAVAILABLE', `no Docker Engine answers at ${socket ?? env['DOCKER_HOST']}`, {
      hint: 'start it, set DOCKER_HOST to its unix:// socket, or take `--runtime process`',
    }),
  );
}

/** Each worker has all cores, and its part of four fifths of the memory. */
function share(workers: number): { readonly cpu: number; readonly memory: number } {
  const megabytes = totalmem() / 1024 / 1024;
  return { cpu: cpus().length, memory: Math.max(64, Math.floor((megabytes * 0.8) / workers)) };
}

async function connect(options: UpOptions, signal: AbortSignal): Promise<ApiClient> {
  const paths = localPaths(options.home, options.name);
  const named = (await readContexts(options.home)).contexts[options.name];
  if (named) options.say(`The context ${options.name} names ${named.api}; \`--api\` reaches this cluster.`);
  const endpoint = await readEndpoint(paths.folder);
  const flags = { api: endpoint?.api ?? '', 'token-file': paths.token };
  const target = await resolveTarget(flags, {}, options.home);
  const api = createApiClient(endpointOf(target));
  await api.status(signal);
  return api;
}

async function withIds(
  marker: Marker,
  api: ApiClient,
  ids: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<Marker> {
  const { fingerprint } = await api.status(signal);
  const workers = marker.workers.map((worker) => {
    const id = ids.get(worker.name) ?? worker.id;
    return { ...worker, ...(id === undefined ? {} : { id }) };
  });
  return { ...marker, fingerprint, workers };
}
