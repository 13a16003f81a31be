/**
 * The real stack, hurt: the broker's process killed, the engine stopped and restarted, agents killed; and what DESIGN promises, checked
 * twice a second against every container. `npm run chaos` is the long form. OAKCTL_CHAOS_SEED repeats a run.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureDemoImage } from '../../cli/demo-image.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { type ContainerWatch, watchContainers } from '../support/container-watch.ts';
import { descriptor, fullName } from '../support/descriptors.ts';
import { eventually } from '../support/eventually.ts';
import { createHandCluster, type HandCluster, type Program } from '../support/hand-cluster.ts';
import { mayOwnEngine, type OwnEngine, startOwnEngine } from '../support/own-engine.ts';
import { createSeededRandom } from '../support/virtual-clock.ts';

const isLong = process.env['OAKCTL_CHAOS'] === 'long';
const times = isLong ? { broker: 20, engine: 10, agent: 20 } : { broker: 3, engine: 3, agent: 3 };
/** ms for which the engine hangs, at most: longer than its time limit only in the long form. */
const longestHang = isLong ? 45_000 : 1_500;
const seed = Number(process.env['OAKCTL_CHAOS_SEED'] ?? (isLong ? Date.now() % 100_000 : 1));
const signal = new AbortController().signal;
const patience = { timeout: isLong ? 600_000 : 120_000, interval: 100 };
const workers = ['w1', 'w2', 'w3'];
const wanted = { [fullName('shop', 'web')]: 6, [fullName('shop', 'cache')]: 3 };

type Fault = keyof typeof times;

