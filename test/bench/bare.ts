/** The floor: the same containers by the bare Docker API over a kept-alive socket, at the concurrency that is best for an Engine. */
import { Agent, request } from 'node:http';

export const concurrency = 8;

export interface BareEngine {
  /** Creates and starts `count` containers; ms until the last one runs. */
  start(count: number): Promise<number>;
  /** Removes them by force; ms until the last one is gone. */
  remove(): Promise<number>;
  close(): Promise<void>;
}

/** Containers on a bridge network of their own, as a cluster has one. `label` marks all of it. */
export async function createBareEngine(image: string, cmd: readonly string[], label: string): Promise<BareEngine> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const socketPath = (process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock').replace(/^unix:\/\//, '');
  const call = (method: string, path: string, body?: unknown): Promise<{ Id: string }> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const sent = request({ agent, socketPath, method, path, headers }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        answer.on('end', () => {
          if ((answer.statusCode ?? 500) >= 400) reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
          else resolve(text ? JSON.parse(text) : {});
        });
      });
      sent.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
    });

  const network = `bench-${label}`;
  const Labels = { 'oakctl.bench': label };
  await call('POST', '/networks/create', { Name: network, Driver: 'bridge', Labels });
  let ids: string[] = [];
  let made = 0;
  const remove = async (): Promise<number> => {
    const ended = await timed(() => pooled(ids, (id) => call('DELETE', `/containers/${id}?force=true`)));
    ids = [];
    return ended;
  };
  return {
    start: (count) =>
      timed(async () => {
        const names = Array.from({ length: count }, (_, index) => `bench-${label}-${made + index}`);
        made += count;
        ids = await pooled(names, async (name) => {
          const HostConfig = { NetworkMode: network, RestartPolicy: { Name: 'no' } };
          const { Id } = await call('POST', `/containers/create?name=${name}`, {
            Image: image,
            Cmd: cmd,
            Labels,
            HostConfig,
          });
          await call('POST', `/containers/${Id}/start`);
          return Id;
        });
      }),
    remove,
    close: async () => {
      await remove();
      await call('DELETE', `/networks/${network}`);
      agent.destroy();
    },
  };
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
