/**
 * A service as the planner and the runtimes see it: the descriptor, validated, with every default filled in.
 * Units: memory and storage in MB, bandwidth in kbit/s, times in ms.
 */
import type { ServiceName } from './names.ts';

/** What a microservice asks for. `container` runs in an engine, `process` directly on the host where the node allows it. */
export type Virtualization = 'container' | 'process';

/** Runtimes an agent may have. */
export type RuntimeName = 'docker' | 'process';

/** Which runtimes can carry a virtualization, best first. */
export const runtimesFor: Record<Virtualization, readonly RuntimeName[]> = {
  container: ['docker'],
  process: ['process'],
};

export interface PortMapping {
  readonly host: number;
  readonly container: number;
  readonly protocol: 'tcp' | 'udp';
}

export interface Healthcheck {
  /** Command run inside the copy; exit 0 is healthy. First word is the program: no shell. */
  readonly command: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  readonly retries: number;
  readonly start_period: number;
}

/** A folder or file of the host in a container. */
export interface HostMount {
  /** Path on the host. */
  readonly source: string;
  /** Path in the container. */
  readonly target: string;
  /** Absent: to write. */
  readonly read_only?: boolean;
}

/** What a container asks of its host beyond room to run. Given only by grant of the node. */
export interface HostAccess {
  /** Paths below /dev, the same on both sides. */
  readonly devices?: readonly string[];
  readonly mounts?: readonly HostMount[];
  /** The host's network instead of the cluster's: its ports are its own. */
  readonly network?: 'host';
  /** Without `CAP_`. */
  readonly caps?: readonly string[];
}

/** Data of an instance that outlives its copies: a volume of its own on its node. */
export interface RunVolume {
  readonly name: string;
  /** Absolute path in the container. */
  readonly mount_path: string;
  /** Absent: to write. */
  readonly read_only?: boolean;
}

/** A file that is put into a container before it starts. Texts, and owned by root. */
export interface RunFile {
  readonly path: string;
  readonly content: string;
  /** Permission bits, e.g. 0o644. */
  readonly mode: number;
}

/** A file that holds a secret: from memory, never on a disk. */
export interface RunSecret {
  readonly name: string;
  /** A file of the node: each has its own value. Absent: the repository has it, encrypted. */
  readonly source?: 'node';
  /** Changes with the value. Absent: it is the node's own. */
  readonly version?: string;
  /** Of a secret with several values. Absent: it is one value. */
  readonly key?: string;
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
}

export type RestartPolicy = 'always' | 'on_failure' | 'never';

/**
 * Everything a runtime needs to run a copy, and nothing else: its digest decides whether a copy is left alone.
 * Fields that are absent or empty are left out of the digest, see digest.ts.
 */
export interface RunSpec {
  readonly virtualization: Virtualization;
  /** Image reference as written (container), or program path (process). */
  readonly code: string;
  readonly cmd?: readonly string[];
  /** `KEY=value`. */
  readonly environment?: readonly string[];
  readonly ports?: readonly PortMapping[];
  /** MB that are needed: becomes a soft limit. */
  readonly memory?: number;
  /** Cores that are needed: becomes a CPU weight. */
  readonly vcpus?: number;
  /** Whole GPUs, counted and given by the engine. */
  readonly vgpus?: number;
  /** Hard caps. */
  readonly limits?: { readonly memory?: number; readonly vcpus?: number };
  readonly healthcheck?: Healthcheck;
  readonly restart?: RestartPolicy;
  readonly one_shot?: boolean;
  /** ms between the polite and the impolite signal. */
  readonly stop_grace?: number;
  /** Sorted by path. In the digest by hash. */
  readonly files?: readonly RunFile[];
  /** Sorted by path. What they hold travels beside, encrypted, or is the node's own; in the digest by name and version. */
  readonly secrets?: readonly RunSecret[];
  readonly host?: HostAccess;
  /** Sorted by name. */
  readonly volumes?: readonly RunVolume[];
  /** Oakestra's: /dev/fuse and the right to mount, by grant. */
  readonly privileged?: boolean;
}

/** What placement reserves. All numbers, 0 = none asked; storage and bandwidth count only on nodes that state theirs. */
export interface Needs {
  readonly memory: number;
  readonly vcpus: number;
  readonly vgpus: number;
  readonly storage: number;
  readonly bandwidth_in: number;
  readonly bandwidth_out: number;
}

