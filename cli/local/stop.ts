/** `oakctl stop`, `down`: taking a cluster on this machine, or one worker of it, down. */
import { rm } from 'node:fs/promises';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { changeContexts } from '../contexts.ts';
import { forgetSession } from '../sessions.ts';
import { endCopies } from './copies.ts';
import { type LocalEngine, openEngine } from './engine.ts';
import { type LocalPaths, localPaths } from './folders.ts';
import { exclusively } from './lock.ts';
import { type LocalWorker, type Marker, requireMarker, requireWorker } from './marker.ts';
import { endProcess } from './processes.ts';

/** What an agent and a reconciler get to say goodbye. ms. */
const grace = 10_000;

export interface StopReport {
  readonly name: string;
  /** Names of the processes that were ended. */
  readonly ended: readonly string[];
  /** Containers or processes that were stopped. */
  readonly copies: number;
}

/** Stops one worker as a machine that is switched off (politely, or `hard` as by a power cut): agent first, then its copies. */
export async function stopWorker(options: {
  readonly home: string;
  readonly name: string;
  readonly worker: string;
  readonly hard: boolean;
}): Promise<StopReport> {
  const paths = localPaths(options.home, options.name);
  const marker = await requireMarker(paths);
  const worker = requireWorker(marker, options.worker);
  return exclusively(paths, async () => {
    const engine = await engineFor(marker);
    const ended = await endProcess(paths.pid(worker.name), options.hard ? 0 : grace);
    const copies = await endCopies({ paths, marker, worker, engine }, options.hard ? 'kill' : 'stop');
    return { name: paths.name, ended: ended ? [worker.name] : [], copies };
  });
}

/** Stops everything, and keeps everything. */
export async function stopCluster(options: { readonly home: string; readonly name: string }): Promise<StopReport> {
  const paths = localPaths(options.home, options.name);
  const marker = await requireMarker(paths);
  return exclusively(paths, async () => endAll(paths, marker, await engineFor(marker), 'stop'));
}

/** Agents first, so that nobody starts a copy again; then copies; then the reconciler. */
async function endAll(
  paths: LocalPaths,
  marker: Marker,
  engine: LocalEngine | undefined,
  how: 'stop' | 'remove',
): Promise<StopReport> {
  const ended = await endAgents(paths, marker.workers);
  const each = marker.workers.map((worker) => endCopies({ paths, marker, worker, engine }, how));
  const copies = (await Promise.all(each)).reduce((sum, count) => sum + count, 0);
  if (await endProcess(paths.pid('reconciler'), grace)) ended.push('reconciler');
  await rm(paths.endpoints, { force: true });
  return { name: paths.name, ended, copies };
}

export interface DownReport extends StopReport {
  readonly networks: number;
  readonly volumes: readonly string[];
  /** Folders and volumes that are still there. */
  readonly kept: readonly string[];
}

/** Removes containers, networks and processes. Keeps repository, identity, records and volumes, unless `purge`. */
export async function down(options: {
  readonly home: string;
  readonly name: string;
  readonly purge: boolean;
}): Promise<DownReport> {
  const paths = localPaths(options.home, options.name);
  const marker = await requireMarker(paths);
  return exclusively(paths, async () => {
    const engine = await engineFor(marker);
    const report = await endAll(paths, marker, engine, 'remove');
    const left = await leftovers(engine, marker);
    if (options.purge) await purge(options.home, paths, engine, left.volumes);
    const kept = options.purge ? [] : [paths.folder, ...left.volumes.map((volume) => `volume ${volume}`)];
    return { ...report, networks: left.networks, volumes: left.volumes, kept };
  });
}

async function endAgents(paths: LocalPaths, workers: readonly LocalWorker[]): Promise<string[]> {
  const each = workers.map(async ({ name }) => ((await endProcess(paths.pid(name), grace)) ? name : undefined));
  return (await Promise.all(each)).filter((name) => name !== undefined);
}

/** Networks go with the cluster, after its containers. */
async function leftovers(engine: LocalEngine | undefined, marker: Marker) {
  if (!engine || marker.fingerprint === undefined) return { networks: 0, volumes: [] };
  const networks = await engine.removeNetworks(marker.fingerprint);
  return { networks, volumes: await engine.volumes({ fingerprint: marker.fingerprint }) };
}

async function purge(home: string, paths: LocalPaths, engine: LocalEngine | undefined, volumes: readonly string[]) {
  await engine?.removeVolumes(volumes);
  await rm(paths.folder, { recursive: true, force: true });
  await forgetSession(home, paths);
  await changeContexts(home, ({ current, ...rest }) =>
    current === paths.name ? rest : { ...rest, ...(current && { current }) },
  );
}

/** The Engine of a docker cluster. RUNTIME_UNAVAILABLE when it does not answer: its containers could not be stopped. */
export async function engineFor(marker: Marker): Promise<LocalEngine | undefined> {
  if (marker.runtime !== 'docker') return undefined;
  const engine = await openEngine(marker.socket);
  if (engine) return engine;
  throw new ProblemError(
    problem('RUNTIME_UNAVAILABLE', 'no Docker Engine answers, and the containers of the cluster are there', {
      hint: `start it; its socket is ${marker.socket}`,
    }),
  );
}
