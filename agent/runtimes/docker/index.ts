/** The docker runtime: copies as containers of a Docker Engine, API 1.41 and up. */
import type { Grant } from '../../../schemas/grants.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../../../schemas/problem.ts';
import { createAccess } from '../access.ts';
import type { ActualCopy, Comparer, CopyKey, Executor, ImageLoader, LogLine, Runnable, Runtime } from '../runtime.ts';
import { createSecrets, type Secrets } from '../secrets.ts';
import { type Containers, createContainers, type FindImage } from './containers.ts';
import { differencesOf } from './differences.ts';
import {
  createEngine,
  defaultSocket,
  type Engine,
  limits,
  messageOf,
  noContainer,
  statusOf,
  unavailable,
} from './engine.ts';
import { openSession } from './exec.ts';
import { ensureImage, findImage, type ImageSources, plainSources } from './image.ts';
import { type Owner, ownerFilter } from './labels.ts';
import { loadArchive, ownImages } from './load.ts';
import { demultiplex } from './logs.ts';
import { defaultNetwork, ensureNetwork, networkName } from './network.ts';
import { type Listed, readSummary, type Summary, withInspected } from './state.ts';
import { watchEngine } from './watch.ts';

export interface DockerRuntimeDeps extends Owner {
  /** Unix socket of the engine; default /var/run/docker.sock. */
  readonly socket?: string;
  /** `engine`: no network is made, containers are on the engine's default bridge. Default: on one of the cluster's own. */
  readonly network?: 'cluster' | 'engine';
  /** Address on which ports are published. */
  readonly ip: string;
  /** What the node's owner lets containers do on it; default nothing. */
  readonly grants?: readonly Grant[];
  /** Folders that no container sees. */
  readonly own?: readonly string[];
  /** Default: no age identity, so that copies with secrets fail. */
  readonly secrets?: Secrets;
  /** Where images come from; default each registry itself, without a login. */
  readonly images?: ImageSources;
  /** ms for which nothing may come in the middle of a pull; default a minute. */
  readonly pullStall?: number;
  /** Told once about each container that carries our labels under a name that is not theirs. It is left alone. */
  readonly onConflict?: (conflict: Problem) => void;
}

/** A runtime for one node of one cluster. Opens nothing before its first call. */
export function createDockerRuntime(deps: DockerRuntimeDeps): Runtime & Executor & ImageLoader & Comparer {
  const socket = deps.socket ?? defaultSocket;
  const owner: Owner = { cluster: deps.cluster, node: deps.node };
  const engine = createEngine(socket);
  const isShared = deps.network === 'engine';
  const network = isShared ? async () => undefined : createNetworkGuard(engine, deps.cluster);
  const place = { ...owner, ip: deps.ip, network: isShared ? defaultNetwork : networkName(deps.cluster) };
  const access = createAccess({ grants: deps.grants ?? [], own: [...(deps.own ?? []), socket] });
  const find: FindImage = async (run, signal) => (await findImage(engine, run, signal))?.reference ?? run.code;
  const containers = createContainers(
    engine,
    place,
    access,
    network,
    find,
    deps.secrets ?? createSecrets({ node: deps.node }),
  );
  const images = { ...(deps.images ?? plainSources), stall: deps.pullStall ?? limits.pullStall };
  const told = new Set<string>();

  async function list(signal: AbortSignal): Promise<readonly ActualCopy[]> {
    const listed = await listOurs(engine, owner, signal);
    for (const stranger of listed) {
      if (stranger.kind !== 'stranger') continue;
      containers.forget(stranger.id);
      if (told.has(stranger.id)) continue;
      told.add(stranger.id);
      deps.onConflict?.(conflictOf(stranger));
    }
    return completed(engine, listed, signal);
  }

  const guarded = <T>(work: Promise<T>) => work.catch((error) => Promise.reject(asProblem(socket, error)));
  /** Of streams, whose failures come at any time. */
  const guardedLines: Runtime['logs'] = async function* (key, options, signal) {
    try {
      yield* readLogs(engine, containers, key, options, signal);
    } catch (error) {
      throw asProblem(socket, error);
    }
  };
  return {
    name: 'docker',
    probe: (signal) => guarded(probe(engine, signal)),
    list: (signal) => guarded(list(signal)),
    prepare: (run, signal) => guarded(ensureImage(engine, run, images, signal)),
    create: (plan, signal) => guarded(containers.create(plan, signal)),
    start: (plan, signal) => guarded(containers.start(plan, signal)),
    stop: (key, grace, signal) => guarded(containers.stop(key, grace, signal)),
    remove: (key, signal) => guarded(containers.remove(key, signal)),
    exec: (key, start, signal) => guarded(openSession(engine, containers, key, start, signal)),
    ownImages: (wanted, signal) => guarded(ownImages(engine, wanted, signal)),
    differences: (key, run, signal) => guarded(compare(engine, containers, key, run, signal)),
    loadImages: (archive, signal) => guarded(loadArchive(engine, archive, limits.loadStall, signal)),
    logs: guardedLines,
    watch(onEvent, signal) {
      void watchEngine({ engine, owner, list }, onEvent, signal);
    },
  };
}

