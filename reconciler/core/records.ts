/** What git and the nodes cannot give back (records/). Written whole, durably; an API answer follows the fsync. */
import type { Role } from '../../schemas/accounts.ts';
import type { Part } from '../../schemas/assignment.ts';
import type { CopyId, InstanceName, NodeId, ServiceName } from '../../schemas/names.ts';
import type { Wall } from '../../schemas/ports.ts';
import type { SealedSecret } from '../../schemas/secret-file.ts';
import type { ServiceSpec } from '../../schemas/spec.ts';
import type { Override, Renewals, Retired, Seats, Suspend } from './deviations.ts';
import type { Lease } from './leases.ts';
import type { Desired, Listing, NodeRecord, Rollout } from './model.ts';
import type { Pin, Revision } from './revisions.ts';
import type { ScheduleState } from './runs.ts';
import type { TagRecords } from './tags.ts';

export interface DirectRecord {
  readonly spec: ServiceSpec;
  /** Slot set and the counter that never reuses a number. */
  readonly slots: readonly number[];
  readonly counter: number;
  /** Its secrets, for all who may read them. */
  readonly sealed?: readonly SealedSecret[];
  /** Slots that somebody gave a place. */
  readonly seats?: Seats;
  readonly at: Wall;
  readonly actor: string;
  /** From a backup of this epoch, and not changed since. */
  readonly restored?: number;
}

/** What a seed node was told to run. It never reports, so this is all that anybody knows of it. */
export interface AssumedRecord {
  readonly part: Part;
  /** Instance -> the copy that it was last told to deploy. What differs from `part` was not said yet. */
  readonly told: Readonly<Record<InstanceName, { readonly copy: CopyId; readonly image: string }>>;
  /** Instance -> image of what it was told to give up since it registered: said again when it registers again. Bounded. */
  readonly freed?: Readonly<Record<InstanceName, string>>;
}

export interface TokenRecord {
  readonly id: string;
  /** SHA-256 of the secret, hex. */
  readonly hash: string;
  readonly expires: Wall;
  /** How many nodes may still join with it. */
  readonly uses: number;
  /** Made for more than one node: it lets nodes in, and proves of none that it is the one. */
  readonly shared?: boolean;
  /** Bound to this node name, if any. */
  readonly name?: string;
  /** Whoever joins with it takes the place of this node, as long as that has it. */
  readonly replaces?: NodeId;
  /** Then its instances start with empty volumes. */
  readonly empties?: true;
  readonly created?: Wall;
  /** Who asked for it. */
  readonly by?: string;
  readonly revoked?: Wall;
}

/** Where a source is read from. */
export interface Followed {
  /** Without user and password. */
  readonly url: string;
  readonly branch: string;
}

export interface SourceRecord {
  /** Last accepted commit. */
  readonly commit: string;
  /** The newest commit that was ever accepted, while an older one is in force: the next one has to go on from it. */
  readonly anchor?: string;
  /** Where that was found. Absent in records of earlier versions. */
  readonly followed?: Followed;
  /** Last good blob per descriptor path, the services that it holds, and the blobs of files that it takes in, by their names. */
  readonly files: Readonly<
    Record<
      string,
      {
        readonly blob: string;
        readonly services: readonly ServiceName[];
        readonly with?: Readonly<Record<string, string>>;
      }
    >
  >;
  /** Names of nodes.yaml entries that were accepted. */
  readonly nodes: readonly string[];
  /** These entries: in force after a start, before (and without) any look at the source. */
  readonly listings?: readonly Listing[];
}

/** An account. Its id is never given to another one. */
export interface UserRecord {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** Password, as scrypt. */
  readonly hash: string;
  /** Raised with each new password: sessions of an older one are over. */
  readonly version: number;
  readonly created: Wall;
  /** When the password was set. */
  readonly changed: Wall;
}

/** A session that was refreshed or ended; one that was only begun needs no record. Forgotten once nothing of it is valid any more. */
export interface SessionRecord {
  readonly user: string;
  /** How often it was refreshed, and when last. */
  readonly turn: number;
  readonly at: Wall;
  readonly ended?: true;
  readonly until: Wall;
}

/** A token of an account, for programs. */
export interface ApiTokenRecord {
  readonly id: string;
  readonly user: string;
  /** SHA-256 of the secret, hex. */
  readonly hash: string;
  readonly role: Role;
  readonly apps?: readonly string[];
  readonly purpose?: string;
  readonly created: Wall;
  readonly expires: Wall;
  readonly revoked?: Wall;
}