/** One rule on node labels. */
export interface LabelRule {
  readonly label: string;
  readonly op: 'in' | 'not_in' | 'exists' | 'not_exists';
  readonly values: readonly string[];
}

export interface Placement {
  /** Cluster names of `direct` constraints; empty = any. */
  readonly clusters: readonly string[];
  /** Node names or aliases of `direct` constraints; empty = any. */
  readonly nodes: readonly string[];
  readonly labels: readonly LabelRule[];
  /** Its volumes may start empty on another node when theirs is lost. */
  readonly portable?: boolean;
  /** Architectures that its image is made for, as engines call them (`amd64`, `arm64`); absent: any. */
  readonly arch?: readonly string[];
  /** Services whose instances it must not be beside. */
  readonly apart?: readonly ApartRule[];
  /** Labels over whose values its instances are spread, the most important first. */
  readonly spread?: readonly SpreadRule[];
}

/** Kept apart from all instances of these services: by node, or by the value of a label. Holds in both directions. */
export interface ApartRule {
  readonly services: readonly ServiceName[];
  readonly label?: string;
}

/** The values with the fewest instances first; `required`: only those. */
export interface SpreadRule {
  readonly label: string;
  readonly required: boolean;
}

export interface UpdatePolicy {
  /**
   * `start_first` runs old and new side by side; `stop_first` prepares the new copy, then swaps; `recreate` prepares all new
   * copies, stops all old ones, then starts the new ones: two versions never run at once.
   */
  readonly order: 'start_first' | 'stop_first' | 'recreate';
  /** How long a copy without a healthcheck must run to count as healthy. */
  readonly settle: number;
  /** Until when a new digest must be healthy. */
  readonly timeout: number;
  readonly max_unavailable: number;
  readonly on_failure: 'rollback' | 'pause' | 'continue';
  /** How long a healthy copy is out of the list of healthy copies before it is stopped. Absent: it is stopped at once. */
  readonly notice?: number;
  /** Instances on nodes of this pool are updated first, and have to be healthy for `wait` ms before the others follow. */
  readonly canary?: { readonly pool: string; readonly wait: number };
}

/** When a one-shot service runs. Not in the run spec: a change of it restarts nothing. */
export interface Schedule {
  /** Five fields, or `@daily` and its like. */
  readonly cron: string;
  /** A name of the IANA database. */
  readonly time_zone: string;
  /** A due time while the run before it goes on is skipped, or that run is stopped for it. */
  readonly concurrency: 'skip' | 'replace';
  /** ms after its due time in which a run may start. Absent: until the next due time. */
  readonly starting_deadline?: number;
  /** Ended runs that are remembered. */
  readonly history: number;
}

/** Which copy stays when the node of a replaced one returns and both are equally good. */
export type OnReturn = 'replacement' | 'original' | 'longest_running';

/** What becomes of an instance whose node is out of reach. Times in ms. */
export interface Disconnect {
  /** Its agent stops it once it was without contact for so long, and starts it again on contact. Absent: it goes on. */
  readonly stop_after?: number;
  /** It is replaced once its node was silent for so long. Absent: once its node is lost. */
  readonly replace_after?: number | 'never';
  /** Absent: the replacement. */
  readonly on_return?: Exclude<OnReturn, 'replacement'>;
}

export interface ServiceSpec {
  readonly name: ServiceName;
  readonly run: RunSpec;
  /** Digest of `run`. */
  readonly digest: string;
  readonly replicas: number | 'every';
  readonly needs: Needs;
  readonly placement: Placement;
  readonly update: UpdatePolicy;
  /** Higher goes first; default 0. */
  readonly priority: number;
  /** Must be healthy before this one starts for the first time. Sorted; absent: nothing. */
  readonly depends_on?: readonly ServiceName[];
  /** Only of one-shot services. Absent: it runs once. */
  readonly schedule?: Schedule;
  readonly disconnect?: Disconnect;
  /** At most one copy runs in the whole cluster, on a lease of so many ms. */
  readonly exclusive?: { readonly lease: number };
  /** Free text of the application, for listings. */
  readonly description?: string;
}

/** Where a job comes from. `direct` is CLI and API; every other name is a git source of cluster.yaml. */
export interface JobSource {
  readonly name: string;
  /** Commit the spec was read from (git sources). */
  readonly commit?: string;
}

/** Name of the source that CLI and API write to. */
export const directSource = 'direct';
