/** The floor: the same containers by the bare Docker API over a kept-alive socket, at the concurrency that is best for an Engine. */
import { createEngineApi, type EngineApi, usualSocket } from './engine-api.ts';

export const concurrency = 8;

export interface BareEngine {
  /** Creates and starts `count` containers; ms until the last one runs. */
  start(count: number): Promise<number>;
  /** Removes them by force; ms until the last one is gone. */
  remove(): Promise<number>;
  /** One after the other: a new one starts, and the one that it replaces is removed; ms until the last one is replaced. */
  replace(): Promise<number>;
  /** Kills the first one and starts it again; ms until it runs. */
  crash(): Promise<number>;
  close(): Promise<void>;
}

interface Made {
  readonly api: EngineApi;
  readonly id: string;
}

/**
 * Containers on a bridge network of their own, as a cluster has one; with `sockets` on those of these engines, where they take
 * turns, and are worked on at once. `label` marks all of it.
 */
export async function createBareEngine(
  image: string,
  cmd: readonly string[],
  label: string,
  sockets?: readonly string[],
): Promise<BareEngine> {
  const apis = (sockets ?? [usualSocket()]).map((socket) => createEngineApi(socket, concurrency));
  const network = sockets ? 'bridge' : `bench-${label}`;
  const Labels = { 'oakctl.bench': label };
  const own = sockets ? [] : apis;
  for (const api of own) await api.call('POST', '/networks/create', { Name: network, Driver: 'bridge', Labels });
  let containers: readonly Made[] = [];
  let made = 0;

  const make = async (api: EngineApi): Promise<Made> => {
    made += 1;
    const HostConfig = { NetworkMode: network, RestartPolicy: { Name: 'no' } };
    const body = { Image: image, Cmd: cmd, Labels, HostConfig };
    const { Id } = await api.call<{ Id: string }>('POST', `/containers/create?name=bench-${label}-${made}`, body);
    await api.call('POST', `/containers/${Id}/start`);
    return { api, id: Id };
  };
  const removeOne = ({ api, id }: Made) => api.call('DELETE', `/containers/${id}?force=true`);
  const remove = async (): Promise<number> => {
    const ended = await timed(() => pooled(containers, removeOne));
    containers = [];
    return ended;
  };
  return {
    start: (count) =>
      timed(async () => {
        const places = Array.from({ length: count }, (_, index) => apis[index % apis.length] as EngineApi);
        containers = await pooled(places, make);
      }),
    remove,
    replace: () =>
      timed(async () => {
        const after: Made[] = [];
        for (const before of containers) {
          after.push(await make(before.api));
          await removeOne(before);
        }
        containers = after;
      }),
    crash: () => {
      const [{ api, id } = missing()] = containers;
      return timed(async () => {
        await api.call('POST', `/containers/${id}/kill`);
        await api.call('POST', `/containers/${id}/start`);
      });
    },
    close: async () => {
      await remove();
      for (const api of own) await api.call('DELETE', `/networks/${network}`);
      for (const api of apis) api.close();
    },
  };
}

function missing(): never {
  throw new Error('there is no container');
}

/** ms that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function pooled<In, Out>(items: readonly In[], work: (item: In) => Promise<Out>): Promise<Out[]> {
  const results: Out[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next; index < items.length; index = next) {
      next = index + 1;
      results[index] = await work(items[index] as In);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, worker));
  return results;
}
