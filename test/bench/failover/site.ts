/** Everything that is measured: hosts, clusters on them, and whoever is compared with them, made when first needed. */
import { eventually } from '../../support/eventually.ts';
import { countAll, type Host, runningOn } from '../../support/hosts.ts';
import { folderOf } from '../../support/switched-hosts.ts';
import { createFleet, type Fleet, type FleetKind } from './fleet.ts';
import { createSwarm, type Swarm, type SwarmKind } from './swarm.ts';

/** Who keeps replicas running, seen from outside. */
export interface Subject {
  /** Its containers carry it. */
  readonly label: string;
  /** Resolves when so many run and are healthy. */
  start(replicas: number): Promise<void>;
  /** Waits until it says itself that so many are healthy. */
  whole(replicas: number): Promise<void>;
  /** Resolves when nothing of it is left. */
  clear(): Promise<void>;
  awaitReturn(host: Host): Promise<{ readonly back: Promise<void>; close(): void }>;
}

export interface Site {
  readonly hosts: readonly Host[];
  /** Those that take replicas. */
  readonly workers: readonly Host[];
  fleet(kind: FleetKind): Promise<Fleet>;
  fleetSubject(kind: FleetKind): Promise<Subject>;
  swarm(): Promise<Swarm>;
  swarmSubject(kind: SwarmKind): Promise<Subject>;
  /** SIGKILL to its agents, its engine and all its containers. */
  kill(host: Host): Promise<void>;
  /** Starts what was killed, and waits until all know. `env`: of the engine, from now on. */
  revive(host: Host, env?: Readonly<Record<string, string>>): Promise<void>;
  /** Waits until every node is there for everybody. */
  ready(): Promise<void>;
}

export function createSite(mark: string, hosts: readonly Host[]): Site {
  const workers = hosts.slice(1);
  const fleets = new Map<FleetKind, Promise<Fleet>>();
  let swarm: Promise<Swarm> | undefined;
  const fleetOf = (kind: FleetKind): Promise<Fleet> => {
    const made = fleets.get(kind) ?? createFleet(kind, hosts, folderOf(mark));
    fleets.set(kind, made);
    return made;
  };
  const swarmOf = (): Promise<Swarm> => (swarm ??= createSwarm(hosts));
  const ready = async (): Promise<void> => {
    for (const fleet of fleets.values()) await (await fleet).ready();
    await (await swarm)?.ready();
  };

  return {
    hosts,
    workers,
    fleet: fleetOf,
    swarm: swarmOf,
    async fleetSubject(kind) {
      const fleet = await fleetOf(kind);
      const { name } = fleet.service;
      const whole = async (replicas: number) => void (await fleet.settled({ [name]: replicas }));
      return {
        label: fleet.label,
        whole,
        async start(replicas) {
          await fleet.deploy(replicas);
          await whole(replicas);
        },
        async clear() {
          await fleet.remove();
          await fleet.settled({});
          const none = async () => (await countAll(hosts, fleet.label)) === 0;
          await eventually(none, { timeout: 60_000, what: 'the end of all containers' });
        },
        awaitReturn: fleet.awaitReturn,
      };
    },
    async swarmSubject(kind) {
      const own = await swarmOf();
      return {
        label: own.label,
        async start(replicas) {
          await own.tune(kind);
          await own.create(replicas, kind);
          await own.running(replicas);
        },
        async whole(replicas) {
          const counts = await runningOn(hosts, own.label);
          const running = counts.reduce((sum, count) => sum + count, 0);
          if (running < replicas) throw new Error(`${running} tasks run, and should be ${replicas}`);
        },
        clear: own.remove,
        awaitReturn: own.awaitReturn,
      };
    },
    async kill(host) {
      const agents = [...fleets.values()].map(async (fleet) => (await fleet).kill(host));
      await Promise.all([...agents, host.engine.kill()]);
    },
    async revive(host, env) {
      await host.engine.start(env);
      for (const fleet of fleets.values()) await (await fleet).start(host);
      await ready();
    },
    ready,
  };
}
