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
export interface MyClusterDefinition extends MyClusterService {
  /** Unix time in seconds. */
  readonly last_updated: number;
}

export interface MyClusterWorker {
  readonly worker: string;
  /** What runs there, by image. */
  readonly serviceInstances: readonly { readonly image: string; readonly numOfRunningContainers: number }[];
}

/** GET /api/v1/state, and the answer to every change. */
export interface MyClusterState {
  readonly 'cluster.name': string;
  readonly 'cluster.numOfWorkers': number;
  readonly 'cluster.workers': readonly MyClusterWorker[];
  readonly 'cluster.servicesDef': readonly MyClusterDefinition[];
}

/** GET /api/v1/stats. */
export interface MyClusterStats {
  /** Of the reconciler, as Python writes durations: `0:03:45.060206`, `1 day, 2:00:00.000000`. */
  readonly 'cluster.upTime': string;
  /** Deployments that somebody asked for and that were accepted; what the cluster does by itself is none. */
  readonly 'services.totalOfRequests': number;
  /** That run now. */
  readonly 'services.totalOfContainers': number;
  /** Outages: each loss of a node once, however long it lasts. */
  readonly 'workers.failures': number;
  /** Instances that ran again elsewhere after their node was lost, once each time. */
  readonly 'containers.relocated': number;
}
