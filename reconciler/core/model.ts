/**
 * The reconciler's world as data. The loop owns one `World` and is the only one to change it, through `apply` (world.ts);
 * planners get it as `View`. Indexes live in the world too, so that the cost of a decision follows the change.
 */
import type { Part } from '../../schemas/assignment.ts';
import type { CopyReport, InformationMessage, InstancesMessage, Job, OnlineMessage } from '../../schemas/messages.ts';
import type { CopyId, InstanceName, NodeId, ServiceName } from '../../schemas/names.ts';
import type { NodeListing } from '../../schemas/nodes-file.ts';
import type { Mono, Wall } from '../../schemas/ports.ts';
import type { SealedSecret } from '../../schemas/secret-file.ts';
import type { Dialect } from '../../schemas/seed.ts';
import type { JobSource, RunSpec, ServiceSpec } from '../../schemas/spec.ts';
import type { Hold } from '../../schemas/status.ts';
import type { Cordon, Deviation, Override, Renewals, Retired, Seats, Suspend } from './deviations.ts';
import type { Lease } from './leases.ts';
import type { NodeIndex } from './node-index.ts';
import type { ScheduleState } from './runs.ts';
import type { Signs } from './signs.ts';
import type { Tags } from './tags.ts';

/** What the sources want of one service, merged. One full name has one source. */
export interface Desired {
  readonly spec: ServiceSpec;
  /** Source and, for git, the commit that its running jobs are stamped with. */
  readonly source: JobSource;
  readonly origin?: { readonly file: string; readonly line?: number };
  /** Wanted slots, ascending. Ignored for `replicas: every`, where it is the ordinals of the matching nodes. */
  readonly slots: readonly number[];
  /** Its secrets, for all who may read them; of each the version that is wanted, and the one before it as long as it is known. */
  readonly sealed?: readonly SealedSecret[];
  /** Slots that somebody gave a place. */
  readonly seats?: Seats;
  /** Its source does not say it any more. */
  readonly retired?: Retired;
  /** Nothing of it shall run at the moment. */
  readonly stopped?: Override | Retired;
  readonly renew?: Renewals;
}

/** An entry of nodes.yaml, after validation. */
export type Listing = NodeListing;

/** Entries of nodes.yaml by name, and those that say an IP by that. */
export interface Listings {
  readonly byName: ReadonlyMap<string, Listing>;
  readonly byIp: ReadonlyMap<string, readonly Listing[]>;
}

export interface NodeRecord {
  readonly id: NodeId;
  readonly name: string;
  /** Given at join, never reused: the slot of `replicas: every` services. */
  readonly ordinal: number;
  /** Least valid serial of its credential. */
  readonly serial: number;
  /** The credential that it is to have: not seen in use yet. `until`: then the old one ends all the same. */
  readonly next?: { readonly serial: number; readonly since: Wall; readonly until?: Wall };
  /** When its credential was given, if that was not when it joined. */
  readonly renewed?: Wall;
  readonly joined: Wall;
  readonly revoked?: Wall;
  /** Revoked, and not shown any more. The record stays: its id, serial and ordinal are never given out again. */
  readonly removed?: Wall;
  /**
   * It joined and was never heard since, so its answer may have been lost on the way: this token gives the same identity again to
   * whoever proves the same attempt (SHA-256, hex), or shows none where none was shown.
   */
  readonly unheard?: { readonly token: string; readonly attempt?: string };
  /** It joined to take the place of this node, and does so when it has reported. Until then it is no node. */
  readonly replaces?: NodeId;
  /** Then the instances whose data is there start with empty volumes. */
  readonly empties?: true;
  /** The node that took its place. */
  readonly heir?: NodeId;
  /** By hand, or because its entry left nodes.yaml. */
  readonly cordon?: Cordon;
  /** The age recipient that it said last: secrets are encrypted for it while it is away, too. */
  readonly recipient?: string;
  /** Absent: our agent. */
  readonly dialect?: Dialect;
  /** How a seed node registered; `token`: what may register it again, until then, if nobody else has that. */
  readonly registered?: {
    readonly ip: string;
    readonly port: number;
    readonly token?: { readonly id: string; readonly hash: string; readonly expires: Wall };
  };
}

