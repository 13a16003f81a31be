/** One fleet on one broker: from the start through a window of plain work to a herd that comes back. */
import type { ClusterStatus } from '../../../schemas/views.ts';
import { eventually } from '../../support/eventually.ts';
import { cpuShare, type Sample, sample } from '../proc.ts';
import { type BrokerName, type FleetCluster, startFleetCluster } from './cluster.ts';
import { keepBusy, probe, wait, watchEvents } from './deliveries.ts';
import { type Fleet, startFleet } from './fleet.ts';

export interface FleetOptions {
  readonly agents: number;
  readonly broker: BrokerName;
  readonly minutes: number;
  /** Connections that are cut at once. */
  readonly herd: number;
  readonly keep?: boolean;
  readonly profile?: boolean;
  narrate(text: string): void;
}

/** A process over the window: share of one core in percent, and MiB at the worst moment. */
export interface Cost {
  readonly cpu: number;
  readonly memory: number;
}

export interface FleetResult {
  readonly agents: number;
  readonly broker: BrokerName;
  readonly minutes: number;
  /** s from the first connection until the reconciler counts every node as online. */
  readonly up: number;
  /** ms, sorted. */
  readonly controls: readonly number[];
  readonly beats: readonly number[];
  /** Controls that nobody answered. */
  readonly unanswered: number;
  readonly reconciler: Cost;
  readonly brokerCost: Cost;
  readonly simulator: Cost;
  readonly herd: number;
  /** s from the cut until all are connected, and until the reconciler counts every node as online again. */
  readonly herdConnected: number;
  readonly herdBack: number;
  readonly reconcilerInHerd: Cost;
  readonly brokerInHerd: Cost;
  readonly lost: number;
  readonly refused: number;
}

const probes = 5;
const patience = 300_000;

export async function runFleet(options: FleetOptions): Promise<FleetResult> {
  const { agents, broker, narrate } = options;
  narrate(`${agents} agents, ${broker}: enrolling`);
  const cluster = await startFleetCluster(options);
  let fleet: Fleet | undefined;
  let watched: ReturnType<typeof watchEvents> | undefined;
  try {
    watched = watchEvents(cluster);
    const started = performance.now();
    fleet = startFleet(cluster.home, cluster.nodes.slice(probes));
    const probing = probe(cluster, cluster.nodes.slice(0, probes), cluster.home);
    try {
      return await measure(options, { cluster, fleet, watched, probing, started });
    } finally {
      probing.close();
    }
  } finally {
    watched?.close();
    fleet?.close();
    await cluster.close();
  }
}

interface Parts {
  readonly cluster: FleetCluster;
  readonly fleet: Fleet;
  readonly watched: ReturnType<typeof watchEvents>;
  readonly probing: ReturnType<typeof probe>;
  readonly started: number;
}

async function measure(options: FleetOptions, parts: Parts): Promise<FleetResult> {
  const { agents, broker, minutes, narrate } = options;
  const { cluster, fleet, watched, probing, started } = parts;
  const { reconciler: reconcilerPid, broker: brokerPid } = cluster.pids;
  const pids = [reconcilerPid, brokerPid, ...fleet.pids];
  await allOnline(parts, agents, narrate);
  const up = (performance.now() - started) / 1000;
  narrate(`all online after ${up.toFixed(1)} s; ${minutes} min of work`);

  const before = { controls: watched.controls.length, beats: probing.beats.length };
  const busy = new AbortController();
  const work = keepBusy(cluster, busy.signal);
  const costs = await meter(pids, () => wait(minutes * 60_000));
  busy.abort();
  await work;
  await eventually(() => watched.open().length === 0, { timeout: 30_000 }).catch(() => undefined);
  const controls = watched.controls.slice(before.controls).sort(ascending);
  const beats = probing.beats.slice(before.beats).sort(ascending);
  const unanswered = watched.open();
  if (unanswered.length > 0) narrate(`never reported: ${unanswered.join(', ')}`);

  const herd = Math.min(options.herd, agents - probes);
  narrate(`a herd of ${herd}`);
  let herdConnected = 0;
  let herdBack = 0;
  const herdCosts = await meter(pids, async () => {
    const cut = performance.now();
    const endedBefore = fleet.ended();
    fleet.cut(herd);
    const isBack = (): boolean => fleet.ended() >= endedBefore + herd && fleet.connected() === agents - probes;
    await eventually(isBack, { timeout: patience, interval: 100, what: 'the herd to be connected' });
    herdConnected = (performance.now() - cut) / 1000;
    await allOnline(parts, agents, narrate);
    herdBack = (performance.now() - cut) / 1000;
  });
  const [ours, brokers, ...simulators] = costs;
  return {
    agents,
    broker,
    minutes,
    up,
    controls,
    beats,
    unanswered: unanswered.length,
    reconciler: ours ?? none,
    brokerCost: brokers ?? none,
    simulator: simulators.reduce(together, none),
    herd,
    herdConnected,
    herdBack,
    reconcilerInHerd: herdCosts[0] ?? none,
    brokerInHerd: herdCosts[1] ?? none,
    lost: watched.lost(),
    refused: fleet.refused(),
  };
}

const none: Cost = { cpu: 0, memory: 0 };
const ascending = (a: number, b: number): number => a - b;

export function together(a: Cost, b: Cost): Cost {
  return { cpu: a.cpu + b.cpu, memory: a.memory + b.memory };
}

async function allOnline({ cluster, fleet }: Parts, agents: number, narrate: (text: string) => void): Promise<void> {
  let told = performance.now();
  await eventually(
    async () => {
      const { nodes, phase } = await cluster.get<ClusterStatus>('status');
      if (performance.now() - told > 5_000) {
        narrate(`  connected ${fleet.connected()}; ${phase}, ${JSON.stringify(nodes)}`);
        told = performance.now();
      }
      return nodes.online === agents && phase === 'running' && fleet.connected() === agents - probes;
    },
    { timeout: patience, interval: 500, what: `${agents} nodes to be online` },
  );
}

/** What each process costs while `work` goes on. */
async function meter(pids: readonly number[], work: () => Promise<void>): Promise<Cost[]> {
  const first = await Promise.all(pids.map(sample));
  const worst = first.map(({ rss }) => rss);
  const look = async (): Promise<Sample[]> => {
    const now = await Promise.all(pids.map(sample));
    for (const [index, { rss }] of now.entries()) worst[index] = Math.max(worst[index] ?? 0, rss);
    return now;
  };
  const looking = setInterval(() => void look().catch(() => undefined), 1_000);
  try {
    await work();
  } finally {
    clearInterval(looking);
  }
  const last = await look();
  return last.map((now, index) => ({ cpu: cpuShare(first[index] ?? now, now), memory: worst[index] ?? 0 }));
}
