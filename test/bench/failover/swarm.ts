/** Docker Swarm on the hosts: the first is the manager and takes no tasks. */
import type { Readable } from 'node:stream';
import { eventually } from '../../support/eventually.ts';
import { countAll, type Host, runningOn } from '../../support/hosts.ts';
import { createEngineApi } from '../engine-api.ts';
import { onLines } from '../engine-events.ts';

/** `default`: as it comes. `tuned`: a heartbeat of 1 s, the least that it takes, and no delay before a task is replaced. */
export type SwarmKind = 'default' | 'tuned';

export interface Swarm {
  /** Its containers carry it. */
  readonly label: string;
  /** Takes effect with the next heartbeat of each node: resolves when all are past it. */
  tune(kind: SwarmKind): Promise<void>;
  /** Creates the service; nothing waits for the tasks. `on`: on this host only. */
  create(replicas: number, kind: SwarmKind, on?: Host): Promise<void>;
  /** Waits until so many run, in all. */
  running(replicas: number): Promise<void>;
  /** Resolves when nothing of it is left. */
  remove(): Promise<void>;
  /** Waits until every node is ready. */
  ready(): Promise<void>;
  /** Resolves when the manager says that this node is back; listens once it resolves for the first time. */
  awaitReturn(host: Host): Promise<{ readonly back: Promise<void>; close(): void }>;
}

interface SwarmNode {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly Spec: object;
  readonly Status: { readonly State: string };
}

interface SwarmState {
  readonly Version: { readonly Index: number };
  readonly Spec: object;
  readonly JoinTokens: { readonly Worker: string };
}

const name = 'bench';
const port = 2377;
const second = 1_000_000_000;
const heartbeat: Record<SwarmKind, number> = { default: 5, tuned: 1 };
const patience = { timeout: 120_000, interval: 50 };

export async function createSwarm(hosts: readonly Host[]): Promise<Swarm> {
  const [first, ...others] = hosts;
  if (!first) throw new Error('a swarm needs a host');
  const manager = createEngineApi(first.engine.socket, 4);
  await manager.call('POST', '/swarm/init', { ListenAddr: listenOn(first), AdvertiseAddr: first.address });
  // Nothing is published here, and not every kernel has what it needs.
  await manager.call('DELETE', '/networks/ingress').catch(() => undefined);
  const { JoinTokens } = await manager.call<SwarmState>('GET', '/swarm');
  for (const host of others) {
    const api = createEngineApi(host.engine.socket, 1);
    const RemoteAddrs = [listenOn(first)];
    const body = { ListenAddr: listenOn(host), AdvertiseAddr: host.address, RemoteAddrs, JoinToken: JoinTokens.Worker };
    await api.call('POST', '/swarm/join', body);
    api.close();
  }
  const ids = new Map(await Promise.all(hosts.map(async (host) => [host, await nodeId(host)] as const)));
  const own = await manager.call<SwarmNode>('GET', `/nodes/${ids.get(first)}`);
  const drained = { ...own.Spec, Availability: 'drain' };
  await manager.call('POST', `/nodes/${own.ID}/update?version=${own.Version.Index}`, drained);
  const label = `com.docker.swarm.service.name=${name}`;
  let current: SwarmKind = 'default';

  return {
    label,
    async tune(kind) {
      if (kind === current) return;
      const { Version, Spec } = await manager.call<SwarmState>('GET', '/swarm');
      const Dispatcher = { HeartbeatPeriod: heartbeat[kind] * second };
      await manager.call('POST', `/swarm/update?version=${Version.Index}`, { ...Spec, Dispatcher });
      // A node hears of the new period in the answer to its next heartbeat, which comes by the old one.
      await new Promise((resolve) => setTimeout(resolve, (heartbeat[current] + 1) * 1000));
      current = kind;
    },
    async create(replicas, kind, on) {
      const ContainerSpec = { Image: 'oakctl/bench:1', Args: ['sleep', '1000000'], StopGracePeriod: 0 };
      const Placement = on ? { Constraints: [`node.id==${ids.get(on)}`] } : {};
      const RestartPolicy = kind === 'tuned' ? { RestartPolicy: { Condition: 'any', Delay: 0 } } : {};
      await manager.call('POST', '/services/create', {
        Name: name,
        TaskTemplate: { ContainerSpec, Placement, ...RestartPolicy },
        Mode: { Replicated: { Replicas: replicas } },
        EndpointSpec: { Mode: 'dnsrr' },
      });
    },
    async running(replicas) {
      const all = async () => (await runningOn(hosts, label)).reduce((sum, count) => sum + count, 0) === replicas;
      await eventually(all, { ...patience, what: `${replicas} tasks` });
    },
    async remove() {
      await manager.call('DELETE', `/services/${name}`);
      const none = async () => (await countAll(hosts, label)) === 0;
      await eventually(none, { ...patience, what: 'the end of the tasks' });
    },
    async ready() {
      const all = async () =>
        (await manager.call<SwarmNode[]>('GET', '/nodes')).every(({ Status }) => Status.State === 'ready');
      await eventually(all, { ...patience, what: 'the nodes of the swarm' });
    },
    async awaitReturn(host) {
      const filters = JSON.stringify({ type: ['node'] });
      const stream = (await first.docker.getEvents({ filters })) as Readable;
      const back = new Promise<void>((resolve, reject) => {
        stream.on('error', reject);
        onLines(stream, (line) => {
          const { Actor } = JSON.parse(line) as { Actor: { ID: string; Attributes: Record<string, string> } };
          if (Actor.ID === ids.get(host) && Actor.Attributes['state.new'] === 'ready') resolve();
        });
      });
      return { back, close: () => void stream.destroy() };
    },
  };
}

const listenOn = (host: Host): string => `${host.address}:${port}`;

async function nodeId({ docker }: Host): Promise<string> {
  const { Swarm } = (await docker.info()) as { Swarm: { NodeID: string } };
  return Swarm.NodeID;
}
