/**
 * The process runtime: copies as processes of this machine, each under a shim that outlives the agent. Linux only. It isolates
 * nothing: a process runs as the agent's user, and one that starts a session of its own escapes the kill of its copy. Access to
 * the host is therefore neither given nor taken. Files lie below its working folder: `/etc/a` is `etc/a` for it.
 */
import { access, constants, mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { isProblemError, type Problem, ProblemError, problem } from '../../../schemas/problem.ts';
import type { RunSpec } from '../../../schemas/spec.ts';
import type { ActualCopy, CopyKey, CopyPlan, LogLine, Runtime, RuntimeEvent } from '../runtime.ts';
import { createSecrets, type Secrets } from '../secrets.ts';
import { environmentOf } from './environment.ts';
import { readLogs } from './logs.ts';
import { type Monitor, startMonitor } from './monitor.ts';
import { bootId, isAlive, killSession, type ProcessIdentity, sendSignal } from './proc.ts';
import { files, launch } from './shim.ts';
import { type CopyStore, createCopyStore, type StoredCopy } from './store.ts';

export interface ProcessRuntimeDeps {
  /** Holds a folder for each copy. One runtime per folder. */
  readonly folder: string;
  /** Fingerprint of the cluster. */
  readonly cluster: string;
  /** Id of the node. */
  readonly node: string;
  /** Address on which processes are to listen: they publish themselves. */
  readonly ip: string;
  /** Where programs are looked for; default: the agent's own PATH. */
  readonly path?: string;
  /** Default: no age identity, so that copies with secrets fail. */
  readonly secrets?: Secrets;
  /** Told once about each folder that claims to be a copy of ours under another name. It is left alone. */
  readonly onConflict?: (conflict: Problem) => void;
}

/** ms after SIGKILL until the end must be recorded. */
const killLimit = 5000;

/** A runtime for one node. Touches nothing before its first call. */
export function createProcessRuntime(deps: ProcessRuntimeDeps): Runtime {
  const path = deps.path ?? process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  const store = createCopyStore(deps.folder, { cluster: deps.cluster, node: deps.node });
  const secrets = deps.secrets ?? createSecrets({ node: deps.node });
  const monitors = new Set<Monitor>();
  const look = () => {
    for (const monitor of monitors) monitor.look();
  };
  const inTurn = createTurns();
  const told = new Set<string>();

  async function start(plan: CopyPlan, signal: AbortSignal): Promise<void> {
    const copy = await need(store, plan);
    if (copy.state === 'running') return;
    const { folder, record } = copy;
    const home = join(folder, files.work);
    const environment = environmentOf(plan, record.run, { ip: deps.ip, path, home });
    const program = await findProgram(record.run, environment['PATH'] ?? path);
    await store.reset(folder);
    await store.link(folder, await secrets.put(plan));
    try {
      await launch(folder, [program, ...(record.run.cmd ?? [])], environment, look, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw failed(copy.name, `its shim could not be started: ${(error as Error).message}`, error);
    }
    look();
  }

  async function list(): Promise<readonly ActualCopy[]> {
    const { copies, strangers } = await store.list();
    for (const name of strangers.filter((one) => !told.has(one))) {
      told.add(name);
      deps.onConflict?.(strangerProblem(name));
    }
    return copies.map((copy) => actualOf(copy, deps.ip));
  }

  return {
    name: 'process',
    probe: () => probe(deps.folder, store),
    list,
    prepare: async (run) => void (await findProgram(run, pathOf(run) ?? path)),
    create: (plan, signal) => inTurn(plan, signal, () => create(store, secrets, plan)),
    start: (plan, signal) => inTurn(plan, signal, () => start(plan, signal)),
    stop: (key, grace, signal) => inTurn(key, signal, () => stop(store, key, grace, signal)).finally(look),
    remove: (key, signal) => inTurn(key, signal, () => remove(store, secrets, key, signal)).finally(look),
    logs: (key, options, signal) => logs(store, key, options, signal),
    watch(onEvent: (event: RuntimeEvent) => void, signal: AbortSignal) {
      const monitor = startMonitor({ store, ip: deps.ip, path, onEvent }, signal);
      monitors.add(monitor);
      signal.addEventListener('abort', () => monitors.delete(monitor), { once: true });
    },
  };
}

async function probe(folder: string, store: CopyStore) {
  try {
    await bootId();
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await store.sweep();
  } catch (error) {
    const text = `processes cannot be run here: ${(error as Error).message}`;
    throw new ProblemError(problem('RUNTIME_UNAVAILABLE', text, { hint: 'this runtime needs Linux and its /proc' }));
  }
  return { name: 'process' as const, version: '1' };
}

async function create(store: CopyStore, secrets: Secrets, plan: CopyPlan): Promise<void> {
  if (plan.run.host || plan.run.privileged) {
    const text = 'a process runs on the host already: devices, mounts, network and capabilities are not given to it';
    throw new ProblemError(problem('PROCESS_NOT_ALLOWED', text, { subject: plan.instance }));
  }
  // What cannot be decrypted here is no copy: the one before it runs on.
  await secrets.prepare(plan);
  if (await store.create(plan)) return;
  const there = await store.read(plan);
  if (there?.record.digest === plan.digest) return;
  const text = `a copy ${plan.copy} of ${plan.instance} exists and was created with another digest`;
  throw new ProblemError(problem('NAME_CONFLICT', text, { subject: plan.instance }));
}

async function stop(store: CopyStore, key: CopyKey, grace: number, signal: AbortSignal): Promise<void> {
  const copy = await store.read(key);
  if (copy?.state !== 'running' || !copy.process) return;
  sendSignal(copy.process.pid, 'SIGTERM');
  if (await hasEnded(store, key, copy.process, grace, signal)) return;
  await kill(store, key, copy.process, signal);
}

async function kill(store: CopyStore, key: CopyKey, running: ProcessIdentity, signal: AbortSignal): Promise<void> {
  await killSession(running);
  if (await hasEnded(store, key, running, killLimit, signal)) return;
  const text = `process ${running.pid} did not end within ${killLimit} ms of SIGKILL`;
  throw new ProblemError(problem('RUNTIME_UNAVAILABLE', text, { subject: key.instance, disposition: 'retry' }));
}

/** Waits until the process has ended; a moment longer for its shim to say with what code. */
async function hasEnded(
  store: CopyStore,
  key: CopyKey,
  running: ProcessIdentity,
  limit: number,
  signal: AbortSignal,
): Promise<boolean> {
  const until = performance.now() + limit;
  for (let pause = 5; await isAlive(running); pause = Math.min(pause * 2, 50)) {
    if (performance.now() >= until) return false;
    await wait(pause, undefined, { signal });
  }
  for (let tries = 0; tries < 40; tries += 1) {
    if ((await store.read(key))?.exitCode !== undefined) break;
    await wait(5, undefined, { signal });
  }
  return true;
}

async function remove(store: CopyStore, secrets: Secrets, key: CopyKey, signal: AbortSignal): Promise<void> {
  const copy = await store.read(key);
  if (copy?.state === 'running' && copy.process) await kill(store, key, copy.process, signal);
  if (copy) await store.remove(key);
  await secrets.remove(key);
}

async function* logs(
  store: CopyStore,
  key: CopyKey,
  options: { readonly tail?: number; readonly follow?: boolean },
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const { folder } = await need(store, key);
  try {
    yield* readLogs(folder, options, async () => (await store.read(key))?.state !== 'running', signal);
  } catch (cause) {
    if (isProblemError(cause) || (cause as NodeJS.ErrnoException).code === undefined) throw cause;
    const text = `its logs cannot be read: ${(cause as Error).message}`;
    const hint = 'is the disk of the node well?';
    throw new ProblemError(problem('RUNTIME_UNAVAILABLE', text, { subject: key.instance, hint }), { cause });
  }
}

async function need(store: CopyStore, key: CopyKey): Promise<StoredCopy> {
  const copy = await store.read(key);
  if (copy) return copy;
  const text = `there is no process folder of copy ${key.copy}`;
  throw new ProblemError(problem('NOT_FOUND', text, { subject: key.instance, disposition: 'retry' }));
}

/** Absolute path of the program, as the system would look for it. START_FAILED when this node does not have it. */
async function findProgram(run: RunSpec, path: string): Promise<string> {
  const { code } = run;
  const places = code.includes('/') ? [code] : path.split(delimiter).map((folder) => join(folder, code));
  for (const place of places.filter((one) => one.startsWith('/'))) if (await isExecutable(place)) return place;
  throw failed(code, `this node has no program ${code}`, undefined, 'name an absolute path, or a program in PATH');
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function pathOf(run: RunSpec): string | undefined {
  return run.environment?.findLast((variable) => variable.startsWith('PATH='))?.slice('PATH='.length);
}

/** A process publishes itself: while it runs, its addresses are those that it was told. */
function actualOf(copy: StoredCopy, ip: string): ActualCopy {
  const { record, state, process, exitCode, since, health, failedCheck } = copy;
  const running = state === 'running';
  return {
    runtime: 'process',
    instance: record.instance,
    copy: record.copy,
    digest: record.digest,
    state,
    handle: process ? String(process.pid) : copy.name,
    addresses: running ? (record.run.ports ?? []).map((port) => `${ip}:${port.host}`) : [],
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(since === undefined ? {} : { since }),
    ...(health ? { health } : {}),
    ...(failedCheck === undefined ? {} : { failedCheck }),
  };
}

/** One change of a copy at a time: the engine does that for containers. */
function createTurns() {
  const last = new Map<string, Promise<unknown>>();
  return async <T>(key: CopyKey, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    const name = `${key.instance} ${key.copy}`;
    const turn = (last.get(name) ?? Promise.resolve()).then(() => {
      signal.throwIfAborted();
      return work();
    });
    const settled = turn.catch(() => {});
    last.set(name, settled);
    try {
      return await turn;
    } finally {
      if (last.get(name) === settled) last.delete(name);
    }
  };
}

function failed(subject: string, text: string, cause?: unknown, hint?: string): ProblemError {
  return new ProblemError(problem('START_FAILED', text, { subject, disposition: 'retry', ...(hint ? { hint } : {}) }), {
    cause,
  });
}

function strangerProblem(name: string): Problem {
  const text = `folder ${name} claims to be a copy of this node under a name that is not its own, and is left alone`;
  return problem('NAME_CONFLICT', text, { subject: name });
}