/** Names that a source had when its last commit was accepted. */
export function servicesOf(record: SourceRecord | undefined): Set<ServiceName> {
  return new Set(Object.values(record?.files ?? {}).flatMap((file) => file.services));
}

/** What the cluster counts for people, since it began. */
export interface Tally {
  /** Deployments that were asked for and accepted. */
  readonly requests: number;
  /** Losses of nodes. */
  readonly failures: number;
  /** Instances that ran again elsewhere after their node was lost. */
  readonly relocated: number;
}

/** One more of `what`, or `by` more. */
export function counted(tally: Tally, what: keyof Tally, by = 1): Tally {
  return { ...tally, [what]: tally[what] + by };
}

export interface Records {
  readonly version: 1;
  readonly epoch: number;
  readonly nextOrdinal: number;
  readonly nodes: Readonly<Record<NodeId, NodeRecord>>;
  readonly tokens: Readonly<Record<string, TokenRecord>>;
  readonly direct: Readonly<Record<ServiceName, DirectRecord>>;
  readonly tombstones: Readonly<Record<ServiceName, { readonly copy: CopyId; readonly at: Wall }>>;
  readonly rollouts: Readonly<Record<ServiceName, Rollout>>;
  readonly sources: Readonly<Record<string, SourceRecord>>;
  /** Per source, the newest first; bounded. */
  readonly history: Readonly<Record<string, readonly Revision[]>>;
  /** Per source that stays at a commit. */
  readonly pins: Readonly<Record<string, Pin>>;
  /** Per seed node. Written before the first control of a copy is published. */
  readonly assumed: Readonly<Record<NodeId, AssumedRecord>>;
  /** By id. */
  readonly overrides: Readonly<Record<string, Override>>;
  /** What sources removed, as it was wanted, until its time is over. */
  readonly retired: Readonly<Record<ServiceName, Desired & { readonly retired: Retired }>>;
  /** By subject. */
  readonly suspends: Readonly<Record<string, Suspend>>;
  /** Restarts that are not done. */
  readonly renewals: Readonly<Record<ServiceName, Renewals>>;
  /**
   * The node on which an instance was started last: where its volumes are. Kept after a delete: whoever deploys it again finds its
   * data. Of instances without volumes only where `replace_after` is said.
   */
  readonly homes: Readonly<Record<InstanceName, NodeId>>;
  /** Jobs with a schedule. */
  readonly schedules: Readonly<Record<ServiceName, ScheduleState>>;
  /** What the tags of images stand for. Written before the first copy of a version starts. */
  readonly tags: Readonly<Record<ServiceName, TagRecords>>;
  /** Who has the lease of an exclusive service, or had it last. Written before the first lease of a copy is given. */
  readonly leases: Readonly<Record<ServiceName, Omit<Lease, 'granted'>>>;
  readonly tally: Tally;
  /** Accounts by id. Absent: the first one was not made yet. */
  readonly users?: Readonly<Record<string, UserRecord>>;
  readonly sessions?: Readonly<Record<string, SessionRecord>>;
  readonly apiTokens?: Readonly<Record<string, ApiTokenRecord>>;
  /** Applications of application providers (`app.appns`), and the accounts that own them. */
  readonly owners?: Readonly<Record<string, string>>;
  /** Applications that were registered through Oakestra's API (`app.appns`), with their descriptions. */
  readonly applications?: Readonly<Record<string, string>>;
  /** Ids of Oakestra's API whose holders were renamed: `app/<name>` or `service/<name>`. */
  readonly ids?: Readonly<Record<string, string>>;
  /** Hold ids that a human approved. */
  readonly approvals: readonly string[];
  /** The keyring in identity/ is at least at this revision. Absent: no key was ever rotated. */
  readonly keyring?: number;

  /** From a backup of this epoch, and what was decided after it has not been heard yet. */
  readonly restored?: number | undefined;
}

export const emptyRecords: Records = {
  version: 1,
  epoch: 0,
  nextOrdinal: 0,
  nodes: {},
  tokens: {},
  direct: {},
  tombstones: {},
  rollouts: {},
  sources: {},
  history: {},
  pins: {},
  assumed: {},
  overrides: {},
  suspends: {},
  retired: {},
  renewals: {},
  homes: {},
  schedules: {},
  tags: {},
  leases: {},
  tally: { requests: 0, failures: 0, relocated: 0 },
  approvals: [],
};
