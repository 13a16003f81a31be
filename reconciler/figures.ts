import type { ClusterStatus, NodeView, ServiceView } from '../schemas/views.ts';

/** The cluster at one moment, for who counts it: one computation, however much is asked of it. */
export interface Figures {
  readonly status: ClusterStatus;
  readonly services: readonly ServiceView[];
  readonly nodes: readonly NodeView[];
  /** What waits, by where it waits. */
  readonly queues: Readonly<Record<Queue, number>>;
}

/** Services to be planned; nodes that are to be told something; messages that the broker has not acknowledged. */
export const queues = ['services_to_plan', 'nodes_to_tell', 'messages_unacknowledged'] as const;
export type Queue = (typeof queues)[number];
