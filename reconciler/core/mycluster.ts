/** What MyCluster's clients are told, from the views that all others see. */
import type {
  MyClusterDefinition,
  MyClusterService,
  MyClusterState,
  MyClusterStats,
  MyClusterWorker,
} from '../../schemas/mycluster.ts';
import type { CopyView, NodeView, ServiceView } from '../../schemas/views.ts';
import type { Tally } from './records.ts';

/** The application that services of MyCluster's API belong to. */
export const myClusterApp = 'mycluster.default';

/** The full name of a service that was posted. */
export function fullNameOf(service: string): string {
  return `${myClusterApp}.${service}.default`;
}

/** The descriptor that says what was posted. Values are checked as those of any other descriptor. */
export function descriptorOf({ service, image, replicas }: MyClusterService): string {
  return JSON.stringify({
    sla_version: 'v2.0',
    applications: [
      { application_name: 'mycluster', microservices: [{ microservice_name: service, code: image, replicas }] },
    ],
  });
}

/** Of a service by its full name; its own services have the name under which they were posted. */
export function definitionOf(service: ServiceView): MyClusterDefinition {
  const [, own] = /^mycluster\.default\.([^.]+)\.default$/.exec(service.name) ?? [];
  return {
    service: own ?? service.name,
    image: service.image,
    replicas: service.replicas === 'every' ? service.slots : service.replicas,
    last_updated: Math.floor((service.updated ?? 0) / 1000),
  };
}

/** Workers by name with what runs on each, and all services, whoever deployed them. */
export function stateOf(cluster: string, nodes: readonly NodeView[], services: readonly ServiceView[]): MyClusterState {
  const workers = nodes.filter(({ id, state }) => id !== undefined && state !== 'revoked');
  const running = runningByWorker(services);
  return {
    'cluster.name': cluster,
    'cluster.numOfWorkers': workers.length,
    'cluster.workers': workers.map(({ name, state }) => ({
      worker: name,
      serviceInstances: state === 'lost' ? [] : instancesOf(running.get(name)),
    })),
    'cluster.servicesDef': services.filter(({ outcome }) => outcome !== 'removing').map(definitionOf),
  };
}

/** The five counters; `upTime` in ms. */
export function statsOf(tally: Tally, services: readonly ServiceView[], upTime: number): MyClusterStats {
  return {
    'cluster.upTime': pythonDuration(upTime),
    'services.totalOfRequests': tally.requests,
    'services.totalOfContainers': services.flatMap(runningOf).length,
    'workers.failures': tally.failures,
    'containers.relocated': tally.relocated,
  };
}

/** As `str(datetime.timedelta)` writes it. */
export function pythonDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const days = Math.floor(seconds / 86_400);
  const two = (n: number): string => String(n).padStart(2, '0');
  const hours = Math.floor((seconds % 86_400) / 3600);
  const micros = Math.floor((ms - seconds * 1000) * 1000);
  const fraction = micros === 0 ? '' : `.${String(micros).padStart(6, '0')}`;
  const time = `${hours}:${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}${fraction}`;
  return days === 0 ? time : `${days} day${days === 1 ? '' : 's'}, ${time}`;
}

function runningOf({ instances }: ServiceView): readonly CopyView[] {
  const copies = instances.flatMap((instance): readonly CopyView[] => [instance, ...(instance.others ?? [])]);
  return copies.filter(({ status }) => status === 'running' || status === 'unhealthy');
}

/** How many containers of each image run on each worker. */
function runningByWorker(services: readonly ServiceView[]): ReadonlyMap<string, ReadonlyMap<string, number>> {
  const workers = new Map<string, Map<string, number>>();
  for (const service of services) {
    for (const { node = '' } of runningOf(service)) {
      const images = workers.get(node) ?? new Map<string, number>();
      workers.set(node, images.set(service.image, (images.get(service.image) ?? 0) + 1));
    }
  }
  return workers;
}

function instancesOf(images: ReadonlyMap<string, number> = new Map()): MyClusterWorker['serviceInstances'] {
  const sorted = [...images].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([image, numOfRunningContainers]) => ({ image, numOfRunningContainers }));
}
