/**
 * What the local verbs do with a Docker Engine. Everything goes by our labels: the fingerprint of the cluster, and the id of a
 * node. What does not carry them is never listed, let alone touched.
 */
import type Dockerode from 'dockerode';
import { containerNames } from '../../schemas/names.ts';
import type { Env } from '../home.ts';

export interface Scope {
  readonly fingerprint: string;
  /** Only copies of this node. */
  readonly node?: string;
}

export interface LocalEngine {
  /** API version of the Engine. */
  readonly version: string;
  stopContainers(scope: Scope): Promise<number>;
  killContainers(scope: Scope): Promise<number>;
  removeContainers(scope: Scope): Promise<number>;
  /** Names of containers, sorted. */
  names(scope: Scope): Promise<readonly string[]>;
  removeNetworks(fingerprint: string): Promise<number>;
  volumes(scope: Scope): Promise<readonly string[]>;
  removeVolumes(names: readonly string[]): Promise<void>;
}

/** How long an Engine may take to say that it is there. ms. */
const patience = 3000;

/** Unix socket of the Engine: that of DOCKER_HOST, else the usual one. undefined when DOCKER_HOST names no socket: agents speak to one. */
export function engineSocket(env: Env): string | undefined {
  const host = env['DOCKER_HOST'];
  if (!host) return '/var/run/docker.sock';
  return host.startsWith('unix://') ? host.slice('unix://'.length) : undefined;
}

/** The Engine behind a socket; undefined when none answers. */
export async function openEngine(socket: string | undefined): Promise<LocalEngine | undefined> {
  if (socket === undefined) return undefined;
  const { default: Docker } = await import('dockerode');
  const docker = new Docker({ socketPath: socket });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), patience);
  });
  const info = await Promise.race([docker.version().catch(() => undefined), late]);
  clearTimeout(timer);
  return info ? createEngine(docker, info.ApiVersion) : undefined;
}

function createEngine(docker: Dockerode, version: string): LocalEngine {
  const containers = async (scope: Scope, all: boolean) =>
    (await docker.listContainers({ all, filters: { label: labels(scope) } })).filter(isCopy);
  const each = async (scope: Scope, all: boolean, act: (container: Dockerode.Container) => Promise<unknown>) => {
    const found = await containers(scope, all);
    await inBatches(found, (info) => tolerate(act(docker.getContainer(info.Id))));
    return found.length;
  };
  return {
    version,
    stopContainers: (scope) => each(scope, false, (container) => container.stop()),
    killContainers: (scope) => each(scope, false, (container) => container.kill()),
    removeContainers: (scope) => each(scope, true, (container) => container.remove({ force: true })),
    names: async (scope) => (await containers(scope, true)).map(({ Names }) => (Names[0] ?? '').slice(1)).sort(),
    async removeNetworks(fingerprint) {
      const found = await docker.listNetworks({ filters: { label: labels({ fingerprint }) } });
      await inBatches(found, (info) => tolerate(docker.getNetwork(info.Id).remove()));
      return found.length;
    },
    async volumes(scope) {
      // Without volumes the Engine says null, whatever the types say.
      const { Volumes } = (await docker.listVolumes({ filters: { label: labels(scope) } })) as {
        Volumes: readonly { readonly Name: string }[] | null;
      };
      return (Volumes ?? []).map(({ Name }) => Name).sort();
    },
    async removeVolumes(names) {
      await inBatches(names, (name) => tolerate(docker.getVolume(name).remove()));
    },
  };
}

function labels({ fingerprint, node }: Scope): string[] {
  return [`io.oakctl.cluster=${fingerprint}`, ...(node === undefined ? [] : [`io.oakctl.node=${node}`])];
}

/** A container of an agent has a name that its labels ask for; one with copied labels has another, and is a stranger. */
function isCopy({ Labels, Names }: Dockerode.ContainerInfo): boolean {
  const { 'io.oakctl.instance': instance, 'io.oakctl.copy': copy, 'io.oakctl.cluster': cluster } = Labels;
  if (instance === undefined || copy === undefined || cluster === undefined) return false;
  return containerNames(instance, copy, cluster).some((name) => Names.includes(`/${name}`));
}

/** Gone already, or already stopped: as wanted. 403: a network that somebody is still in. */
async function tolerate(done: Promise<unknown>): Promise<void> {
  await done.catch((error: { statusCode?: number }) => {
    if (![304, 403, 404, 409].includes(error.statusCode ?? 0)) throw error;
  });
}

async function inBatches<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  const worker = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await act(item);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}
