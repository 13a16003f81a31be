/** Starting the processes of a cluster on this machine, and waiting until they are there. */
import { mkdir, readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { exchange } from '../../schemas/io/http.ts';
import { isProblemError, ProblemError, problem } from '../../schemas/problem.ts';
import { type LocalEndpoint, readEndpoint } from '../contexts.ts';
import type { LocalPaths } from './folders.ts';
import { type LocalWorker, type Marker, replaceFile } from './marker.ts';
import { logTail, runningPid, startProcess } from './processes.ts';
import { agentYaml, runtimesOf } from './texts.ts';

/** How long a reconciler may take to listen, and workers to come online. ms. */
const patience = 60_000;
const interval = 50;
/** A worker joins right away: its token need not live long. ms. */
const tokenLife = 10 * 60_000;

/** Returns when the API answers. UNREACHABLE with its last words when it ends, TIMED_OUT when it does not listen. */
export async function startReconciler(paths: LocalPaths, program: string, signal: AbortSignal): Promise<void> {
  const files = { pid: paths.pid('reconciler'), log: paths.log('reconciler') };
  const pid = await startProcess([program, 'reconciler', '--folder', paths.folder], files);
  await untilListening(paths, pid, signal);
}

/** Also for a reconciler that an interrupted `up` started a moment ago. UNREACHABLE, TIMED_OUT as above. */
export async function untilListening(paths: LocalPaths, pid: number, signal: AbortSignal): Promise<void> {
  await poll('the reconciler', signal, async () => {
    await requireAlive(paths, 'reconciler');
    const endpoint = await readEndpoint(paths.folder);
    return endpoint?.pid === pid && (await answers(endpoint, signal));
  });
}

/** Returns when the reconciler runs its cluster: with a broker of somebody else's it may have to wait. TIMED_OUT. */
export async function untilRunning(api: ApiClient, signal: AbortSignal): Promise<void> {
  let why = '';
  await poll(
    () => `the reconciler (${why})`,
    signal,
    async () => {
      const { phase, conditions } = await api.status(signal);
      why = conditions.find(({ code }) => code === 'STANDBY')?.message ?? phase;
      return phase !== 'standby';
    },
  );
}

async function answers({ api, ca }: LocalEndpoint, signal: AbortSignal): Promise<boolean> {
  const endpoint = { url: api, ...(ca !== undefined && { ca }) };
  try {
    (await exchange(endpoint, { method: 'GET', path: '/livez' }, signal)).resume();
    return true;
  } catch (error) {
    if (isProblemError(error)) return false;
    throw error;
  }
}

/** Starts the agent of a worker unless it runs; false when it did. A worker that never joined gets a token of its own. */
export async function startWorker(
  paths: LocalPaths,
  api: ApiClient,
  settings: {
    readonly worker: LocalWorker;
    readonly marker: Marker;
    readonly capacity: { readonly cpu: number; readonly memory: number };
    readonly program: string;
  },
  signal: AbortSignal,
): Promise<boolean> {
  const { worker, marker, capacity } = settings;
  const { name, ip } = worker;
  if (await runningPid(paths.pid(name))) return false;
  const own = paths.worker(name);
  const joined = (await readdir(own.state).catch(() => [])).some((file) => file.startsWith('identity'));
  const token = joined ? {} : { token: (await api.createToken({ name, ttl: tokenLife, uses: 1 }, signal)).token };
  await mkdir(own.secrets, { recursive: true, mode: 0o700 });
  const runtimes = runtimesOf(marker);
  await replaceFile(
    own.settings,
    agentYaml({ name, api: api.url, ...token, ip, capacity, runtimes, secrets: own.secrets }),
  );
  const files = { pid: paths.pid(name), log: paths.log(name) };
  await startProcess([settings.program, 'agent', '--folder', own.folder], files);
  return true;
}

/** Node ids by worker, once all are online. UNREACHABLE when an agent ends, TIMED_OUT naming those that are not there. */
export async function untilOnline(
  paths: LocalPaths,
  api: ApiClient,
  workers: readonly LocalWorker[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const ids = new Map<string, string>();
  const missing = () => workers.filter(({ name }) => !ids.has(name)).map(({ name }) => name);
  await poll(
    () => missing().join(', '),
    signal,
    async () => {
      await Promise.all(missing().map((name) => requireAlive(paths, name)));
      for (const node of await api.nodes([], signal)) {
        if (node.state === 'online' && node.id !== undefined) ids.set(node.name, node.id);
      }
      return missing().length === 0;
    },
    async () => {
      const said = missing().map(async (name) => {
        const words = lastWords(await logTail(paths.log(name), 5));
        return `${words ? `${words}; ` : ''}the whole log: ${paths.log(name)}`;
      });
      return (await Promise.all(said)).join('\n');
    },
  );
  return ids;
}

async function poll(
  what: string | (() => string),
  signal: AbortSignal,
  done: () => Promise<boolean>,
  why?: () => Promise<string>,
): Promise<void> {
  const end = performance.now() + patience;
  while (!(await done())) {
    if (performance.now() > end) {
      const name = typeof what === 'string' ? what : what();
      throw new ProblemError(
        problem('TIMED_OUT', `${name} did not come up within ${patience / 1000} s`, {
          hint: (await why?.()) ?? '`oakctl ps` says what runs; logs are in the folder logs/ of the cluster',
        }),
      );
    }
    await sleep(interval, undefined, { signal });
  }
}

async function requireAlive(paths: LocalPaths, name: string): Promise<void> {
  if (await runningPid(paths.pid(name))) return;
  const words = lastWords(await logTail(paths.log(name), 5));
  throw new ProblemError(
    problem('UNREACHABLE', `${name} ended while it started${words ? `: ${words}` : ''}`, {
      hint: `the whole log: ${paths.log(name)}`,
    }),
  );
}

/** The last message in a log of JSON lines; other text as it is. */
export function lastWords(tail: string): string {
  const last = tail.split('\n').filter(Boolean).at(-1) ?? '';
  try {
    const {
      msg,
      err,
      problem: told,
    } = JSON.parse(last) as {
      msg?: string;
      err?: { message?: string };
      problem?: { message?: string; hint?: string };
    };
    return [msg, err?.message, told?.message, told?.hint].filter(Boolean).join(': ');
  } catch {
    return last;
  }
}
