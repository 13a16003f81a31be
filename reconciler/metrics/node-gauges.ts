/** What the agents tell of their nodes, shown by the reconciler: an agent needs no port for it. */
import type { Gauge } from 'prom-client';
import type { NodeView } from '../../schemas/views.ts';

/** Nodes that are shown one by one, by name; the others are counted. */
export const mostNodes = 1_000;
/** Versions of agents that have a row of their own. */
const mostVersions = 10;

type MakeGauge = <L extends string>(name: string, help: string, ...labels: L[]) => Gauge<L>;

export function createNodeGauges(gauge: MakeGauge): { show(nodes: readonly NodeView[]): void } {
  const node = (name: string, help: string) => gauge(`oakctl_node_${name}`, help, 'node');
  const up = node('up', '1 while the node is online.');
  const silence = node('silence_seconds', 'Time since the node was last heard.');
  const cpu = node('cpu_usage_ratio', 'CPU in use, of all cores: 0 to 1.');
  const memory = node('memory_usage_ratio', 'Memory in use: 0 to 1.');
  const cores = node('capacity_cores', 'Cores that the node has.');
  const bytes = node('capacity_memory_bytes', 'Memory that the node has.');
  const usedCores = node('promised_cores', 'Cores that instances on the node have reserved.');
  const usedBytes = node('promised_memory_bytes', 'Memory that instances on the node have reserved.');
  const instances = node('instances', 'Instances on the node.');
  const problems = node('problems', 'What keeps the agent of the node from its work.');
  const each = [up, silence, cpu, memory, cores, bytes, usedCores, usedBytes, instances, problems];
  const hidden = gauge(
    'oakctl_nodes_not_shown',
    `Nodes beyond the first ${mostNodes}, which have no row of their own.`,
  );
  const versions = gauge('oakctl_agents', 'Agents by version.', 'version');

  return {
    show(nodes) {
      for (const one of each) one.reset();
      const joined = nodes.filter(({ state, id }) => id !== undefined && state !== 'revoked');
      for (const view of joined.slice(0, mostNodes)) {
        const of = { node: view.name };
        up.set(of, view.state === 'online' ? 1 : 0);
        if (view.seen !== undefined) silence.set(of, view.seen / 1000);
        if (view.usage) {
          cpu.set(of, view.usage.cpu / 100);
          memory.set(of, view.usage.memory / 100);
        }
        if (view.capacity) {
          cores.set(of, view.capacity.cpu);
          bytes.set(of, view.capacity.memory * megabyte);
        }
        if (view.used) {
          usedCores.set(of, view.used.cpu);
          usedBytes.set(of, view.used.memory * megabyte);
        }
        instances.set(of, view.instances);
        problems.set(of, view.problems.length);
      }
      hidden.set(Math.max(0, joined.length - mostNodes));
      versions.reset();
      for (const [version, count] of commonest(joined)) versions.set({ version }, count);
    },
  };
}

const megabyte = 1024 * 1024;

/** An agent says its version itself: many that say another one each are one row. */
function commonest(nodes: readonly NodeView[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { version = 'unknown' } of nodes) counts.set(version, (counts.get(version) ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const shown = new Map(sorted.slice(0, mostVersions));
  const rest = sorted.slice(mostVersions).reduce((sum, [, count]) => sum + count, 0);
  if (rest > 0) shown.set('other', rest + (shown.get('other') ?? 0));
  return shown;
}
