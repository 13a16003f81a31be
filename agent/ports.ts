/** What the agent's loop needs from the world beside schemas/ports.ts and the runtimes; implemented at the rim. */
import type { Advertised } from '../schemas/addresses.ts';
import type { Acceptance, Part } from '../schemas/assignment.ts';
import type { ExecConnection } from '../schemas/exec.ts';
import type { CopyReport, Fence } from '../schemas/messages.ts';
import type { NodeId } from '../schemas/names.ts';
import type { NodePolicy } from '../schemas/policy.ts';
import type { Bus, Clock, Files, Random } from '../schemas/ports.ts';
import type { Problem } from '../schemas/problem.ts';
import type { RuntimeName } from '../schemas/spec.ts';
import type { Trusts } from '../schemas/trust.ts';
import type { CopyKey } from './core/copy.ts';
import type { Step } from './core/step.ts';
import type { Endpoints } from './endpoints.ts';
import type { Runtime } from './runtimes/runtime.ts';

/**
 * Whose word an agent takes: signed assignments of its cluster; or, when it is its own authority, plain controls of seed 000 from
 * whoever the broker lets write them on its topic.
 */
export type Authority = 'cluster' | 'local';

/** Who this agent is: given at join, or at registration. */
export interface AgentIdentity {
  readonly id: NodeId;
  readonly name: string;
  /** '' where it is not known: only with the authority `local`. */
  readonly cluster: string;
}

/** What the agent tells about its node, and never changes while it runs. */
export interface NodeProfile {
  /** Address on which ports are published. */
  readonly ip: string;
  /** Where others reach them; default there. */
  readonly advertise?: Advertised;
  readonly labels: Readonly<Record<string, string>>;
  readonly location?: string;
  readonly arch: string;
  /** Version of this agent. */
  readonly version: string;
  /** ms between two information messages. */
  readonly beat: number;
  /** The public half of its age identity. */
  readonly recipient?: string;
  /** Changes when the machine boots. */
  readonly boot: string;
}

/** One reading. Percent, cores and MB. */
export interface Usage {
  readonly cpu: number;
  readonly memory: number;
  /** Cores, MB, GPUs, MB of disk, kbit/s. */
  readonly capacity: {
    readonly cpu: number;
    readonly memory: number;
    readonly gpu?: number;
    readonly storage?: number;
    readonly bandwidth_in?: number;
    readonly bandwidth_out?: number;
  };
}

/** An open stream to the reconciler. */
export interface OpenStream {
  /** Resolves when the text is on its way: waits while the reader is slow. */
  write(text: string): Promise<void>;
  close(): Promise<void>;
  /** Aborts when nobody reads any more. */
  readonly gone?: AbortSignal;
}

/** Opens streams that the reconciler asked for by id. */
export interface Streams {
  open(id: string, signal: AbortSignal): Promise<OpenStream>;
  /** As `open`, for a session with both directions. Absent where there are none. */
  session?(id: string, signal: AbortSignal): Promise<ExecConnection>;
}

export interface AgentDeps {
  readonly identity: AgentIdentity;
  /** Default: `cluster`. */
  readonly authority?: Authority;
  readonly profile: NodeProfile;
  readonly clock: Clock;
  readonly random: Random;
  readonly bus: Bus;
  readonly runtimes: readonly Runtime[];
  readonly files: Files;
  /** What the node's owner lets services do on it; default: nothing is granted, and any image is taken. */
  readonly policy?: NodePolicy;
  /** Was this message signed by the pinned keys, for this topic? */
  verify(topic: string, message: object): boolean;
  /** The newest keys of the cluster that are on disk. */
  trusts?(): Trusts;
  usage(): Usage;
  /** Names of the node's own secrets, as they were found last. Default: it has none. */
  ownSecrets?(): readonly string[];
  /** ms since the machine booted, its sleep included. Default: the clock, which may not count sleep. */
  uptime?(): number;
  readonly streams: Streams;
  /** Where the cluster can be reached. Absent: where it is, and nowhere else. */
  readonly endpoints?: Pick<Endpoints, 'take' | 'list'>;
  trace(event: AgentEvent): void;
  /** A copy is neither wanted nor there any more, whoever removed it: what was kept for it beside its engine may go. */
  gone?(key: CopyKey): void;
  /** The connection to the broker stands, for the first time or again. */
  onConnected?(): void;
}

/** What happens in an agent, for its log. */
export type AgentEvent =
  | { readonly kind: 'started'; readonly node: NodeId; readonly session: string; readonly jobs: number }
  | { readonly kind: 'connected' }
  | { readonly kind: 'disconnected'; readonly reason: string }
  /** Not for us, malformed, unsigned, or of a kind that we do not serve. Changes nothing. */
  | { readonly kind: 'message_refused'; readonly topic: string; readonly why: string }
  | {
      readonly kind: 'judged';
      readonly message: 'assignment' | 'control' | 'plain';
      readonly fence: Fence;
      readonly outcome: Acceptance['kind'];
      readonly why?: string;
    }
  | { readonly kind: 'ledger_saved'; readonly part: Part; readonly ms: number }
  | { readonly kind: 'ledger_problem'; readonly problem: Problem }
  | { readonly kind: 'step_done'; readonly step: Step; readonly ms: number }
  | { readonly kind: 'step_aborted'; readonly step: Step }
  /** `bug`: it failed with something that is no problem of ours. */
  | { readonly kind: 'step_failed'; readonly step: Step; readonly problem: Problem; readonly bug?: unknown }
  | { readonly kind: 'engine_up'; readonly runtime: RuntimeName; readonly version: string }
  | { readonly kind: 'engine_unknown'; readonly runtime: RuntimeName; readonly problem: Problem }
  | { readonly kind: 'warning'; readonly problem: Problem }
  | { readonly kind: 'status'; readonly report: CopyReport }
  | { readonly kind: 'stream_failed'; readonly stream: string; readonly problem: Problem };
