/** Closed lists of states and reasons: what agents report, what the planner answers. Every code has its sentence here. */

/** Status of one copy on its node. */
export const copyStatuses = {
  waiting: 'accepted, nothing done yet',
  pulling: 'the image is being fetched',
  prepared: 'image and files are there, not started',
  starting: 'started; its healthcheck has not answered yet',
  running: 'runs; no healthcheck, or healthy by it',
  unhealthy: 'runs, and its healthcheck fails',
  backing_off: 'ended; the next start waits for its back-off',
  crash_loop: 'ended again and again; restarts go on at the longest back-off',
  stopping: 'asked to stop',
  stopped: 'not running, as wanted',
  completed: 'a one-shot copy that ended with exit code 0',
  failed: 'cannot be prepared or started; see the reason',
  unknown: 'the engine does not answer; the copy may well run',
} as const;
export type CopyStatus = keyof typeof copyStatuses;

/** What people do to a copy on its node, past its agent. */
export const driftKinds = ['stopped', 'removed', 'changed'] as const;
export type DriftKind = (typeof driftKinds)[number];

/** What a job wants of a copy. */
export type Want = 'run' | 'prepared' | 'stopped';

/** Why something wanted is not done, or does not run. Closed and documented (README, `oakctl why`). */
export const holdCodes = {
  // placement
  NO_NODE: 'the cluster has no node yet',
  NO_RUNTIME: 'no node has the runtime that the service needs',
  NO_ARCHITECTURE: 'no node has an architecture that the image is made for',
  NO_CAPACITY: 'no node has enough free memory, vcpus, vgpus, storage or bandwidth',
  PORT_CONFLICT: 'every candidate already publishes the host port on its address',
  DIRECT_NODE_UNKNOWN: 'the descriptor names nodes that nobody knows',
  DIRECT_NODE_AMBIGUOUS: 'the descriptor names an alias that several nodes carry',
  OTHER_CLUSTER: 'the descriptor names another cluster',
  LABEL_MISMATCH: 'no node carries the wanted labels',
  KEPT_APART: 'an instance that it must be kept apart from is on, or near, every node that would fit',
  SPREAD_REQUIRED: 'no node fits where the fewest instances are, and the descriptor requires that',
  NODES_AWAY: 'the nodes that would fit are silent',
  NODES_CORDONED: 'the nodes that would fit are cordoned',
  NODES_TAINTED: 'the nodes that would fit are under too much pressure to take more',
  VERSION_SKEW: 'the agents that would fit speak a version of the wire that the reconciler does not read',
  NODES_DUPLICATED: 'two agents with one identity are alive on each of the nodes that would fit',
  NODES_UNWRITABLE: 'the nodes that would fit cannot write down what they are told: their disk is full or broken',
  AGENT_TOO_OLD: 'the agents that would fit do not know something that the service asks for',
  HOST_NOT_GRANTED: 'no node grants the access to the host that the service asks for',
  IMAGE_NOT_ALLOWED: 'no node allows the image that the service is made of, or its registry',
  SECRET_NOT_FOR_NODE: 'no node that would fit can read a secret of the service',
  ASSIGNMENT_FULL: 'the assignment of the node would pass 128 KiB',
  SCHEDULED: 'the job waits for the next time of its schedule',
  DEPENDENCY_WAITING: 'a service that it depends on is not healthy yet',
  VOLUME_ON_LOST_NODE: 'the data of the instance is on a node that is lost or gone',
  PLACEMENT_CHANGED: 'the copy runs on a node that does not fit what the descriptor asks for now',
  VOLUME_ELSEWHERE: 'the data of the instance is on another node than the one that it belongs to now',
  LEASE_WAITING: 'the service is exclusive, and another copy of it may still run',
  DRIFT_KEPT: 'somebody stopped or removed the copy by hand on its node, whose policy keeps that',
  // life of a copy
  SILENT_NODE: 'the copy is on a silent node that is not lost yet',
  IN_PROGRESS: 'a copy is being prepared or started',
  SETTLING: 'the copy runs, and must run a little longer to count as healthy',
  UNHEALTHY: 'the healthcheck fails',
  CRASH_LOOP: 'the copy ends again and again',
  COPY_FAILED: 'the node cannot prepare or start the copy; see its reason',
  ENGINE_UNKNOWN: 'the engine of the node does not answer',
  // updates
  UPDATE_QUEUED: 'another instance of the service is being updated first',
  CANARY: 'the instances of the canary pool go first, and are watched',
  ROLLED_BACK: 'the wanted digest failed and the last good one runs',
  UPDATE_PAUSED: 'the wanted digest failed; the descriptor says pause',
  // people
  SUSPENDED: 'somebody suspended it for a time: nothing about it changes by itself',
  STOPPED: 'somebody stopped the service, for a time or until it is started',
  REMOVED_BY_GIT: 'its source removed the service: it is stopped for ten minutes, and then removed',
  // guards
  REMOVAL_GUARD: 'one change removes more than the guard allows',
  SOURCE_INCOMPLETE: 'a file of the source cannot be read, so nothing of it is removed',
  SOURCE_STRICT: 'a part of a commit cannot be carried out, and the source is strict: nothing of it is',
  SOURCE_CONFLICT: 'two sources claim one service',
  HISTORY_REWRITTEN: 'the head of a source does not go on from the commit that was accepted last',
  REVISION_REJECTED: 'the head of a source failed, or somebody went back from it: the next commit is taken',
  COMMIT_UNSIGNED: 'a commit is not signed by one of the allowed signers of its source',
  HISTORY_UNKNOWN: 'it cannot be told whether the head of a source goes on from the commit that was accepted last',
  ANCESTRY_UNKNOWN: 'it is not known yet whether the job came from an older commit of its source',
  ORPHANED: 'no record and no source explains the copy: it is kept',
  MASS_LOSS: 'more than half of the nodes are silent: nothing is replaced',
  RECOVERING: 'the reconciler started a moment ago and still listens',
  LEDGER_UNREAD: 'the node runs copies that are not explained yet; its ledger is being read',
} as const;
export type HoldCode = keyof typeof holdCodes;

/** A refused or waiting action. */
export interface Hold {
  /** Set for guards: what `oakctl approve <id>` takes. A hash of guard and sorted subjects. */
  readonly id?: string;
  readonly code: HoldCode;
  /** Service, instance, node (`node/<name>`) or source (`source/<name>`). */
  readonly subject: string;
  /** The sentence with the numbers. */
  readonly message: string;
  /** Sorted, when it is about many. */
  readonly subjects?: readonly string[];
  /** The head of a source that waits; `oakctl approve` takes it, too. */
  readonly commit?: string;
  /** The command that frees it, if there is one. */
  readonly hint?: string;
}
