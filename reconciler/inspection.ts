import { type Problem, ProblemError } from '../schemas/problem.ts';
import { oakctlVersion } from '../schemas/version.ts';
import type { ClusterStatus, ServiceView } from '../schemas/views.ts';
import type { Adoption } from './adoption.ts';
import type { Context } from './context.ts';
import type { ControlPlane } from './control-plane.ts';
import { duplicateProblem } from './core/node-views.ts';
import { overrideViews } from './core/override-views.ts';
import { suspendViews } from './core/suspends.ts';
import { skewConditions } from './core/version-skew.ts';
import {
  appViews,
  clusterCounts,
  holdViews,
  instanceViews,
  nodeCounts,
  nodeView,
  nodeViews,
  serviceView,
  serviceViews,
  type ViewInput,
} from './core/views.ts';
import { whyOf } from './core/why.ts';
import type { Dispatcher } from './dispatch.ts';
import type { OfficeSeat } from './office.ts';
import type { Sync } from './sync.ts';

type Inspection = Pick<
  ControlPlane,
  'cluster' | 'status' | 'apps' | 'services' | 'service' | 'instances' | 'nodes' | 'node' | 'holds' | 'why' | 'figures'
>;

/** The reading half of the control plane: views of the world as it is now. */
export function createInspection(
  context: Context,
  {
    sync,
    office,
    dispatcher,
    adoption,
  }: {
    readonly sync: Sync;
    readonly office: OfficeSeat;
    readonly dispatcher: Pick<Dispatcher, 'waiting'>;
    readonly adoption: Pick<Adoption, 'unproven'>;
  },
  others: readonly { conditions(): readonly Problem[] }[],
): Inspection {
  const { deps, world } = context;
  const input = (): ViewInput => ({
    view: world,
    plans: context.plans,
    policy: context.policy(),
    now: deps.clock.now(),
    records: context.keeper.now,
    unproven: adoption.unproven(),
  });
  const holds: Inspection['holds'] = () => {
    const all = [...sync.holds(), ...holdViews(input())];
    return [...new Map(all.map((hold) => [hold.id ?? `${hold.code} ${hold.subject}`, hold])).values()];
  };
  const services: Inspection['services'] = () => serviceViews(input());

  const statusWith = (all: readonly ServiceView[]): ClusterStatus => {
    const sources = sync.views();
    return {
      cluster: world.cluster,
      ...(deps.settings.location !== undefined && { location: deps.settings.location }),
      fingerprint: deps.keys.fingerprint,
      version: oakctlVersion,
      epoch: world.fence.epoch,
      phase: !office.taken() ? 'standby' : world.recovering ? 'recovering' : 'running',
      sources,
      ...clusterCounts(all, nodeCounts(input())),
      holds: holds(),
      overrides: [...world.deviations.keys()].sort().flatMap((name) => overrideViews(world, name)),
      suspended: suspendViews(world),
      conditions: [
        ...(context.keeper.trouble ? [context.keeper.trouble] : []),
        ...(deps.conditions?.() ?? []),
        ...adoption.unproven().values(),
        ...others.flatMap((part) => part.conditions()),
        ...office.conditions(),
        ...[...world.nodes.values()].filter((node) => node.duplicate).map(duplicateProblem),
        ...skewConditions(world.nodes.values()),
        ...sources.flatMap((source) => source.problems),
      ],
    };
  };

  const status = (): ClusterStatus => statusWith(services());

  return {
    cluster: world.cluster,
    services,
    service: (name) => serviceView(input(), name),
    nodes: () => nodeViews(input()),
    node: (text) => nodeView(input(), text),
    holds,
    apps: () => appViews(services()),
    instances: () => instanceViews(input()),
    why(subject) {
      const all = services();
      const answer = whyOf({ services: all, nodes: nodeViews(input()), status: statusWith(all) }, subject);
      if (answer.kind === 'found') return answer.item;
      throw new ProblemError(answer.problem);
    },
    status,
    figures() {
      const all = services();
      const queues = {
        services_to_plan: world.dirty.size,
        nodes_to_tell: dispatcher.waiting(),
        messages_unacknowledged: deps.bus.pending(),
      };
      return { status: statusWith(all), services: all, nodes: nodeViews(input()), queues };
    },
  };
}
