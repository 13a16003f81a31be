import { type ClusterSettings, type RepositorySettings, withRepositorySettings } from '../schemas/settings.ts';
import type { Policy } from './core/model.ts';

/** The cluster's own settings, tightened (never loosened) by what the repositories say. */
export function policyOf(
  cluster: ClusterSettings,
  repositories: readonly (RepositorySettings | undefined)[],
): Omit<Policy, 'graceUntil'> {
  const known = repositories.filter((settings) => settings !== undefined);
  const settings = known.reduce(withRepositorySettings, cluster);
  return {
    cpuOvercommit: settings.cpu_overcommit,
    placement: settings.placement,
    lostAfter: settings.lost_after,
    nodeClass: settings.node_class,
    pools: settings.pools,
    undeclared: settings.nodes.undeclared,
    guard: settings.guard,
    massLoss: 0.5,
  };
}
