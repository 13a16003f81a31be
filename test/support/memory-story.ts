import type { Reconciler } from '../../reconciler/loop.ts';
import type { ClusterEvent } from '../../schemas/cluster-events.ts';
import type { MemoryCluster } from './memory-cluster.ts';
import type { MemoryNode } from './memory-node.ts';

/** What stories about a cluster in memory say all the time. Services are those of `descriptor` in memory-cluster.ts. */
export interface Story {
  service(name: string, app?: string): string;
  outcome(name: string, app?: string): string | undefined;
  /** Waits until all of them are settled. */
  settled(...names: string[]): Promise<number>;
  /** `<node> <instance>/<copy>` of what runs of a service. */
  instancesOf(name: string, app?: string): string[];
  /** Codes of all holds, sorted, each once. */
  holds(): string[];
  node(number: number): MemoryNode;
  /** Time passes until nothing runs that is not wanted, and everything that is. */
  count(name: string, copies: number, limit?: number): Promise<number>;
  /** The disk refuses the next save, or the nth, and none after it. */
  refuseOnce(nth?: number): void;
}

export function tell(cluster: () => MemoryCluster): Story {
  const service = (name: string, app = 'shop'): string => `${app}.default.${name}.default`;
  const outcome = (name: string, app?: string): string | undefined =>
    cluster()
      .reconciler.control.services()
      .find((one) => one.name === service(name, app))?.outcome;
  const instancesOf = (name: string, app?: string): string[] =>
    cluster()
      .running()
      .filter((line) => line.includes(`${service(name, app)}.`));
  return {
    service,
    outcome,
    instancesOf,
    settled: (...names) =>
      cluster().clock.until(
        () => names.every((name) => outcome(name) === 'settled'),
        120_000,
        `${names.join()} settled`,
      ),
    holds: () =>
      [
        ...new Set(
          cluster()
            .reconciler.control.holds()
            .map((hold) => hold.code),
        ),
      ].sort(),
    node(number) {
      const node = cluster().nodes[number];
      if (!node) throw new Error(`there is no node ${number}`);
      return node;
    },
    count: (name, copies, limit = 60_000) =>
      cluster().clock.until(() => instancesOf(name).length === copies, limit, `${copies} copies of ${name}`),
    refuseOnce(nth = 1) {
      const { disk } = cluster();
      const refused = disk.saves + nth;
      disk.onSave = (number) => {
        disk.full = number === refused;
      };
    },
  };
}

/** What became of requests that are made at once, in their order. */
export async function statesOf(...requests: readonly Promise<unknown>[]): Promise<string[]> {
  return (await Promise.allSettled(requests)).map(({ status }) => status);
}

/** All events so far. */
export async function eventsOf({ control }: Pick<Reconciler, 'control'>): Promise<ClusterEvent[]> {
  const abort = new AbortController();
  const found: ClusterEvent[] = [];
  setImmediate(() => setImmediate(() => abort.abort()));
  for await (const event of control.events(0, abort.signal)) found.push(event);
  return found;
}

/** `<subject> <message>` of all events of a kind so far. */
export async function toldOf(reconciler: Pick<Reconciler, 'control'>, kind: ClusterEvent['kind']): Promise<string[]> {
  const events = await eventsOf(reconciler);
  return events.filter((event) => event.kind === kind).map(({ subject, message }) => `${subject} ${message}`);
}
