/**
 * `npm run bench:api [-- --services 1000 --listeners 1000 --seconds 5]`: the API of the shipped program, with 20 simulated agents:
 * reads at many services, instances posted one after the other, and an event stream with many readers. One markdown table on
 * stdout, narration on stderr. Client and reconciler share the machine.
 */
import { Agent } from 'node:http';
import { parseArgs } from 'node:util';
import type { ClusterStatus } from '../../../schemas/views.ts';
import { eventually } from '../../support/eventually.ts';
import { startFleetCluster } from '../fleet/cluster.ts';
import { startFleet } from '../fleet/fleet.ts';
import { cpuShare, sample } from '../proc.ts';
import { ask, load, openReaders, type Target } from './traffic.ts';

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '1000' },
    listeners: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '5' },
  },
});
const services = Number(values.services);
const listeners = Number(values.listeners);
const agents = 20;
const perDocument = 50;
const posts = 50;
const connections = 8;
const patience = 600_000;

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
const rows: string[][] = [];

const documentOf = (n: number): { readonly file: string; readonly text: string } => {
  const count = Math.min(perDocument, services - n * perDocument);
  const microservices = Array.from({ length: count }, (_, k) => ({
    microservice_name: `s${n * perDocument + k}`,
    code: 'bench:1',
    memory: 1,
    vcpus: 0.001,
    update: { settle: '100ms' },
  }));
  const application = { application_name: `app${n}`, microservices };
  return { file: `app${n}.json`, text: JSON.stringify({ sla_version: 'v2.0', applications: [application] }) };
};

async function reads(target: Target): Promise<void> {
  const name = 'app0.default.s0.default';
  const paths = [
    '/livez',
    '/v1/status',
    '/v1/services',
    `/v1/services/${name}`,
    '/v1/instances',
    '/v1/nodes',
    '/metrics',
    '/api/services',
  ];
  for (const path of paths) {
    say(`reading ${path} ...`);
    const { perSecond, times } = await load(target, path, connections, Number(values.seconds) * 1000);
    rows.push([`GET ${path}`, `${perSecond.toFixed(0)}/s`, ms(at(times, 0.5)), ms(at(times, 0.99))]);
  }
}

/** As a client of Oakestra finds a service, and adds instances to it. */
async function instances(target: Target): Promise<void> {
  const answer = await fetch(`${target.url}/api/services/`, { headers: { authorization: `Bearer ${target.token}` } });
  const known = (await answer.json()) as readonly { readonly job_name: string; readonly microserviceID: string }[];
  const id = known.find(({ job_name }) => job_name === 'app0.default.s0.default')?.microserviceID;
  say(`${posts} instances, one after the other ...`);
  const agent = new Agent({ keepAlive: true });
  const times: number[] = [];
  const began = performance.now();
  for (let n = 0; n < posts; n += 1) times.push(await ask(target, agent, `/api/service/${id}/instance`, {}));
  const took = performance.now() - began;
  agent.destroy();
  times.sort((a, b) => a - b);
  rows.push([
    `POST /api/service/<id>/instance, ${posts} in a row`,
    `${((posts * 1000) / took).toFixed(0)}/s`,
    ms(at(times, 0.5)),
    ms(at(times, 0.99)),
  ]);
}

async function stream(target: Target, pid: number): Promise<void> {
  say(`${listeners} readers of the event stream ...`);
  const opened = performance.now();
  const readers = await openReaders(target, listeners);
  rows.push([
    `${listeners} readers connected`,
    `${((listeners * 1000) / (performance.now() - opened)).toFixed(0)}/s`,
    '',
    '',
  ]);
  const agent = new Agent({ keepAlive: true });
  const before = await sample(pid);
  const sent = performance.now();
  for (let n = 0; n < posts; n += 1)
    await ask(
      target,
      agent,
      `/v1/instances/app0.default.s${1 + (n % (perDocument - 1))}.default.instance.0/replicate`,
      {},
    );
  const whole = (): number => [...readers.seen.values()].filter(({ count }) => count === listeners).length;
  await eventually(() => whole() >= 3 * posts, { timeout: 60_000, what: 'all readers to have all events' });
  const after = await sample(pid);
  agent.destroy();
  const spread = [...readers.seen.values()].map(({ first, last }) => last - first).sort((a, b) => a - b);
  const events = (readers.seen.size * 1000 * listeners) / (after.at - sent);
  rows.push([
    'events delivered; first to last reader',
    `${events.toFixed(0)}/s`,
    ms(at(spread, 0.5)),
    ms(at(spread, 0.99)),
  ]);
  rows.push([
    'the reconciler meanwhile',
    `${cpuShare(before, after).toFixed(0)} % of a core`,
    `${after.rss.toFixed(0)} MiB`,
    '',
  ]);
  readers.close();
}

const cluster = await startFleetCluster({ agents, broker: 'aedes' });
const fleet = startFleet(cluster.home, cluster.nodes);
try {
  const settled = async (count: number): Promise<void> => {
    const what = `${count} instances to be healthy`;
    const healthy = async () => (await cluster.get<ClusterStatus>('status')).instances.healthy === count;
    await eventually(healthy, { timeout: patience, interval: 500, what });
  };
  await eventually(async () => (await cluster.get<ClusterStatus>('status')).nodes.online === agents, {
    timeout: patience,
  });
  say(`${services} services on ${agents} nodes ...`);
  for (let n = 0; n * perDocument < services; n += 1) await cluster.post('deploy', { documents: [documentOf(n)] });
  await settled(services);
  await reads(cluster.api);
  await instances(cluster.api);
  await settled(services + posts);
  await stream(cluster.api, cluster.pids.reconciler);
} finally {
  fleet.close();
  await cluster.close();
}
const head = [`${services} services, ${connections} connections`, 'rate', 'median', 'p99'];
const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
process.stdout.write([line(head), line(head.map(() => '---')), ...rows.map(line)].join(''));