describe.skipIf(!mayOwnEngine)(`three of each, or many (seed ${seed})`, () => {
  const random = createSeededRandom(seed);
  const ends: (() => Promise<unknown>)[] = [];
  const agents = new Map<string, Program>();
  const recovery: Record<Fault, number[]> = { broker: [], engine: [], agent: [] };
  let root: string;
  let engine: OwnEngine;
  let cluster: HandCluster;
  let api: ApiClient;
  let reconciler: Program;
  let watch: ContainerWatch;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'oakctl-chaos-'));
    ends.push(() => rm(root, { recursive: true, force: true }));
    engine = await startOwnEngine();
    ends.push(() => engine.close());
    for (const version of ['1', '2']) {
      await ensureDemoImage(engine.socket, `oakctl/chaos:${version}`, { html: `${version}\n` });
    }
    // A machine that is busy with other tests may be slow to start an agent again: that is no loss.
    cluster = await createHandCluster(join(root, 'cluster'), 'lost_after: { lan: 10m }\n');
    ends.push(() => cluster.close());
    reconciler = await cluster.reconciler();
    api = await cluster.api();
    for (const name of workers) {
      const runtime = `runtimes: { docker: { socket: ${engine.socket} } }\ncapacity: { cpu: 4, memory: 2000 }\n`;
      await cluster.prepareAgent(join(root, name), name, runtime);
      agents.set(name, await cluster.agent(join(root, name)));
    }
    await deploy({ web: { ...copy('1'), replicas: 6 }, cache: { ...copy('1'), replicas: 3 } });
    await settled();
    watch = watchContainers(engine.docker, wanted);
    ends.push(() => watch.stop());
    await watch.look();
  }, 900_000);
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });

  const copy = (version: string) => ({ code: `oakctl/chaos:${version}`, memory: 20 });
  const deploy = (services: Parameters<typeof descriptor>[1]) =>
    api.deploy({ documents: [{ file: 'shop.json', text: descriptor('shop', services) }] }, signal);
  /** Everything is as wanted, and every node was heard since `from` with nothing to complain about. */
  const settled = (from = performance.now()) =>
    eventually(
      async () => {
        const [services, nodes, instances] = await Promise.all([
          api.services([], signal),
          api.nodes([], signal),
          api.instances([], signal),
        ]);
        expect(services.map(({ name, healthy, outcome }) => [name, healthy, outcome]).sort()).toEqual(
          Object.entries(wanted)
            .map(([name, count]) => [name, count, 'settled'])
            .sort(),
        );
        for (const { name, state, problems, seen = Number.POSITIVE_INFINITY } of nodes) {
          expect([name, state, problems]).toEqual([name, 'online', []]);
          expect(seen, `${name} was not heard since`).toBeLessThan(performance.now() - from);
        }
        expect(instances.filter(({ status }) => status !== 'running')).toEqual([]);
      },
      { ...patience, what: 'the recovery' },
    );

  const faults: Record<Fault, () => Promise<void>> = {
    async broker() {
      const before = await brokerOf(reconciler.pid);
      process.kill(before, 'SIGKILL');
      await eventually(async () => (await brokerOf(reconciler.pid)) !== before, patience);
    },
    async engine() {
      engine.pause();
      await new Promise((resolve) => setTimeout(resolve, random.number() * longestHang));
      engine.resume();
      await engine.restart();
    },
    async agent() {
      const name = workers[Math.floor(random.number() * workers.length)] ?? '';
      await agents.get(name)?.stop('SIGKILL');
      agents.set(name, await cluster.agent(join(root, name)));
    },
  };

  it('stops, doubles and restarts nothing, and everything is as wanted in between', async () => {
    const before = watch.running();
    expect(before).toHaveLength(9);
    for (const fault of shuffled(times, () => random.number())) {
      await faults[fault]();
      const over = performance.now();
      await settled(over);
      recovery[fault].push(performance.now() - over);
      expect([...watch.violations], `after ${fault}`).toEqual([]);
    }
    await watch.look();
    expect(watch.running()).toEqual(before);
    console.log(figures(recovery, watch));
  }, 3_600_000);

  it('still does what it is told: one service is replaced, and the other one stays as it is', async () => {
    const cacheOf = () => watch.running().filter(({ instance }) => instance.startsWith(fullName('shop', 'cache')));
    const before = cacheOf();
    await watch.stop();
    await deploy({ web: { ...copy('2'), replicas: 6 }, cache: { ...copy('1'), replicas: 3 } });
    await eventually(async () => {
      const all = await engine.docker.listContainers();
      expect(all.filter(({ Image }) => Image === 'oakctl/chaos:2')).toHaveLength(6);
      expect(all).toHaveLength(9);
    }, patience);
    await watch.look();
    expect(cacheOf()).toEqual(before);
    // The watch has eyes: what was replaced just now would have been a broken promise before.
    expect([...watch.violations].sort()).toMatchObject(
      Array.from({ length: 6 }, (_, slot) =>
        expect.stringMatching(new RegExp(`^${fullName('shop', 'web')}.instance.${slot} .* was stopped$`)),
      ),
    );
  });
});

/** The process that is the broker of this reconciler. */
async function brokerOf(reconciler: number): Promise<number> {
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
    const line = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
    const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
    if (Number(parent) === reconciler && line.includes('broker/child.js')) return Number(entry);
  }
  throw new Error('the reconciler has no broker');
}

function shuffled(counts: Readonly<Record<Fault, number>>, number: () => number): Fault[] {
  return (Object.keys(counts) as Fault[])
    .flatMap((fault) => Array.from({ length: counts[fault] }, () => ({ fault, at: number() })))
    .sort((a, b) => a.at - b.at)
    .map(({ fault }) => fault);
}

function figures(recovery: Readonly<Record<Fault, readonly number[]>>, { looks, violations }: ContainerWatch): string {
  const lines = Object.entries(recovery).map(([fault, all]) => {
    const sorted = [...all].sort((a, b) => a - b).map(Math.round);
    return `${fault}: ${sorted.length} times, as wanted again after ${sorted[Math.floor(sorted.length / 2)]} ms (median), ${sorted.at(-1)} ms (worst)`;
  });
  const seen = `${looks.answered} looks at all containers, ${looks.unanswered} without an answer, ${violations.size} broken promises`;
  return [`chaos, seed ${seed}`, ...lines, seen].join('\n');
}
