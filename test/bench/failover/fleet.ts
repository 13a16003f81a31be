/** An oakctl cluster on the hosts: its reconciler is on the first, whose node takes no instances. */
import { join } from 'node:path';
import type { ApiClient } from '../../../schemas/io/api-client.ts';
import type { InstanceView, ServiceView } from '../../../schemas/views.ts';
import { callApi, type TestCluster, waitSettled } from '../../support/cluster.ts';
import { descriptor, fullName } from '../../support/descriptors.ts';
import { eventually } from '../../support/eventually.ts';
import { createHandCluster, type Program } from '../../support/hand-cluster.ts';
import type { Host } from '../../support/hosts.ts';
import type { DirectService } from '../work.ts';
import { images } from './equipment.ts';

/** Class of its nodes, with the beat that goes with it. */
export type FleetKind = 'lan' | 'fast';

export interface Fleet extends Pick<TestCluster, 'post' | 'settled'> {
  /** Its containers carry it. */
  readonly label: string;
  /** The service that everything is measured with. */
  readonly service: DirectService;
  deploy(replicas: number, image?: (typeof images)[number]): Promise<unknown>;
  remove(): Promise<unknown>;
  /** SIGKILL to the agent. */
  kill(host: Host): Promise<unknown>;
  start(host: Host): Promise<void>;
  /** Waits until every node is online, and the time is over in which nothing becomes lost. */
  ready(): Promise<void>;
  /** Resolves when the reconciler heard this node for the first time after its loss. Listens from the call on. */
  awaitReturn(host: Host): Promise<{ readonly back: Promise<void>; close(): void }>;
}

const beats: Record<FleetKind, string> = { lan: '5s', fast: '500ms' };
/** ms after the start of a reconciler in which it takes nobody for lost, and a little more. */
const grace = 17_000;

/** Each kind once per process. `offset`: for its ports. */
export async function createFleet(kind: FleetKind, hosts: readonly Host[], folder: string): Promise<Fleet> {
  const [first] = hosts;
  if (!first) throw new Error('a cluster needs a host');
  const offset = kind === 'lan' ? 0 : 2;
  const place = { host: first.address, within: first.within, nodeClass: kind, offset };
  const hand = await createHandCluster(join(folder, kind), 'tls: auto\n', place);
  const agents = new Map<Host, Program>();
  const folderOf = (host: Host): string => join(folder, `${kind}-${host.name}`);
  await hand.reconciler();
  const began = performance.now();
  for (const host of hosts) {
    // As Swarm's: a network of the cluster's own would cost each start a third more.
    const runtimes = `runtimes: { docker: { socket: ${host.engine.socket}, network: engine } }\n`;
    await hand.prepareAgent(folderOf(host), host.name, runtimes, { ip: host.address, beat: beats[kind] });
    agents.set(host, await hand.agent(folderOf(host), {}, host.within));
  }
  const api = await hand.api();
  const { fingerprint } = await api.status(forever);
  const online = async (): Promise<boolean> => {
    const nodes = await api.nodes([], forever);
    return nodes.length === hosts.length && nodes.every(({ state }) => state === 'online');
  };
  const allOnline = () => eventually(online, { timeout: 120_000, what: `the nodes of ${kind}` });
  await allOnline();
  await api.cordon(first.name, { reason: 'the reconciler is here' }, forever);

  const name = fullName('fail', 'bench');
  const items = async <T>(path: string): Promise<readonly T[]> =>
    ((await callApi(hand.folder, 'GET', path)) as { items: readonly T[] }).items;
  const post = <T>(path: string, body: unknown) => callApi(hand.folder, 'POST', path, body) as Promise<T>;
  const text = (replicas: number, code: string = images[0]): string =>
    descriptor('fail', { bench: { ...service, code, replicas } });
  const views = {
    name: kind,
    services: () => items<ServiceView>('services'),
    instances: () => items<InstanceView>('instances'),
  };
  return {
    label: `io.oakctl.cluster=${fingerprint}`,
    service: { name, text },
    post,
    settled: (wanted, timeout = 120_000) => waitSettled(views, wanted, timeout),
    deploy: (replicas, image) => post('deploy', { documents: [{ file: 'bench.yaml', text: text(replicas, image) }] }),
    remove: () => post('delete', { services: [name] }),
    kill: async (host) => agents.get(host)?.stop('SIGKILL'),
    async start(host) {
      agents.set(host, await hand.agent(folderOf(host), {}, host.within));
    },
    async ready() {
      await allOnline();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, began + grace - performance.now())));
    },
    awaitReturn: (host) => awaitReturn(api, host.name),
  };
}

/** Speed benches wait for nothing that a user may switch off. */
const service = {
  cmd: ['sleep', '1000000'],
  stop_grace: '0s',
  update: { settle: '0s', notice: '0s' },
};

const forever = new AbortController().signal;

async function awaitReturn(api: ApiClient, node: string): Promise<{ readonly back: Promise<void>; close(): void }> {
  const ended = new AbortController();
  let after = 0;
  for await (const { seq } of api.events({}, ended.signal)) after = seq;
  const look = async (): Promise<void> => {
    for await (const { kind, subject } of api.events({ after, follow: true }, ended.signal)) {
      if (kind === 'node_returned' && subject === `node/${node}`) return;
    }
  };
  return { back: look(), close: () => ended.abort() };
}
