import { createEndpoints, type EndpointsDeps } from '../../agent/endpoints.ts';
import { type Agent, createAgent } from '../../agent/loop.ts';
import type { AgentDeps, Authority } from '../../agent/ports.ts';
import type { Bus, Clock, Random } from '../../schemas/ports.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { createFakeRuntime, type FakeRuntime, type FakeRuntimeOptions } from './fake-runtime.ts';
import { createMemoryFiles, type MemoryFiles } from './memory-files.ts';

/** A node of the memory cluster: its agent, engine and disk. */
export interface MemoryNode {
  readonly name: string;
  readonly id: string;
  readonly ip: string;
  /** At the broker: the id, but for the clone of another node. */
  readonly tag: string;
  readonly runtime: FakeRuntime;
  readonly files: MemoryFiles;
  /** The machine loses power, and starts. */
  boot(): Promise<void>;
  /** The machine slept so long: of its clocks only the one since boot counted it. */
  sleep(ms: number): void;
  /** Ends the agent without a word; copies live on unless `withCopies`. */
  kill(withCopies?: boolean): void;
  /** Starts an agent on what is on its disk. */
  start(): Promise<void>;
  readonly running: boolean;
}

/** What a node needs of its cluster. */
export interface NodeSite extends Pick<AgentDeps, 'policy' | 'verify'> {
  readonly clock: Clock;
  readonly random: Random;
  /** Connects to the broker. */
  bus(tag: string): Bus;
  kill(tag: string): void;
  readonly streams: AgentDeps['streams'];
  /** Whose lists of endpoints it keeps. */
  readonly trusted: EndpointsDeps['trusted'];
  readonly onConnected?: () => void;
  readonly trace: AgentDeps['trace'];
  readonly engine?: Partial<FakeRuntimeOptions>;
  /** Stands between the agent and its ports; called at each start. */
  readonly wire?: (deps: AgentDeps) => AgentDeps;
}

/** Who a node is. */
export interface NodeIdentity {
  readonly name: string;
  readonly id: string;
  readonly ip: string;
  readonly authority: Authority;
  readonly tag?: string;
}

/** A node whose agent has not started. */
export function createMemoryNode({ name, id, ip, authority, tag = id }: NodeIdentity, site: NodeSite): MemoryNode {
  const { clock, random } = site;
  const runtime = createFakeRuntime({ clock, ip, ...site.engine });
  const files = createMemoryFiles();
  let agent: Agent | undefined;
  let boots = 0;
  let booted = -60_000;
  let slept = 0;
  return {
    name,
    id,
    ip,
    tag,
    runtime,
    files,
    get running() {
      return agent !== undefined;
    },
    kill(withCopies = false) {
      site.kill(tag);
      agent?.halt();
      agent = undefined;
      if (withCopies) for (const copy of runtime.copies.values()) runtime.vanish(copy);
    },
    boot() {
      this.kill();
      runtime.powerCut();
      boots += 1;
      booted = clock.now().mono;
      slept = 0;
      return this.start();
    },
    sleep(ms) {
      slept += ms;
    },
    async start() {
      const endpoints = createEndpoints({
        files,
        random,
        trusted: site.trusted,
        joined: { api: 'http://memory:1', mqtt: 'mqtt://memory:1' },
        ask: async () => {
          throw new ProblemError(problem('UNREACHABLE', 'nobody moves'));
        },
        trouble: (found) => site.trace({ kind: 'ledger_problem', problem: found }),
      });
      await endpoints.load();
      const deps: AgentDeps = {
        ...(site.policy && { policy: site.policy }),
        identity: { id, name, cluster: 'test' },
        authority,
        profile: { ip, labels: {}, arch: 'amd64', version: '0.1.0', beat: 5_000, boot: `boot-${boots}` },
        uptime: () => clock.now().mono - booted + slept,
        clock,
        random,
        bus: site.bus(tag),
        runtimes: [runtime],
        files,
        verify: site.verify,
        usage: () => ({ cpu: 1, memory: 10, capacity: { cpu: 2, memory: 4_096 } }),
        streams: site.streams,
        endpoints,
        ...(site.onConnected && { onConnected: site.onConnected }),
        trace: site.trace,
      };
      agent = createAgent(site.wire ? site.wire(deps) : deps);
      await agent.start();
    },
  };
}
