/**
 * A Docker Engine that belongs to one test and may be hurt: own folders, own socket, own network namespace, own containerd, and
 * live-restore, so that containers live on without it. The machine's engine is never touched.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { eventually } from './eventually.ts';

const searched = ['/usr/local/sbin', '/usr/sbin', '/sbin', ...(process.env['PATH'] ?? '').split(':')];
const found = (name: string): boolean => searched.some((folder) => existsSync(join(folder, name)));

/** PATH with what only root has. */
export const systemPath = searched.join(':');

/** True where an engine of one's own can be started: as root, with a dockerd. */
export const mayOwnEngine =
  process.getuid?.() === 0 && ['dockerd', 'containerd', 'unshare', 'nsenter', 'ip'].every(found);

export interface OwnEngine {
  readonly socket: string;
  readonly docker: Docker;
  /** SIGSTOP: it hangs, and answers nobody. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** SIGKILL, and another one on the same folders. Containers run on. */
  restart(): Promise<void>;
  /** SIGKILL to it, its containerd and every container, as when a machine loses its power. */
  kill(): Promise<void>;
  /** After `kill`: starts it on the same folders, with this in its environment from now on. */
  start(env?: Readonly<Record<string, string>>): Promise<void>;
  /** Ends it and every container in it. */
  close(): Promise<void>;
}

export interface OwnEngineOptions {
  /** Default: a temporary one. */
  readonly folder?: string;
  /** Starts a command in the engine's network; default: a namespace of its own. */
  readonly within?: readonly string[];
  /** Further flags of dockerd; default: live-restore, so that containers live on without it. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts an engine; throws with the end of its log when it does not answer. */
export async function startOwnEngine(options: OwnEngineOptions = {}): Promise<OwnEngine> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'oakctl-engine-')));
  const socket = join(folder, 'engine.sock');
  const { flags = ['--live-restore'] } = options;
  let env = { ...process.env, PATH: systemPath, ...options.env };
  // The namespace lives as long as somebody is in it: containers and a second engine must find the first one's bridge.
  const holder = options.within ? undefined : holdNamespace(env);
  const within = options.within ?? ['nsenter', '--net', '--target', String(holder?.pid)];
  const docker = new Docker({ socketPath: socket, timeout: 5_000 });
  let engine: ChildProcess | undefined;
  let containerd: ChildProcess | undefined;

  /** Into the namespace, with the output in the log. */
  const enter = (...args: string[]): ChildProcess => {
    const log = openSync(join(folder, 'log'), 'a');
    try {
      const [command = '', ...rest] = [...within, ...args];
      return spawn(command, rest, { env, stdio: ['ignore', log, log] });
    } finally {
      closeSync(log);
    }
  };
  const start = async (): Promise<void> => {
    const folders = ['--data-root', `${folder}/data`, '--exec-root', `${folder}/exec`, '--pidfile', `${folder}/pid`];
    const sockets = ['--containerd', `${folder}/containerd.sock`, '-H', `unix://${socket}`];
    await rm(`${folder}/pid`, { force: true });
    engine = enter('dockerd', ...flags, ...folders, ...sockets);
    const answers = () => docker.ping().then(() => true);
    await eventually(answers, { timeout: 60_000, interval: 100, what: 'the engine' }).catch(async (cause: unknown) => {
      const text = await readFile(join(folder, 'log'), 'utf8').catch(() => '');
      throw new Error(`the engine does not start:\n${text.slice(-3_000)}`, { cause });
    });
  };
  const startAll = async (): Promise<void> => {
    containerd = enter('containerd', '--config', `${folder}/containerd.toml`);
    await start();
  };
  const end = async (last: ChildProcess | undefined, how: NodeJS.Signals): Promise<void> => {
    if (!last || last.exitCode !== null || last.signalCode !== null) return;
    const ended = new Promise((done) => last.once('close', done));
    last.kill(how);
    await ended;
  };
  const close = async (): Promise<void> => {
    engine?.kill('SIGCONT');
    const all = await docker.listContainers({ all: true }).catch(() => []);
    for (const { Id } of all)
      await docker
        .getContainer(Id)
        .remove({ force: true })
        .catch(() => undefined);
    await end(engine, 'SIGTERM');
    await end(containerd, 'SIGTERM');
    for (const pid of await containersBelow(folder)) killNow(pid);
    holder?.kill('SIGKILL');
    await unmountBelow(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };

  if (holder) await eventually(async () => (await readFile(`/proc/${holder.pid}/comm`, 'utf8')).trim() === 'sleep');
  try {
    await writeFile(`${folder}/containerd.toml`, containerdSettings(folder));
    await startAll();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    socket,
    docker,
    pause: () => void engine?.kill('SIGSTOP'),
    resume: () => void engine?.kill('SIGCONT'),
    async restart() {
      await end(engine, 'SIGKILL');
      await start();
    },
    async kill() {
      const pids = await containersBelow(folder);
      const ended = [end(engine, 'SIGKILL'), end(containerd, 'SIGKILL')];
      for (const pid of pids) killNow(pid);
      await Promise.all(ended);
      await removeSockets(folder);
    },
    start(more = {}) {
      env = { ...env, ...more };
      return startAll();
    },
    close,
  };
}

function holdNamespace(env: NodeJS.ProcessEnv): ChildProcess {
  const script = 'ip link set lo up && exec sleep 86400';
  return spawn('unshare', ['--net', 'sh', '-c', script], { env, stdio: 'ignore' });
}

/** Its own, because one that an engine starts for itself ends with it, and leaves a zombie where nobody reaps. */
function containerdSettings(folder: string): string {
  const at = (name: string): string => JSON.stringify(join(folder, name));
  return `version = 2
root = ${at('containerd')}
state = ${at('containerd-state')}
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = ${at('containerd.sock')}
`;
}

/** Pids of the containers of an engine with this folder, and of the shims above them, which name the folder. */
export async function containersBelow(folder: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (!line.includes('containerd-shim') || !line.includes(`${folder}/`)) continue;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
    found.push(...children.trim().split(' ').filter(Boolean).map(Number), Number(pid));
  }
  return found;
}

/** Sockets of the shims of such an engine: they lie in a folder of the whole machine, and nobody removes those of a shim that was killed. */
export async function removeSockets(folder: string): Promise<void> {
  const tasks = join(folder, 'containerd-state', 'io.containerd.runtime.v2.task', 'moby');
  for (const task of await readdir(tasks).catch(() => [])) {
    const address = await readFile(join(tasks, task, 'address'), 'utf8').catch(() => '');
    if (address.startsWith('unix://')) await rm(address.trim().slice('unix://'.length), { force: true });
  }
}

/** SIGKILL; whoever ended by itself is no failure. */
export function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

/** Unmounts what an engine that was killed left below its folder. */
export async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((one) => one.startsWith(`${folder}/`)).reverse()) {
    await new Promise((done) => spawn('umount', ['-l', mount], { stdio: 'ignore' }).once('close', done));
  }
}
