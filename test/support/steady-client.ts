/**
 * A client that never stops asking: it takes its targets from the API's list of healthy copies, and sends one request after the
 * other. It knows how old its list is, and waits for a new one rather than use an old one.
 */
import { request } from 'node:http';
import Docker from 'dockerode';
import type { CopyView, InstanceView } from '../../schemas/views.ts';

export interface SteadyClient {
  /** Answers so far, by text. */
  readonly answers: ReadonlyMap<string, number>;
  /** What failed, with its target. */
  readonly failures: readonly string[];
  /** Ends it; resolves when nothing is under way. */
  stop(): Promise<void>;
}

export interface SteadyOptions {
  /** The API's list of the service's instances. */
  readonly list: () => Promise<readonly InstanceView[]>;
  /** Port inside the containers. */
  readonly port: number;
  /** ms for which a list may be used. */
  readonly maxAge: number;
}

/** Requests under way at once. */
const workers = 3;

export function startClient({ list, port, maxAge }: SteadyOptions): SteadyClient {
  const engine = new Docker();
  const addresses = new Map<string, string>();
  const answers = new Map<string, number>();
  const failures: string[] = [];
  let targets: { readonly at: number; readonly hosts: readonly string[] } = { at: Number.NEGATIVE_INFINITY, hosts: [] };
  const end = new AbortController();

  const addressOf = async (handle: string): Promise<string> => {
    const known = addresses.get(handle);
    if (known !== undefined) return known;
    const { NetworkSettings } = await engine.getContainer(handle).inspect();
    const address = Object.values(NetworkSettings.Networks)[0]?.IPAddress ?? '';
    if (address !== '') addresses.set(handle, address);
    return address;
  };
  const refresh = async (): Promise<void> => {
    const at = performance.now();
    const copies: CopyView[] = (await list()).flatMap((instance) => [instance, ...(instance.others ?? [])]);
    const handles = copies.flatMap(({ healthy, handle }) => (healthy && handle ? [handle] : []));
    const hosts = await Promise.all(handles.map((handle) => addressOf(handle).catch(() => '')));
    targets = { at, hosts: hosts.filter((host) => host !== '') };
  };
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  const refreshing = (async (): Promise<void> => {
    while (!end.signal.aborted) {
      await refresh().catch(() => undefined);
      await pause(maxAge / 8);
    }
  })();
  const sending = Array.from({ length: workers }, async (_, worker) => {
    for (let n = worker; !end.signal.aborted; n += workers) {
      const { at, hosts } = targets;
      const host = hosts[n % Math.max(1, hosts.length)];
      if (host === undefined || performance.now() - at > maxAge) {
        await pause(5);
        continue;
      }
      await ask(host, port).then(
        (text) => answers.set(text, (answers.get(text) ?? 0) + 1),
        (error: unknown) => failures.push(`${host}: ${String(error)}`),
      );
    }
  });
  return {
    answers,
    failures,
    async stop() {
      end.abort();
      await Promise.all([refreshing, ...sending]);
    },
  };
}

/** The page at this address, without the end of its line. */
function ask(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path: '/', agent: false, timeout: 30_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('error', reject);
      response.once('end', () => (response.statusCode === 200 ? resolve(text.trim()) : reject(new Error(text))));
    });
    asked.once('timeout', () => asked.destroy(new Error('no answer')));
    asked.once('error', reject);
    asked.end();
  });
}
