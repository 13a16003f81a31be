/** Views: what the API (api.ts) shows of a cluster and its plan, and the CLI prints. */
import type { Problem } from './problem.ts';
import type { Dialect } from './seed.ts';
import type { OnReturn } from './spec.ts';
import type { CopyStatus, DriftKind, Hold, HoldCode, Want } from './status.ts';

/** One line of a plan. */
export interface PlanChange {
  readonly action: 'start' | 'replace' | 'stop' | 'remove' | 'node';
  /** Instance, or `node/<name>`. */
  readonly subject: string;
  readonly node?: string;
  readonly detail: string;
  /** Of what starts: how it came to its node. */
  readonly placement?: PlacementView;
}

/** What a choice of a node rests on, in this order; less is better, but for `free`. As it was before the choice. */
export interface PlacementScore {
  /** Instances of the service at the node's value of each label over which it is spread. */
  readonly spread?: readonly { readonly label: string; readonly value?: string; readonly instances: number }[];
  /** Instances of the service on the node, and recent failures of it there. */
  readonly instances: number;
  /** Percent of its memory or of its cores that is promised, whichever is more. */
  readonly promised: number;
  /** MB of memory that are not promised. Absent: nobody says how much it has. */
  readonly free?: number;
}

/** How an instance came to a node. */
export interface PlacementView {
  readonly score: PlacementScore;
  /** The rest is absent where only this node was asked: it belongs there, or was there before, or too much else had to be looked at. */
  readonly others?: {
    /** Nodes that could have taken it, with the chosen one. */
    readonly fit: number;
    /** The best of the others. */
    readonly next?: { readonly node: string; readonly score: PlacementScore };
    /** Nodes that could not, by the first thing that was in the way. */
    readonly unfit: readonly { readonly code: HoldCode; readonly nodes: number; readonly message: string }[];
  };
}

export interface PlanView {
  readonly changes: readonly PlanChange[];
  readonly holds: readonly Hold[];
  /** Instances that are as wanted. */
  readonly settled: number;
  readonly problems: readonly Problem[];
  /** Stands for what the plan rests on and says: `<of the accepted commits>.<of the state and the changes>`. */
  readonly token?: string;
}

/** How a service is doing with what is wanted of it. `settled`: the wanted digest runs and is healthy on every slot. */
export type Outcome =
  | 'progressing'
  | 'settled'
  /** As `settled`, but some of it is on nodes that never report: assumed. */
  | 'unconfirmed'
  | 'failed'
  | 'rolled_back'
  | 'paused'
  | 'held'
  | 'removing'
  /** Somebody stopped it, and nothing of it runs. */
  | 'stopped'
  | 'orphaned';

/** What somebody did to a copy on its node by hand. */
export interface DriftView {
  readonly kind: DriftKind;
  /** What changed, for people. */
  readonly what?: string;
  /** ms since it was seen. */
  readonly age: number;
  /** It is as wanted again. */
  readonly healed: boolean;
}

/** One copy of an instance. */
export interface CopyView {
  readonly copy?: string;
  readonly node?: string;
  readonly want?: Want;
  readonly status: CopyStatus | 'missing' | 'lost';
  /** To be used: it runs as it should, and is not about to be stopped. */
  readonly healthy: boolean;
  readonly digest?: string;
  /** ms since the status was reached. */
  readonly age?: number;
  readonly addresses: readonly string[];
  readonly handle?: string;
  readonly restarts: number;
  /** The last one. */
  readonly drift?: DriftView;
  readonly reason?: { readonly code: string; readonly message: string };
  /** It goes on for a moment, and then is stopped. */
  readonly leaving?: true;
}

/** An instance, told by the copy that matters most: what is wanted before what was, what is there before what is lost. */
export interface InstanceView extends CopyView {
  readonly name: string;
  readonly service: string;
  readonly slot: number;
  /** Its node never reports: this is what it was told. */
  readonly assumed?: true;
  /** ms since its node was last heard. */
  readonly seen?: number;
  /** Further copies: the old one that serves while its replacement comes or fails, and those on their way out. */
  readonly others?: readonly CopyView[];
}

/** A deviation from what the source of a service says. */
export interface OverrideView {
  readonly id: string;
  /** Service or instance. */
  readonly subject: string;
  readonly kind: 'scale' | 'move' | 'stop' | 'undelete';
  /** What is different, in words. */
  readonly change: string;
  /** Of a scale: so many instances. */
  readonly replicas?: number;
  /** Of a move: the name of the node. */
  readonly node?: string;
  readonly actor: string;
  readonly reason?: string;
  /** ms since 1970; without `until` it stays until somebody ends it. */
  readonly since: number;
  readonly until?: number;
}

