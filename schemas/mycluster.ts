/**
 * MyCluster's HTTP API, version 1: the bodies that its clients send and read. The names are MyCluster's, with its dots; what the
 * counters mean is what their names promise.
 */
import { type Static, Type } from 'typebox';

const service = Type.String({ minLength: 1, maxLength: 62 });
const image = Type.String({ minLength: 1, maxLength: 1024 });
const replicas = Type.Integer({ minimum: 0, maximum: 10_000 });

/** POST /api/v1/service. MyCluster takes further keys; they mean nothing. */
export const MyClusterService = Type.Object({ service, image, replicas });
export type MyClusterService = Static<typeof MyClusterService>;

/** PUT /api/v1/service/<name>: what is absent stays. */
export const MyClusterChange = Type.Object({ image: Type.Optional(image), replicas: Type.Optional(replicas) });

/** A service as it is registered. */
export const MyClusterDefinition = Type.Object({
  service: Type.String(),
  image: Type.String(),
  replicas: Type.Integer({ minimum: 0 }),
  last_updated: Type.Integer({ minimum: 0, description: 'seconds since 1970' }),
});
export type MyClusterDefinition = Static<typeof MyClusterDefinition>;

const Worker = Type.Object({
  worker: Type.String(),
  serviceInstances: Type.Array(
    Type.Object({ image: Type.String(), numOfRunningContainers: Type.Integer({ minimum: 0 }) }),
    { description: 'what runs there, by image' },
  ),
});
export type MyClusterWorker = Static<typeof Worker>;

/** GET /api/v1/state, and the answer to every change. */
export const MyClusterState = Type.Object({
  'cluster.name': Type.String(),
  'cluster.numOfWorkers': Type.Integer({ minimum: 0 }),
  'cluster.workers': Type.Array(Worker),
  'cluster.servicesDef': Type.Array(MyClusterDefinition),
});
export type MyClusterState = Static<typeof MyClusterState>;

/** A change that is accepted and not yet carried out: what it waits for. */
export const MyClusterPending = Type.Object({ ...MyClusterState.properties, message: Type.String() });

/** GET /api/v1/stats. */
export const MyClusterStats = Type.Object({
  'cluster.upTime': Type.String({
    description: 'of the reconciler, as Python writes durations: `0:03:45.060206`, `1 day, 2:00:00.000000`',
  }),
  'services.totalOfRequests': Type.Integer({
    minimum: 0,
    description: 'deployments that somebody asked for and that were accepted; what the cluster does by itself is none',
  }),
  'services.totalOfContainers': Type.Integer({ minimum: 0, description: 'that run now' }),
  'workers.failures': Type.Integer({
    minimum: 0,
    description: 'outages: each loss of a node once, however long it lasts',
  }),
  'containers.relocated': Type.Integer({
    minimum: 0,
    description: 'instances that ran again elsewhere after their node was lost, once each time',
  }),
});
export type MyClusterStats = Static<typeof MyClusterStats>;

/** `message` for what is not there, `error` for all else. */
export const MyClusterFailure = Type.Object({
  message: Type.Optional(Type.String()),
  error: Type.Optional(Type.String()),
  code: Type.Integer(),
});
