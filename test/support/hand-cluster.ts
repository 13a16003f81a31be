/**
 * A cluster whose processes a test starts, hurts and ends one by one: the program as built, a folder for each process wherever the
 * test wants it, and the log of each in its folder.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { type ApiClient, createApiClient } from '../../schemas/io/api-client.ts';
import { eventually } from './eventually.ts';
import { ownAddresses, ownPort } from './machine.ts';

const program = resolve('dist/cli/bin/oakctl.js');
/** Offset of our ports: away from those of clusters that `oakctl up` makes. */
const handPorts = 150;
const signal = new AbortController().signal;

export interface Program {
  readonly pid: number;
  readonly alive: boolean;
  /** Resolves with the exit code, -1 after a signal. */
  readonly ended: Promise<number>;
  /** Sends the signal and waits for the end. */
  stop(how?: NodeJS.Signals): Promise<number>;
}

export interface HandCluster {
  /** Of the reconciler. */
  readonly folder: string;
  /** Starts the reconciler and waits until its API answers. */
  reconciler(): Promise<Program>;
  /** Starts a reconciler and waits for nothing: for one that is to end by itself, or whose clock we do not share. */
  startReconciler(): Promise<Program>;
  /** The API as the reconciler's folder says. */
  api(): Promise<ApiClient>;
  /** Writes agent.yaml with a token into the folder. `more` are further lines. */
  prepareAgent(folder: string, name: string, more?: string, node?: HandNode): Promise<void>;
  /** `within`: as of a {@link HandPlace}. */
  agent(folder: string, env?: NodeJS.ProcessEnv, within?: readonly string[]): Promise<Program>;
  /** Ends everything that was started. */
  close(): Promise<void>;
}

/** Where the reconciler runs, and for which class of nodes. */
export interface HandPlace {
  /** It listens there; default loopback. */
  readonly host?: string;
  /** What starts a command in another place, e.g. in a namespace. */
  readonly within?: readonly string[];
  /** Default: lan. */
  readonly nodeClass?: 'edge' | 'lan' | 'fast';
  /** For a second cluster of the same process: offset of its ports. */
  readonly offset?: number;
}

/** A node: default one of loopback with a fast beat. */
export interface HandNode {
  readonly ip?: string;
  readonly beat?: string;
}

/** Nothing runs yet. `settings`: further lines of cluster.yaml. */
export async function createHandCluster(folder: string, settings = '', place: HandPlace = {}): Promise<HandCluster> {
  const { host = '127.0.0.1', within: home = [], nodeClass = 'lan', offset: first = 0 } = place;
  const started: Program[] = [];
  const folders = new Set<string>();
  await mkdir(folder, { recursive: true });
  // Whoever starts again must be found where he was.
  const at = async (offset: number): Promise<string> => `{ host: ${host}, port: ${await ownPort(offset)} }`;
  const ports = `api: ${await at(handPorts + first)}\nmqtt: ${await at(handPorts + first + 1)}\n`;
  await writeFile(join(folder, 'cluster.yaml'), `cluster: hand\nnode_class: ${nodeClass}\n${ports}${settings}`);

  const start = async (
    own: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
    within: readonly string[] = [],
  ): Promise<Program> => {
    folders.add(own);
    const log = await open(join(own, 'log'), 'a');
    const [command = process.execPath, ...rest] = [...within, process.execPath, program, ...args];
    const child = spawn(command, rest, {
      stdio: ['ignore', log.fd, log.fd],
      env: { ...process.env, NO_COLOR: '1', ...env },
    });
    await log.close();
    const running = programOf(child);
    started.push(running);
    return running;
  };
  const api = async (): Promise<ApiClient> => {
    const endpoints = JSON.parse(await readFile(join(folder, 'endpoints.json'), 'utf8')) as {
      api: string;
      ca?: string;
    };
    const { api: url, ca } = endpoints;
    const token = (await readFile(join(folder, 'api-token'), 'utf8')).trim();
    return createApiClient({ url, token, ...(ca !== undefined && { ca }) });
  };
  const startReconciler = () => start(folder, ['reconciler', '--folder', folder], {}, home);

  return {
    folder,
    api,
    startReconciler,
    async reconciler() {
      const running = await startReconciler();
      await eventually(
        async () => {
          const { pid } = JSON.parse(await readFile(join(folder, 'endpoints.json'), 'utf8')) as { pid: number };
          if (pid !== running.pid) throw new Error(`process ${running.pid} does not listen yet`);
          await (await api()).status(signal);
        },
        { what: 'the API', timeout: 60_000 },
      );
      return running;
    },
    async prepareAgent(own, name, more = 'runtimes: { process: { allow: true } }\n', { ip, beat = '500ms' } = {}) {
      const client = await api();
      const { token } = await client.createToken({ name }, signal);
      await mkdir(own, { recursive: true });
      await writeFile(
        join(own, 'agent.yaml'),
        `name: ${name}\napi: ${client.url}\ntoken: ${token}\nip: ${ip ?? `127.0.${await ownAddresses()}.13`}\nbeat: ${beat}\n${more}`,
      );
    },
    agent: (own, env, within) => start(own, ['agent', '--folder', own], env, within),
    async close() {
      await Promise.all(started.map((one) => one.stop('SIGKILL')));
      const kept = process.env['OAKCTL_TEST_LOGS'];
      for (const own of kept ? folders : []) {
        await cp(join(own, 'log'), join(kept ?? '', `hand-${Date.now()}`, `${basename(own)}.log`)).catch(
          () => undefined,
        );
      }
    },
  };
}

function programOf(child: ChildProcess): Program {
  const ended = new Promise<number>((done) => child.once('close', (code) => done(code ?? -1)));
  return {
    pid: child.pid ?? 0,
    get alive() {
      return child.exitCode === null && child.signalCode === null;
    },
    ended,
    stop(how = 'SIGTERM') {
      child.kill(how);
      return ended;
    },
  };
}
