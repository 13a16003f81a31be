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
  /** Ends it and every container in it. */
  close(): Promise<void>;
}

/** Starts an engine; throws with the end of its log when it does not answer. */
export async function startOwnEngine(): Promise<OwnEngine> {
  const folder = await mkdtemp(join(tmpdir(), 'oakctl-engine-'));
  const socket = join(folder, 'engine.sock');
  const env = { ...process.env, PATH: searched.join(':') };
  // The namespace lives as long as somebody is in it: containers and a second engine must find the first one's bridge.
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up && exec sleep 86400'], {
    env,
    stdio: 'ignore',
  });
  const docker = new Docker({ socketPath: socket, timeout: 5_000 });
  let engine: ChildProcess | undefined;
  let containerd: ChildProcess | undefined;

  /** Into the namespace, with the output in the log. */
  const enter = (...command: string[]): ChildProcess => {
    const log = openSync(join(folder, 'log'), 'a');
    try {
      const args = ['--net', '--target', String(holder.pid), ...command];
      return spawn('nsenter', args, { env, stdio: ['ignore', log, log] });
    } finally {
      closeSync(log);
    }
  };
  const start = async (): Promise<void> => {
    const flags = ['--live-restore', '--data-root', `${folder}/data`, '--exec-root', `${folder}/exec`];
    const places = [
      '--containerd',
      `${folder}/containerd.sock`,
      '--pidfile',
      `${folder}/pid`,
      '-H',
      `unix://${socket}`,
    ];
    await rm(`${folder}/pid`, { force: true });
    engine = enter('dockerd', ...flags, ...places);
    const answers = () => docker.ping().then(() => true);
    await eventually(answers, { timeout: 60_000, interval: 100, what: 'the engine' }).catch(async (cause: unknown) => {
      const text = await readFile(join(folder, 'log'), 'utf8').catch(() => '');
      throw new Error(`the engine does not start:\n${text.slice(-3_000)}`, { cause });
    });
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
    await killLeftovers(folder);
    holder.kill('SIGKILL');
    await unmountBelow(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };

  await eventually(async () => (await readFile(`/proc/${holder.pid}/comm`, 'utf8')).trim() === 'sleep');
  try {
    await writeFile(`${folder}/containerd.toml`, containerdSettings(folder));
    containerd = enter('containerd', '--config', `${folder}/containerd.toml`);
    await start();
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
    close,
  };
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

/** Containers that an engine could not end any more, and the shims above them: both name our folder, or descend from what does. */
async function killLeftovers(folder: string): Promise<void> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (!line.includes('containerd-shim') || !line.includes(`${folder}/`)) continue;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
    for (const one of [...children.trim().split(' ').filter(Boolean), pid]) {
      try {
        process.kill(Number(one), 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
  }
}

/** What an engine that was killed left mounted. */
async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((one) => one.startsWith(`${folder}/`)).reverse()) {
    await new Promise((done) => spawn('umount', ['-l', mount], { stdio: 'ignore' }).once('close', done));
  }
}
