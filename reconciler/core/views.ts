/** The reconciler as people see it: pure functions from the world at one moment to the views of schemas/views.ts. */

import type { Hold } from '../../schemas/status.ts';
import type { ClusterStatus, Outcome, ServiceView } from '../../schemas/views.ts';
import { isScheduled } from './schedule-views.ts';
import type { ViewInput } from './view-input.ts';

export { instanceViews } from './instance-views.ts';
export { nodeCounts, nodeView, nodeViews } from './node-views.ts';
export { appViews, serviceView, serviceViews } from './service-views.ts';
export type { ViewInput } from './view-input.ts';

/** The counts of `GET /v1/status`. */
export function clusterCounts(
  services: readonly ServiceView[],
  nodes: ClusterStatus['nodes'],
): Pick<ClusterStatus, 'services' | 'nodes' | 'instances'> {
  const outcomes: Record<Outcome, number> = {
    progressing: 0,
    settled: 0,
    unconfirmed: 0,
    failed: 0,
    rolled_back: 0,
    paused: 0,
    held: 0,
    removing: 0,
    stopped: 0,
    orphaned: 0,
  };
  for (const { outcome } of services) outcomes[outcome] += 1;
  return {
    services: outcomes,
    nodes,
    instances: {
      wanted: services.reduce((sum, { slots }) => sum + slots, 0),
      healthy: services.reduce((sum, { healthy }) => sum + healthy, 0),
    },
  };
}

/** All holds: what guards refused, then what plans wait for, but for jobs that wait for their schedule. A guard that holds many subjects is one hold. */
export function holdViews(input: Pick<ViewInput, 'view' | 'plans'>): readonly Hold[] {
  const plans = [...input.plans.keys()].sort().flatMap((name) => input.plans.get(name)?.holds ?? []);
  const all = [...input.view.held.values(), ...plans.filter((hold) => !isScheduled(hold))];
  return [...new Map(all.map((hold) => [hold.id ?? `${hold.code} ${hold.subject}`, hold])).values()];
}