/** Somebody wants a thing left alone for a time. Times in ms since 1970. */
export interface SuspendView {
  /** `cluster`, an application, a service, or `node/<name>`. */
  readonly subject: string;
  readonly actor: string;
  readonly reason?: string;
  readonly since: number;
  readonly until: number;
}

/** How a run of a job ended. `missed`: no node had room in time; `unconfirmed`: its node never says. */
export type RunOutcome = 'completed' | 'failed' | 'lost' | 'missed' | 'replaced' | 'stopped' | 'unconfirmed';

/** A run of a job that has a schedule. Times in ms since 1970. */
export interface RunView {
  /** When it was due, or asked for. */
  readonly due: number;
  /** `catch_up`: later than its time, and once for all that were missed; `asked`: by hand. */
  readonly cause: 'due' | 'catch_up' | 'asked';
  readonly started: number;
  readonly digest: string;
  /** Due times that were skipped while it went on. */
  readonly skipped?: number;
  /** Absent, as all that follows: it is under way. */
  readonly ended?: number;
  readonly outcome?: RunOutcome;
  readonly exit_code?: number;
  readonly node?: string;
  readonly reason?: string;
}

/** When a job runs, and how it did. */
export interface ScheduleView {
  readonly cron: string;
  readonly time_zone: string;
  readonly concurrency: 'skip' | 'replace';
  /** Absent while the service is stopped. */
  readonly next?: number;
  readonly current?: RunView;
  /** Ended ones, the last first. */
  readonly runs: readonly RunView[];
  /** Due times that had no run. */
  readonly skipped: number;
}

export interface ServiceView {
  readonly name: string;
  readonly app: string;
  readonly source: string;
  readonly commit?: string;
  readonly file?: string;
  readonly line?: number;
  readonly image: string;
  /** What the tag of its image stood for when this version was new, and what it is started from. */
  readonly content?: string;
  /** Why no registry said that: the tag counts as it is written. */
  readonly unresolved?: string;
  /** Names of secrets of the repository that it uses. Absent: none. */
  readonly secrets?: readonly string[];
  /** Names of secrets that are files of its nodes. Absent: none. */
  readonly node_secrets?: readonly string[];
  readonly digest: string;
  /** When it was deployed directly, or its digest began to be rolled out, whichever is later. ms since 1970. */
  readonly updated?: number;
  readonly replicas: number | 'every';
  readonly slots: number;
  readonly healthy: number;
  readonly outcome: Outcome;
  /** What the outcome waits for, or why it failed. */
  readonly message: string;
  readonly holds: readonly Hold[];
  /** Where it deviates from its source. */
  readonly overrides: readonly OverrideView[];
  /** What keeps it as it is: its own suspension, or that of its application or of the cluster. */
  readonly suspended?: SuspendView;
  /** What becomes of instances whose node is out of reach; absent: as usual. Times in ms. */
  readonly disconnect?: {
    readonly stop_after?: number;
    readonly replace_after?: number | 'never';
    readonly on_return: OnReturn;
  };
  /** At most one copy runs, on a lease of so many ms; who has it, or had it last. */
  readonly exclusive?: { readonly lease: number; readonly copy?: string; readonly node?: string };
  readonly instances: readonly InstanceView[];
  /** Of a job that has one. Its instances count only while a run is under way. */
  readonly schedule?: ScheduleView;
}

export interface AppView {
  readonly name: string;
  readonly source: string;
  readonly services: number;
  readonly healthy: number;
  readonly instances: number;
  readonly outcome: Outcome;
  readonly suspended?: SuspendView;
}

/** Why something is as it is: a step of the chain, and what is behind it, the most telling first. */
export interface Cause {
  /** Application, service, instance, copy, `node/<name>`, `source/<name>`, `override/<id>`, `<file>:<line>`, `cluster`, or `<n> more`. */
  readonly subject: string;
  /** Of a hold, a problem, or a copy's reason. Absent: a plain state. */
  readonly code?: string;
  readonly message: string;
  /** What frees it. */
  readonly hint?: string;
  readonly because: readonly Cause[];
}

export type NodeState = 'online' | 'suspect' | 'lost' | 'expected' | 'revoked';

/** Why a node takes nothing new. `since`: ms since 1970. */
export interface CordonView {
  readonly cause: string;
  readonly actor?: string;
  readonly reason?: string;
  readonly since?: number;
}

/** What is on a node that is drained. */
export interface DrainView {
  /** What has not moved yet, with what it waits for. `stuck`: its copy elsewhere failed, so it stays. */
  readonly left: readonly { readonly instance: string; readonly message: string; readonly stuck?: true }[];
  /** What belongs to this node and is never moved. */
  readonly apart: readonly { readonly instance: string; readonly message: string }[];
}

