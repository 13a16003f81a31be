/**
 * `oakctl agent uninstall`: takes from a machine what made it a node. The agent goes first, so that nobody starts a copy again; what
 * is needed to find the rest goes after the rest, and the program last: so an interrupted one is simply repeated.
 */
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseDocument } from 'yaml';
import { lockHolder } from '../../schemas/io/folder-lock.ts';
import { forgetSecrets } from '../../schemas/io/secret-folders.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { engineSocket, type LocalEngine, openEngine, type Scope } from './engine.ts';
import { endProcesses } from './process-copies.ts';
import { removeService } from './systemd.ts';

export interface UninstallOptions {
  readonly folder: string;
  readonly keepContainers: boolean;
  /** The node that the folder belongs to, if it has joined. */
  readonly node?: { readonly id: string; readonly name: string; readonly cluster: string; readonly realm: string };
}

export interface UninstallReport {
  readonly folder: string;
  readonly node?: string;
  readonly cluster?: string;
  /** How many were removed. */
  readonly containers: number;
  readonly processes: number;
  /** Volumes, which hold data, and containers that were to be kept. */
  readonly kept: readonly string[];
}

/** What the agent gets to say goodbye. ms. */
const grace = 30_000;

/** All but the program, which still has to say what it did. REFUSED, RUNTIME_UNAVAILABLE: nothing but the service is gone then. */
export async function uninstallAgent(options: UninstallOptions, signal: AbortSignal): Promise<UninstallReport> {
  const { folder, node } = options;
  await removeService();
  await endAgent(folder, signal);
  const scope = node && { fingerprint: node.realm, node: node.id };
  const engine = scope && (await engineOf(folder, options.keepContainers));
  const processes = await endProcesses(folder, false);
  const { containers, kept } = scope && engine ? await clearEngine(engine, scope, options.keepContainers) : nothing;
  if (node && !options.keepContainers) await forgetSecrets(node.id, process.env);
  await rm(folder, { recursive: true, force: true });
  return { folder, ...(node && { node: node.name, cluster: node.cluster }), containers, processes, kept };
}

const nothing = { containers: 0, kept: [] };

/** An agent that no service manager of ours runs. */
async function endAgent(folder: string, signal: AbortSignal): Promise<void> {
  const state = join(folder, 'state');
  const holder = await lockHolder(state);
  if (holder === 'nobody') return;
  if (holder !== 'silent') process.kill(holder.pid, 'SIGTERM');
  const end = performance.now() + grace;
  while (performance.now() < end) {
    if ((await lockHolder(state)) === 'nobody') return;
    await sleep(100, undefined, { signal });
  }
  const who = holder === 'silent' ? 'somebody' : `process ${holder.pid}`;
  const hint = 'end it, and say the same again';
  throw new ProblemError(problem('REFUSED', `${who} still runs the agent on ${folder}`, { hint }));
}

/** The node's engine; undefined where there is none. */
async function engineOf(folder: string, isKept: boolean): Promise<LocalEngine | undefined> {
  const text = await readFile(join(folder, 'agent.yaml'), 'utf8').catch(() => '');
  const named: unknown = parseDocument(text).getIn(['runtimes', 'docker', 'socket']);
  const socket = typeof named === 'string' ? named : engineSocket({});
  if (socket === undefined || !existsSync(socket)) return undefined;
  const engine = await openEngine(socket);
  if (engine || isKept) return engine;
  const hint = 'start it; or `--keep-containers` leaves them';
  const why = `the Docker Engine at ${socket} does not answer, and containers of this node may be there`;
  throw new ProblemError(problem('RUNTIME_UNAVAILABLE', why, { hint }));
}

async function clearEngine(engine: LocalEngine, scope: Scope, isKept: boolean) {
  const volumes = (await engine.volumes(scope)).map((name) => `volume ${name}`);
  if (isKept) return { containers: 0, kept: [...(await engine.names(scope)), ...volumes] };
  const containers = await engine.removeContainers(scope);
  // It may be in use: by another agent of the cluster on this engine.
  await engine.removeNetworks(scope.fingerprint);
  return { containers, kept: volumes };
}