/** What we know of one node. */
export interface Node {
  readonly record: NodeRecord;
  /** The entry of nodes.yaml that matches it (name, else IP). */
  readonly listing?: Listing;
  /** Names that `direct` accepts beside the own one. */
  readonly aliases: readonly string[];
  /** Last message that was not retained. Absent: never heard by this process. */
  readonly heard?: Mono;
  /** A will (or a goodbye) came after the last sign of life. */
  readonly gone?: { readonly at: Mono; readonly reason?: string };
  /** It spoke again after a silence and has not reported its copies since: what we know of them is old. */
  readonly stale?: true;
  /** Two agents with its identity are alive, or were moments ago; `from`: where the one comes from that was turned away. */
  readonly duplicate?: { readonly from?: string };
  /** It speaks this version of the wire, which is not read here: it is alive, and nothing else is known of it. */
  readonly foreign?: number;
  /** When the machine whose place it took asked to be let in, last. */
  readonly former?: Mono;
  readonly information?: InformationMessage;
  readonly online?: OnlineMessage;
  /** Header of the last instances message. */
  readonly reported?: Omit<InstancesMessage, 'copies'>;
  /** What it should have, as we promised it. The only authority for the node. */
  readonly part: Part;
  /** False until its ledger was adopted (or it said that it has none): nothing is published to it before. */
  readonly adopted: boolean;
}

/** A copy: promised by us, or reported, or both. Key of the index: `<instance>/<copy>`. */
export interface Copy {
  readonly service: ServiceName;
  readonly slot: number;
  readonly instance: InstanceName;
  readonly copy: CopyId;
  readonly node: NodeId;
  /** In the node's part. Absent: reported, but not (or no longer) promised. */
  readonly job?: Job;
  readonly report?: CopyReport;
  /** When the report's status was reached, on our clock: arrival minus age. */
  readonly since?: Mono;
  /** What it ran, while its job is gone and its node still reports it: its room and ports are not free yet. */
  readonly leaving?: RunSpec;
  /** Last step on its way up that we know of (promised, first report, a further status): its update timeout counts from here. */
  readonly progress?: Mono;
  /** Since when it is out of the list of healthy copies, because it is about to be stopped. */
  readonly notice?: Mono;
}

/** How an update goes. Data in records/: survives a restart. */
export interface Rollout {
  /** The digest that is (or was) being rolled out. */
  readonly digest: string;
  readonly phase: 'progressing' | 'settled' | 'failed' | 'rolled_back' | 'paused';
  /** For people; decisions use `Tracking`. */
  readonly started: Wall;
  readonly ended?: Wall;
  /** The last digest that was healthy on every slot, with what is needed to run it again. */
  readonly good?: { readonly digest: string; readonly run: RunSpec };
  /** The digest that failed: never tried again until the descriptor asks for another one in between. */
  readonly failed?: string;
  /** A human let a paused update go on: failures do not stop it any more. */
  readonly resumed?: true;
  /** The instances of the canary pool were well for long enough: the others follow. */
  readonly canary?: 'passed';
  /**
   * ms (monotonic, rounded down) for which the copies on their way had made no step when this was written: what a restart of the
   * reconciler must not give them again. Counts what its process saw, so neither a jump of the clock nor its absence is in it.
   */
  readonly waited?: number;
  readonly reason?: string;
  /** By slot, of a service that runs once: the last copy that came to its end. */
  readonly done?: Readonly<Record<string, Done>>;
  /** Whose service it is; kept with `done`. */
  readonly source?: string;
}

/** A copy that came to its end. */
export interface Done {
  readonly copy: CopyId;
  readonly digest: string;
  readonly node: NodeId;
}

/** From when the deadlines of a rollout count. */
export interface RolloutSeen {
  readonly digest: string;
  readonly at: Mono;
  /** It was on its way before this process began: copies may have made their last step before `at`. */
  readonly restored?: true;
}

export interface Fence {
  readonly epoch: number;
  readonly gen: number;
  readonly by: string;
}