export interface NodeView {
  readonly name: string;
  readonly id?: string;
  /** Other names that `direct` accepts. */
  readonly aliases: readonly string[];
  readonly state: NodeState;
  /** Absent: our agent. */
  readonly dialect?: Dialect;
  readonly cordoned?: CordonView;
  /** While it is being drained, and after. */
  readonly drain?: DrainView;
  readonly suspended?: SuspendView;
  /** In nodes.yaml? */
  readonly listed: boolean;
  /** Where it publishes ports. */
  readonly ip?: string;
  /** Where others reach them: `<ip>`, or `<ip>:<port>` where one port is all that leads there. */
  readonly advertise?: string;
  readonly pool: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly location?: string;
  readonly capacity?: { readonly cpu: number; readonly memory: number; readonly gpu?: number };
  readonly used?: { readonly cpu: number; readonly memory: number };
  readonly usage?: { readonly cpu: number; readonly memory: number };
  readonly runtimes: readonly string[];
  readonly arch?: string;
  readonly version?: string;
  /** Its age recipient: who encrypts a secret for it lets it read that. */
  readonly recipient?: string;
  /** Names of secrets that it has as files of its own. Absent: none, or unknown. */
  readonly secrets?: readonly string[];
  /** Its agent beside the reconciler. Absent: the same version, or unknown. */
  readonly skew?: 'older' | 'newer';
  readonly instances: number;
  /** ms since it was last heard. */
  readonly seen?: number;
  readonly problems: readonly { readonly code: string; readonly message: string }[];
}

/** A source that stays at a commit, whatever its head is. Times in ms since 1970. */
export interface PinView {
  readonly source: string;
  readonly commit: string;
  readonly actor: string;
  readonly reason?: string;
  readonly since: number;
  readonly until: number;
}

/** One time that a source was at a commit. Times in ms since 1970. */
export interface RevisionView {
  readonly source: string;
  readonly commit: string;
  /** Who wrote the commit, and its first line; '' where it cannot be read. */
  readonly author: string;
  readonly title: string;
  readonly at: number;
  /** Who asked for it, where it was not just the next commit. */
  readonly actor?: string;
  readonly changes: { readonly added: number; readonly changed: number; readonly removed: number };
  /** What was added or changed; the first of many once the outcome is known. */
  readonly services: readonly string[];
  /** Absent: under way. `superseded`: a newer one came first. `rolled_back`: somebody went back from it. */
  readonly outcome?: 'settled' | 'failed' | 'rolled_back' | 'superseded';
  readonly ended?: number;
  readonly reason?: string;
  /** In force now. */
  readonly current?: true;
}

export interface SourceView {
  readonly name: string;
  readonly url: string;
  readonly branch: string;
  readonly path: string;
  /** Last accepted commit, and the head that was last seen. */
  readonly accepted?: string;
  readonly head?: string;
  readonly state: 'synced' | 'behind' | 'pinned' | 'invalid' | 'unreachable' | 'unread';
  readonly pin?: PinView;
  readonly checked?: number;
  readonly services: number;
  readonly ignored: number;
  readonly problems: readonly Problem[];
}

export interface ClusterStatus {
  readonly cluster: string;
  /** Where it is: free text, or `latitude,longitude[,radius in m]`. */
  readonly location?: string;
  readonly fingerprint: string;
  readonly version: string;
  readonly epoch: number;
  /** `standby`: another reconciler runs the cluster, or may run it; this one waits. */
  readonly phase: 'standby' | 'recovering' | 'running';
  readonly sources: readonly SourceView[];
  readonly services: Readonly<Record<Outcome, number>>;
  readonly nodes: Readonly<Record<NodeState, number>>;
  readonly instances: { readonly wanted: number; readonly healthy: number };
  readonly holds: readonly Hold[];
  readonly overrides: readonly OverrideView[];
  readonly suspended: readonly SuspendView[];
  readonly conditions: readonly Problem[];
}

/** What is known of a registry. Never a password. */
export interface RegistryView {
  readonly registry: string;
  /** Who logs in. */
  readonly username?: string;
  /** Asked first, in this order. */
  readonly mirrors: readonly string[];
  readonly plain_http: boolean;
}

/** A join token without its secret. */
export interface TokenView {
  readonly id: string;
  readonly state: 'valid' | 'used' | 'expired' | 'revoked';
  /** Only a node of this name may join with it. */
  readonly name?: string;
  /** Whoever joins takes the place of that node. */
  readonly replaces?: true;
  /** How many nodes may still join with it. */
  readonly uses: number;
  /** ms since 1970. */
  readonly expires: number;
  readonly created?: number;
  /** Who asked for it. */
  readonly by?: string;
}