/** Looks after the network once, and again when the engine lost it. Concurrent callers share one look. */
function createNetworkGuard(engine: Engine, cluster: string) {
  let ready = false;
  return async (again: boolean, signal: AbortSignal): Promise<void> => {
    if (ready && !again) return;
    await ensureNetwork(engine, cluster, signal);
    ready = true;
  };
}

async function probe(engine: Engine, signal: AbortSignal) {
  const version = await engine.call(limits.read, signal, (docker) => docker.version());
  return { name: 'docker' as const, version: version.Version };
}

async function listOurs(engine: Engine, owner: Owner, signal: AbortSignal): Promise<Listed[]> {
  const summaries = await engine.call(limits.read, signal, (docker) =>
    docker.listContainers({ all: true, filters: { label: ownerFilter(owner) } }),
  );
  return (summaries as Summary[]).map((summary) => readSummary(owner, summary));
}

/** The copies, with an inspect for those whose status line does not say all. */
async function completed(engine: Engine, listed: readonly Listed[], signal: AbortSignal): Promise<ActualCopy[]> {
  const copies: ActualCopy[] = [];
  for (const item of listed) {
    if (item.kind !== 'copy') continue;
    const found = item.complete ? undefined : await inspect(engine, item.copy.handle, signal);
    if (item.complete) copies.push(item.copy);
    else if (found) copies.push(withInspected(item.copy, found.State, Date.now()));
  }
  return copies;
}

/** Undefined when it is not there any more. */
async function inspect(engine: Engine, id: string, signal: AbortSignal) {
  try {
    return await engine.call(limits.read, signal, (docker) => docker.getContainer(id).inspect());
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

async function compare(
  engine: Engine,
  containers: Containers,
  key: CopyKey,
  run: Runnable,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const id = await containers.find(key, signal);
  const found = id === undefined ? undefined : await inspect(engine, id, signal);
  return found ? differencesOf(run, found) : [];
}

async function* readLogs(
  engine: Engine,
  containers: Containers,
  key: CopyKey,
  options: { readonly tail?: number; readonly follow?: boolean },
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const id = await containers.find(key, signal);
  if (!id) throw noContainer(key);
  const stream = await engine.stream(limits.read, signal, async (docker) => {
    const query = {
      stdout: true,
      stderr: true,
      follow: options.follow === true,
      tail: options.tail ?? 'all',
    };
    return openLogs(docker, id, query);
  });
  try {
    yield* demultiplex(stream);
  } catch (error) {
    if (!signal.aborted) throw brokenOff(key, error);
  } finally {
    stream.destroy();
  }
}

/** The engine went away in the middle. */
function brokenOff({ instance }: CopyKey, cause: unknown): ProblemError {
  const text = `the engine broke off the logs: ${messageOf(cause)}`;
  return new ProblemError(problem('RUNTIME_UNAVAILABLE', text, { subject: instance, disposition: 'retry' }), { cause });
}

type Docker = Parameters<Parameters<Engine['stream']>[2]>[0];

/** As a stream also when not followed: the library would read it all into memory. */
function openLogs(docker: Docker, id: string, query: object): Promise<NodeJS.ReadableStream> {
  const request = {
    path: `/containers/${id}/logs?`,
    method: 'GET',
    isStream: true,
    options: query,
    statusCodes: { 200: true },
  };
  return new Promise((resolve, reject) => {
    docker.modem.dial(request, (error: unknown, stream) =>
      error ? reject(error) : resolve(stream as NodeJS.ReadableStream),
    );
  });
}

function conflictOf(stranger: { readonly name: string; readonly why: string }): Problem {
  return problem(
    'NAME_CONFLICT',
    `container ${stranger.name} carries labels of ours and is left alone: ${stranger.why}`,
    {
      subject: stranger.name,
      hint: `if nobody needs it: \`docker rm -f ${stranger.name}\``,
    },
  );
}

/** A refusal that no step expected is no bug of ours: the engine cannot be used as it is. */
function asProblem(socket: string, error: unknown): unknown {
  if (isProblemError(error) || statusOf(error) === undefined) return error;
  return unavailable(socket, `it answers ${statusOf(error)}: ${messageOf(error)}`, error);
}
