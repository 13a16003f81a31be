/** How long what is said takes: controls until their copies are reported, and heartbeats until the API shows them. */
import { createApiClient } from '../../../schemas/io/api-client.ts';
import { descriptor, fullName } from '../../support/descriptors.ts';
import type { FleetCluster } from './cluster.ts';
import { type Home, type SimulatedNode, simulate } from './simulated.ts';

/** Follows the events of a cluster until it is closed. */
export interface Watched {
  /** ms from each decision to start a copy until the reconciler had its first report. */
  readonly controls: readonly number[];
  /** Decided, and not reported yet. */
  open(): readonly string[];
  /** Nodes that were given up. */
  lost(): number;
  close(): void;
}

export function watchEvents(cluster: FleetCluster): Watched {
  const abort = new AbortController();
  const client = createApiClient(cluster.api);
  const decided = new Map<string, number>();
  const controls: number[] = [];
  let lost = 0;
  const follow = async (): Promise<void> => {
    for await (const { kind, subject, at } of client.events({ follow: true }, abort.signal)) {
      if (kind === 'node_lost') lost += 1;
      if (kind === 'instance_started') decided.set(subject, at);
      const since = kind === 'instance_status' ? decided.get(subject) : undefined;
      if (since === undefined) continue;
      decided.delete(subject);
      controls.push(at - since);
    }
  };
  void follow();
  return {
    controls,
    open: () => [...decided].map(([name, at]) => `${name} ${new Date(at).toISOString()}`),
    lost: () => lost,
    close: () => abort.abort(),
  };
}

const replicas = 3;
const kept = 10;

/** Deploys a small service each second, and deletes old ones, until the signal aborts. */
export async function keepBusy(cluster: FleetCluster, signal: AbortSignal): Promise<void> {
  const app = (n: number): string => `load${n}`;
  const deploy = async (n: number): Promise<void> => {
    const text = descriptor(app(n), { work: { code: 'example.org/work:1', replicas, memory: 16 } });
    await cluster.post('deploy', { documents: [{ file: 'load.yaml', text }] });
    if (n >= kept) await cluster.post('delete', { services: [fullName(app(n - kept), 'work')] });
  };
  for (let n = 0; !signal.aborted; n += 1) await Promise.all([deploy(n), wait(1_000)]);
}

/** Nodes that beat faster, each asked for at the API from the moment it beat: a heartbeat on its way to what people see. */
export interface Probes {
  /** ms from the publish until the API showed it. */
  readonly beats: readonly number[];
  close(): void;
}

const lookEvery = 20;

export function probe(cluster: FleetCluster, nodes: readonly SimulatedNode[], home: Home): Probes {
  const beats: number[] = [];
  let closed = false;
  const agents = nodes.map((node) => {
    const look = async (cpu: number): Promise<void> => {
      const published = performance.now();
      while (!closed && performance.now() - published < 30_000) {
        const view = await cluster.get<{ usage?: { cpu: number } }>(`nodes/${node.name}`);
        if ((view.usage?.cpu ?? 0) >= cpu) return void beats.push(performance.now() - published);
        await wait(lookEvery);
      }
      if (!closed) beats.push(Number.POSITIVE_INFINITY);
    };
    let connected = false;
    const agent = simulate(
      { ...home, beat: 1_000 },
      node,
      (what) => {
        connected = what === 'connected';
      },
      (cpu) => {
        if (connected) void look(cpu).catch(() => beats.push(Number.POSITIVE_INFINITY));
      },
    );
    void agent.start();
    return agent;
  });
  return {
    beats,
    close() {
      closed = true;
      for (const agent of agents) agent.halt();
    },
  };
}

export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
