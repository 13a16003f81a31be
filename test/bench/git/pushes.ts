/** A cluster that follows a repository by webhook: from a push to the control that somebody hears. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import mqtt from 'mqtt';
import type { ControlMessage } from '../../../schemas/messages.ts';
import type { ClusterStatus } from '../../../schemas/views.ts';
import { eventually } from '../../support/eventually.ts';
import { type FleetCluster, startFleetCluster } from '../fleet/cluster.ts';
import { wait } from '../fleet/deliveries.ts';
import { startFleet } from '../fleet/fleet.ts';
import { sample, ticksPerSecond } from '../proc.ts';
import { median } from '../table.ts';
import { descriptorOf, nameOf, pathOf, pushFile } from './history.ts';

export interface Pushes {
  /** ms from the start of the reconciler's first look until it has accepted the repository. */
  readonly accepted: number;
  /** ms from the webhook to the control of the changed service; sorted. */
  readonly controls: readonly number[];
  /** Median ms of CPU of a push until then: of the reconciler, and of the git that it ran. */
  readonly cpu: { readonly own: number; readonly git: number };
  /** MiB that the reconciler had at most. */
  readonly memory: number;
}

const secret = 'webhook-of-the-bench';
const agents = 20;
const patience = 600_000;
/** ms: webhooks of one source that come sooner are one. */
const apart = 1_200;

export async function measurePushes(options: {
  readonly repository: string;
  readonly url: string;
  readonly folder: string;
  readonly descriptors: number;
  readonly rounds: number;
}): Promise<Pushes> {
  const file = join(options.folder, 'webhook');
  await writeFile(file, `${secret}\n`, { mode: 0o600 });
  const source = `sources: [{name: bench, url: "${options.url}", poll: 1h}]`;
  const settings = `${source}\nwebhooks: {plain: {secret_file: ${file}}}\n`;
  const began = performance.now();
  const cluster = await startFleetCluster({ agents, broker: 'aedes', settings });
  const fleet = startFleet(cluster.home, cluster.nodes);
  try {
    const status = () => cluster.get<ClusterStatus>('status');
    const what = 'the repository to be accepted';
    const isAccepted = async () => (await status()).sources[0]?.accepted !== undefined;
    await eventually(isAccepted, { timeout: patience, interval: 100, what });
    const accepted = performance.now() - began;
    const settled = () =>
      eventually(async () => (await status()).instances.healthy === options.descriptors, {
        timeout: patience,
        interval: 250,
        what: `${options.descriptors} instances to be healthy`,
      });
    await settled();
    const ears = await listen(cluster);
    const controls: number[] = [];
    const own: number[] = [];
    const git: number[] = [];
    for (let round = 1; round <= options.rounds; round += 1) {
      const n = (round * 37) % options.descriptors;
      pushFile(options.repository, pathOf(n), descriptorOf(n, round));
      const heard = ears.deployed(nameOf(n));
      const before = await sample(cluster.pids.reconciler);
      const sent = performance.now();
      const headers = { authorization: `Bearer ${secret}` };
      const answer = await fetch(`${cluster.api.url}/v1/webhooks/plain`, { method: 'POST', headers, body: '' });
      if (answer.status !== 202) throw new Error(`the webhook answered ${answer.status}`);
      controls.push((await heard) - sent);
      const after = await sample(cluster.pids.reconciler);
      own.push(after.ticks - before.ticks);
      git.push(after.childTicks - before.childTicks);
      await wait(apart);
      await settled();
    }
    ears.close();
    const memory = await peakOf(cluster.pids.reconciler);
    const perPush = (ticks: readonly number[]): number => (median(ticks) / ticksPerSecond) * 1000;
    return {
      accepted,
      controls: controls.sort((a, b) => a - b),
      cpu: { own: perPush(own), git: perPush(git) },
      memory,
    };
  } finally {
    fleet.close();
    await cluster.close();
  }
}

/** Hears the controls of all nodes, each beside the node itself. */
async function listen(cluster: FleetCluster): Promise<{ deployed(app: string): Promise<number>; close(): void }> {
  let wanted: { readonly app: string; tell(at: number): void } | undefined;
  const hear = (payload: Buffer): void => {
    const at = performance.now();
    const { command, job } = JSON.parse(payload.toString()) as ControlMessage;
    if (wanted && command === 'deploy' && job.name.startsWith(`${wanted.app}.`)) wanted.tell(at);
  };
  const clients = await Promise.all(
    cluster.nodes.map(async ({ id, password }) => {
      const client = await mqtt.connectAsync(cluster.home.mqtt, { username: id, password, clientId: `${id}.bench` });
      client.on('message', (_topic, payload) => hear(payload));
      await client.subscribeAsync(`nodes/${id}/controls`, { qos: 1 });
      return client;
    }),
  );
  return {
    deployed: (app) =>
      new Promise((resolve) => {
        wanted = { app, tell: resolve };
      }),
    close() {
      for (const client of clients) client.end(true);
    },
  };
}

async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s*(\d+)/m.exec(status)?.[1]) / 1024;
}
