/** What the planner says: actions, and with them the plan of one service, as data. */
import type { Job } from '../../schemas/messages.ts';
import type { CopyId, InstanceName, NodeId, ServiceName } from '../../schemas/names.ts';
import type { Mono, Wall } from '../../schemas/ports.ts';
import type { JobSource, RunSpec, RuntimeName } from '../../schemas/spec.ts';
import type { Hold, Want } from '../../schemas/status.ts';
import type { StuckMove } from './deviations.ts';
import type { Rollout } from './model.ts';
import type { RunNews, ScheduleState } from './runs.ts';

/** One change of one node's part: one control, one gen. */
export type Action =
  /** A new copy; its id is the fence pair that `apply` draws. */
  | {
      readonly kind: 'start';
      readonly service: ServiceName;
      readonly instance: InstanceName;
      readonly node: NodeId;
      readonly want: 'run' | 'prepared';
      readonly digest: string;
      readonly run: RunSpec;
      readonly runtime: RuntimeName;
      readonly source: JobSource;
      /** What travels in the job beside the run spec. */
      readonly reserves?: Job['reserves'];
      readonly variables?: Job['variables'];
      readonly secrets?: Job['secrets'];
      readonly away?: Job['away'];
      readonly content?: Job['content'];
      /** Its node is to be on record before it is told: it has data there, or is not replaced as usual. */
      readonly placed?: true;
      /** The node whose loss it makes up for. */
      readonly replaces?: NodeId;
      /** For events and plan: why now and why there. */
      readonly why: string;
    }
  | {
      readonly kind: 'want';
      readonly service: ServiceName;
      readonly instance: InstanceName;
      readonly copy: CopyId;
      readonly node: NodeId;
      readonly want: Want;
      /** The source that the copy belongs to from now on. Absent: it stays. */
      readonly source?: JobSource;
      /** How it depends on contact from now on. Absent: it stays; `always`: not at all. */
      readonly away?: Job['away'] | 'always';
      readonly why: string;
    }
  | {
      readonly kind: 'drop';
      readonly service: ServiceName;
      readonly instance: InstanceName;
      readonly copy: CopyId;
      readonly node: NodeId;
      readonly why: string;
    };

/** What the planner says about one service. */
export interface ServicePlan {
  readonly actions: readonly Action[];
  readonly holds: readonly Hold[];
  /** Instances that are as wanted. */
  readonly settled: number;
  /** Services that it waits for before its first start. */
  readonly waitsFor?: readonly ServiceName[];
  /** Copies (`<instance>/<copy>`) that are about to be stopped: out of the list of healthy ones from now on. All of them. */
  readonly noticed?: readonly string[];
  /** The rollout record as it should be from now on; absent: none. */
  readonly rollout?: Rollout;
  /** Look again then, even if nothing happens (settle time, timeouts, lost_after). */
  readonly wakeAt?: Mono;
  /** Instances whose copies elsewhere failed: they are to stay where they are. */
  readonly stuck?: readonly StuckMove[];
  /** It has to be spread, so that any other node may be where its copies ought to be. */
  readonly spreads?: true;
  /** It is left alone: only what happens to its own copies, or the end of that, makes another plan. */
  readonly rests?: true;
  /** Of a job with a schedule: the record as it should be from now on, what is new in it, and the next due time. Absent: none. */
  readonly schedule?: ScheduleState;
  readonly news?: readonly RunNews[];
  readonly nextRun?: Wall;
}