export interface World {
  readonly cluster: string;
  fence: Fence;
  /** Nothing is planned while true (recovery window). */
  recovering: boolean;
  readonly desired: Map<ServiceName, Desired>;
  /** What people asked for beside it; `wantedOf` (wanted.ts) gives both together. */
  readonly deviations: Map<ServiceName, Deviation>;
  /** What is left alone for a time, by subject. */
  readonly suspends: Map<string, Suspend>;
  /** Guards and source conflicts by service: what admit held. A service in here is not removed / not taken over. */
  readonly held: Map<ServiceName, Hold>;
  readonly rollouts: Map<ServiceName, Rollout>;
  /** Mono time from which the current rollout counts: when this process first saw it, less what had been waited before. */
  readonly rolloutSeen: Map<ServiceName, RolloutSeen>;
  /** What is known of the schedules of jobs. */
  readonly schedules: Map<ServiceName, ScheduleState>;
  /** What the tags of images stand for. */
  readonly tags: Map<ServiceName, Tags>;
  /** Deleted services: any copy with an id not above this goes, whenever it appears. */
  readonly tombstones: Map<ServiceName, CopyId>;
  /** The node on which an instance was started last: where its volumes are. Of others only where `replace_after` is said. */
  readonly homes: Map<InstanceName, NodeId>;
  /** Nodes that are gone, and who took their place. */
  readonly heirs: Map<NodeId, NodeId>;
  /** Where an instance goes if it can when it is missing: its node was replaced by that one. */
  readonly inherited: Map<InstanceName, NodeId>;
  /** Who has the lease of an exclusive service, or had it last. */
  readonly leases: Map<ServiceName, Lease>;
  /** A node of this cluster that no record knows, and when somebody else may have led it last: nobody knows what it runs. */
  stranger: Stranger | undefined;
  /** `<source>@<commit>` -> is that commit an ancestor of (or equal to) the accepted head of that source. */
  readonly ancestry: Map<string, boolean>;
  /** Accepted head per git source. */
  readonly heads: Map<string, string>;
  readonly nodes: Map<NodeId, Node>;
  /** The nodes by name. */
  readonly names: Map<string, NodeId>;
  /** Entries of nodes.yaml that are in force. */
  listed: Listings;
  /** Those that no node matches. */
  readonly expected: Map<string, Listing>;
  /** Copies by service, then by `<instance>/<copy>`. */
  readonly copies: Map<ServiceName, Map<string, Copy>>;
  /** The same copies by node. */
  readonly copiesOn: Map<NodeId, Map<string, Copy>>;
  /** Reserved on each node: by jobs (want run or prepared), and by copies on their way out until their node says they are. */
  readonly reserved: Map<NodeId, Reserved>;
  /** Services to plan. `apply` adds, the loop takes. */
  readonly dirty: Set<ServiceName>;
  /** Services that wait for room or for a node: dirtied by every node event that could free them. */
  readonly waiting: Set<ServiceName>;
  /** Services by what they wait for: see `depends_on`. */
  readonly awaited: Map<ServiceName, ReadonlySet<ServiceName>>;
  /** Services that must be kept apart from the key, because their own rules name it. */
  readonly shunnedBy: Map<ServiceName, Set<ServiceName>>;
  /** Bytes of each node's part on the wire. */
  readonly sizes: Map<NodeId, number>;
  /** When nodes count as silent. */
  readonly signs: Signs;
  /** Nodes as placement looks them up. */
  readonly index: NodeIndex;
  /** Services with slots that were given a place. */
  readonly seated: Set<ServiceName>;
  /** Services with an instance on every node. */
  readonly everywhere: Set<ServiceName>;
  /** Where copies of a service failed lately: a few nodes each, see failures.ts. */
  readonly failures: Map<ServiceName, ReadonlyMap<NodeId, Failure>>;
}

export interface Stranger {
  readonly node: NodeId;
  readonly at: Mono;
}

/** Copies of one service that failed on one node. */
export interface Failure {
  readonly times: number;
  /** The last one. */
  readonly at: Mono;
}

export interface Reserved {
  readonly memory: number;
  readonly vcpus: number;
  readonly vgpus: number;
  readonly storage: number;
  readonly bandwidth_in: number;
  readonly bandwidth_out: number;
  /** Copies on the node, of whatever size. */
  readonly copies: number;
  /** `<protocol>/<port>` -> instance that holds it on the node's address. */
  readonly ports: ReadonlyMap<string, InstanceName>;
}

/** Read-only for planners. */
export type View = Readonly<World>;

export interface Policy {
  /** Among nodes with equally few instances: the emptiest first, or the fullest that has room. */
  readonly placement: 'spread' | 'best_fit';
  /** Vcpus may be promised this many times over. */
  readonly cpuOvercommit: number;
  /** ms without a sign after which a node is lost, by class. */
  readonly lostAfter: Readonly<Record<NodeClass, number>>;
  /** Class of nodes whose pool says nothing. */
  readonly nodeClass: NodeClass;
  readonly pools: Readonly<Record<string, { readonly class?: NodeClass }>>;
  readonly undeclared: 'use' | 'cordon' | 'refuse';
  /** Removal guard: more than max(count, share of what the source had) is held; all is always held. */
  readonly guard: { readonly count: number; readonly share: number };
  /** Mass-loss hold: silent nodes above this share of at least 3. */
  readonly massLoss: number;
  /** Before this moment no node becomes lost: start, reconnect to the broker, or a gap of the loop. */
  readonly graceUntil: Mono;
  /** Dry runs: what would get notice first is shown as stopped at once. */
  readonly isDryRun?: true;
}

export type NodeClass = 'edge' | 'lan' | 'fast';
