/** What Oakestra's clients are told, from the views that all others see. Field names and words of statuses are Oakestra's. */
import type { Role } from '../../schemas/accounts.ts';
import { toDescriptor } from '../../schemas/descriptor.ts';
import { parseServiceName, type ServiceName } from '../../schemas/names.ts';
import type { OakestraApplication, OakestraCluster, OakestraInstance } from '../../schemas/oakestra.ts';
import type { ServiceSpec } from '../../schemas/spec.ts';
import type { CopyStatus, HoldCode } from '../../schemas/status.ts';
import type { ClusterStatus, InstanceView, NodeView, ServiceView } from '../../schemas/views.ts';

/** Statuses of copies in Oakestra's words. */
const statuses: Readonly<Record<CopyStatus | 'lost', string>> = {
  waiting: 'NODE_SCHEDULED',
  pulling: 'NODE_SCHEDULED',
  prepared: 'NODE_SCHEDULED',
  starting: 'CREATED',
  running: 'RUNNING',
  unhealthy: 'RUNNING',
  // The engine does not answer: that is no reason to call it dead.
  unknown: 'RUNNING',
  backing_off: 'DEAD',
  crash_loop: 'DEAD',
  lost: 'DEAD',
  stopping: 'UNDEPLOYED',
  stopped: 'UNDEPLOYED',
  completed: 'COMPLETED',
  failed: 'FAILED',
};

/** Why something is not placed; whatever else is waited for is `REQUESTED`. */
const refusals: Partial<Record<HoldCode, string>> = {
  NO_CAPACITY: 'NO_WORKER_CAPACITY',
  PORT_CONFLICT: 'NO_WORKER_CAPACITY',
  ASSIGNMENT_FULL: 'NO_WORKER_CAPACITY',
  NO_NODE: 'NoActiveClusterWithCapacity',
  NODES_AWAY: 'NoActiveClusterWithCapacity',
  OTHER_CLUSTER: 'TargetClusterNotFound',
  NO_RUNTIME: 'NO_QUALIFIED_WORKER_FOUND',
  NO_ARCHITECTURE: 'NO_QUALIFIED_WORKER_FOUND',
  LABEL_MISMATCH: 'NO_QUALIFIED_WORKER_FOUND',
  DIRECT_NODE_UNKNOWN: 'NO_QUALIFIED_WORKER_FOUND',
};

/** How things are called in Oakestra. */
export interface OakestraIds {
  app(name: string): string;
  service(name: ServiceName): string;
  readonly cluster: string;
}

export interface Registered {
  readonly spec: ServiceSpec;
  /** Its instances; absent: one on every node that matches. */
  readonly slots?: readonly number[];
  /** The number of the next instance. */
  readonly counter: number;
}

export const oakestraRoles: Readonly<Record<Role, string>> = {
  admin: 'Admin',
  application_provider: 'Application_Provider',
  viewer: 'Viewer',
};

/** `_id` as Oakestra's root writes it. */
const objectId = (id: string): { readonly $oid: string } => ({ $oid: id });

export function applicationOf(
  name: string,
  about: { readonly owner: string; readonly description: string; readonly services: readonly ServiceName[] },
  ids: OakestraIds,
): OakestraApplication {
  const [application_name = '', application_namespace = ''] = name.split('.');
  const id = ids.app(name);
  return {
    _id: objectId(id),
    applicationID: id,
    userId: about.owner,
    application_name,
    application_namespace,
    application_desc: about.description,
    microservices: about.services.map((service) => ids.service(service)),
  };
}

/** A service as it would be written in a descriptor. */
export function microserviceOf(registered: Pick<Registered, 'spec'>): Readonly<Record<string, unknown>> {
  const [application] = toDescriptor([registered])['applications'] as { microservices: Record<string, unknown>[] }[];
  return application?.microservices[0] ?? {};
}

/** Of a service: its descriptor, and how it is. `registered` is what it was asked for. */
export function jobOf(
  service: ServiceView,
  registered: Registered,
  nodes: (name: string) => NodeView | undefined,
  { ids, location }: { readonly ids: OakestraIds; readonly location: string },
): object {
  const { app = '', appNamespace = '', service: name, serviceNamespace } = parseServiceName(service.name) ?? {};
  const written = microserviceOf(registered);
  const id = ids.service(service.name);
  // What was taken away is gone at once for these clients.
  const wanted = service.instances.filter(({ slot }) => registered.slots?.includes(slot) ?? true);
  const instances = wanted.map((instance) => instanceOf(service, instance, nodes, ids.cluster, location));
  const all = instances.map(({ status }) => status);
  const worst = all.find((status) => status !== 'RUNNING');
  return {
    ...written,
    _id: objectId(id),
    microserviceID: id,
    applicationID: ids.app(`${app}.${appNamespace}`),
    virtualization: written['virtualization'] === 'container' ? 'docker' : written['virtualization'],
    image: written['code'],
    port: written['port'] ?? '',
    app_name: app,
    app_ns: appNamespace,
    service_name: name,
    service_ns: serviceNamespace,
    job_name: service.name,
    next_instance_progressive_number: registered.counter,
    instance_list: instances,
    status: all.length === 0 ? null : (worst ?? 'RUNNING'),
    status_detail: service.message,
  };
}

function instanceOf(
  service: ServiceView,
  instance: InstanceView,
  nodes: (name: string) => NodeView | undefined,
  cluster: string,
  location: string,
): OakestraInstance {
  const node = instance.node === undefined ? undefined : nodes(instance.node);
  const hold = service.holds.find(({ subject }) => subject === instance.name || subject === service.name);
  const { status: found } = instance;
  const status = found === 'missing' ? ((hold && refusals[hold.code]) ?? 'REQUESTED') : statuses[found];
  return {
    instance_number: instance.slot,
    cluster_id: cluster,
    cluster_location: location,
    status,
    status_detail: instance.reason?.message ?? (found === 'missing' ? hold?.message : undefined) ?? '',
    publicip: node?.advertise ?? node?.ip ?? '',
    worker_id: node?.id ?? '',
    host_ip: node?.ip ?? '',
  };
}

/** The one cluster that there is, with the sums of its nodes. */
export function clusterOf(
  { cluster, location = '' }: ClusterStatus,
  nodes: readonly NodeView[],
  id: string,
): OakestraCluster {
  const online = nodes.filter(({ state }) => state === 'online');
  const sum = (of: (node: NodeView) => number | undefined): number =>
    online.reduce((total, node) => total + (of(node) ?? 0), 0);
  const average = (of: (node: NodeView) => number | undefined): number =>
    online.length === 0 ? 0 : sum(of) / online.length;
  const cores = sum(({ capacity }) => capacity?.cpu);
  const memory = sum(({ capacity }) => capacity?.memory);
  const cpuPercent = average(({ usage }) => usage?.cpu);
  return {
    _id: objectId(id),
    cluster_id: id,
    cluster_name: cluster,
    cluster_location: location,
    active: online.length > 0,
    active_nodes: online.length,
    number_of_nodes: nodes.filter(({ state }) => state !== 'revoked').length,
    vcpus: cores,
    total_cpu_cores: cores,
    cpu_percent: cpuPercent,
    aggregated_cpu_percent: cpuPercent,
    memory,
    memory_in_mb: memory,
    memory_percent: average(({ usage }) => usage?.memory),
    vgpus: sum(({ capacity }) => capacity?.gpu),
    total_gpu_cores: sum(({ capacity }) => capacity?.gpu),
    virtualization: [...new Set(online.flatMap(({ runtimes }) => runtimes))].sort(),
  };
}
