/**
 * A tiny model of agents around the real decisions: every agent does what its part says, one step per tick, and reports it. Run
 * specs whose code begins with `bad` fail. Enough to ask whether plans get anywhere; the real agent has tests of its own.
 */

import type { Policy } from '../../reconciler/core/model.ts';
import { foldPlans, type Plan } from '../../reconciler/core/plan.ts';
import { apply } from '../../reconciler/core/world.ts';
import type { CopyReport } from '../../schemas/messages.ts';
import { aCluster, aPolicy, at, type TestCluster } from './builders.ts';

export interface Fleet extends TestCluster {
  readonly policy: Policy;
  /** ms since the start. */
  now(): number;
  /** Agent and containers of node n are gone. */
  kill(n: number): void;
  /** The connection of node n is gone; what runs goes on. */
  cut(n: number): void;
  /** Node n is heard again; after `kill` with nothing running but what its part says. */
  revive(n: number): void;
  /** From now on copies of this code crash on node n. */
  spoil(n: number, code: string): void;
  /** Time passes, agents take one step and report, and plans are carried out. Answers the plans. */
  tick(ms: number): Plan[];
  /** Ticks until `ms` have passed. */
  run(ms: number, step?: number): Plan[];
  /** What every node reported last: for checking the index. */
  reports(): ReadonlyMap<number, readonly CopyReport[]>;
}

interface Agent {
  connected: boolean;
  readonly copies: Map<string, { status: string; since: number }>;
  last: readonly CopyReport[];
}

const runs: ReadonlySet<string> = new Set(['starting', 'running', 'crash_loop']);

/** `nodes` nodes, named pi1 and up, joined at time 0. */
export function aFleet(nodes: number, policy: Policy = aPolicy()): Fleet {
  const cluster = aCluster();
  const agents = new Map<number, Agent>();
  const spoilt = new Set<string>();
  let time = 0;

  const report = (n: number, agent: Agent): void => {
    const part = cluster.world.nodes.get(`node${n}`)?.part;
    const jobs = new Map(part?.jobs.map((job) => [`${job.instance}/${job.copy}`, job]));
    for (const key of [...agent.copies.keys()]) if (!jobs.has(key)) agent.copies.delete(key);
    agent.last = [...jobs].map(([key, job]) => {
      const copy = agent.copies.get(key) ?? { status: 'waiting', since: time };
      agent.copies.set(key, copy);
      const { instance, copy: id, digest, want } = job;
      return { instance, copy: id, digest, want, status: copy.status, age: time - copy.since };
    });
    cluster.report(n, time, agent.last);
  };

  const step = (n: number, agent: Agent): void => {
    const part = cluster.world.nodes.get(`node${n}`)?.part;
    for (const job of part?.jobs ?? []) {
      const copy = agent.copies.get(`${job.instance}/${job.copy}`);
      if (!copy) continue;
      const code = part?.documents[job.digest]?.code ?? '';
      const next = nextStatus(copy.status, job.want, code.startsWith('bad') || spoilt.has(`${n} ${code}`));
      if (next !== copy.status) Object.assign(copy, { status: next, since: time });
    }
  };

  const tick = (ms: number): Plan[] => {
    time += ms;
    const plans: Plan[] = [];
    for (const [n, agent] of agents) {
      if (agent.connected) cluster.beat(time, n);
      step(n, agent);
    }
    plans.push(foldPlans(cluster.world, policy, at(time)));
    do {
      for (const [n, agent] of agents) if (agent.connected) report(n, agent);
      plans.push(foldPlans(cluster.world, policy, at(time)));
    } while ((plans.at(-1)?.actions.length ?? 0) > 0 && plans.length < 20);
    return plans;
  };

  for (let n = 1; n <= nodes; n += 1) {
    cluster.join(n, 0);
    agents.set(n, { connected: true, copies: new Map(), last: [] });
  }
  return {
    ...cluster,
    policy,
    now: () => time,
    kill(n) {
      const agent = agents.get(n);
      agent?.copies.clear();
      if (agent) agent.connected = false;
    },
    cut(n) {
      const agent = agents.get(n);
      if (agent) agent.connected = false;
      const message = { v: 1 as const, online: false, boot: 'b', session: `s${n}`, reason: 'connection lost' };
      apply(cluster.world, { kind: 'online', node: `node${n}`, message, retained: false, at: at(time).mono });
    },
    revive(n) {
      const agent = agents.get(n);
      if (agent) agent.connected = true;
    },
    spoil: (n, code) => void spoilt.add(`${n} ${code}`),
    tick,
    run(ms, by = 1_000) {
      const plans: Plan[] = [];
      for (const end = time + ms; time < end; ) plans.push(...tick(Math.min(by, end - time)));
      return plans;
    },
    reports: () => new Map([...agents].map(([n, agent]) => [n, agent.last])),
  };
}

function nextStatus(status: string, want: string, bad: boolean): string {
  if (want === 'stopped') return runs.has(status) || status === 'stopped' ? 'stopped' : status;
  if (status === 'waiting') return 'pulling';
  if (status === 'pulling') return 'prepared';
  if (want === 'prepared') return status;
  if (bad) return 'crash_loop';
  return 'running';
}
