/**
 * The native HTTP API (prefix `/v1`), shared by the reconciler that serves it and the CLI that calls it. Bearer token on all
 * routes except identity, join and health. Errors are `{problems: Problem[]}` with status 400, 401, 403, 404, 409, 413 or 503
 * (500 for a bug: the message holds the id under which the reconciler logged it).
 *
 *   GET  /v1/status                              ClusterStatus
 *   GET  /v1/apps | services | instances | nodes  {items: ...}      names in query `name` (repeatable), exact or unique prefix
 *   GET  /v1/services/:name                      ServiceView
 *   GET  /v1/nodes/:name                         NodeView (name, id or alias)
 *   GET  /v1/why?subject=                        Cause: application, service, instance, or `node/<name>`
 *   GET  /v1/holds                               {items: Hold[]}
 *   GET  /v1/events?after=<seq>&follow=true      server-sent events of ClusterEvent, id = seq
 *   GET  /v1/instances/:name/logs?tail=&follow=  text/plain stream
 *   GET  /v1/instances/:name/exec?actor=         WebSocket of frames (exec.ts): a session inside the instance
 *   POST /v1/deploy                              DeployRequest -> DeployAnswer (after fsync; nothing waits for the outcome)
 *   POST /v1/delete                              {services?: string[], apps?: string[], actor?} -> {services: string[]}
 *   POST /v1/plan                                PlanRequest -> PlanView (changes nothing)
 *   POST /v1/approve                             {id, actor?} -> {approved: string}
 *   POST /v1/nodes/:name/cordon                  CordonBody -> CordonAnswer; so are uncordon and drain (which waits for nothing)
 *   POST /v1/services/:name/scale                ScaleRequest -> VerbAnswer; so are stop, start and restart (VerbRequest)
 *   POST /v1/instances/:name/restart             VerbRequest -> VerbAnswer
 *   GET  /v1/overrides                           {items: OverrideView[]}
 *   POST /v1/overrides/:id/remove                {actor?} -> {removed}
 *   POST /v1/sync                                {} -> SyncAnswer (fetches now, answers when the head is accepted or refused)
 *   POST /v1/tokens                              {name?, ttl?, uses?, actor?} -> {token, id, expires}
 *   GET  /v1/tokens                              {items: TokenView[]}: all that have not expired
 *   POST /v1/tokens/:id/revoke                   {actor?} -> {revoked: string}; again is the same
 *   POST /v1/nodes/:name/revoke                  {} -> {revoked: string}
 *   POST /v1/nodes/:name/remove                  {force?, actor?} -> {removed: string} (REFUSED while copies are there)
 *   GET  /v1/identity?nonce=<hex>                IdentityAnswer (no token)
 *   POST /v1/join                                JoinRequest -> JoinAnswer (join token)
 *   GET  /v1/tls                                 TlsAnswer (no token; the one route that is also answered over plain HTTP)
 *   GET  /v1/streams/:id                         WebSocket of an agent, node credential as basic auth
 *   POST /v1/instances/:name/move                MoveRequest -> SlotAnswer
 *   POST /v1/instances/:name/replicate           ReplicateRequest -> SlotAnswer
 *   POST /api/node/register                      seed 000: {id, name, ip, port}, join token as bearer -> RegisterAnswer
 *   POST /api/calculate/deploy                   seed 000: PlainJob -> CalculateAnswer (409 when no node takes it); changes nothing
 *   GET  /healthz, /readyz                       200 or 503
 */
import type { Problem } from './problem.ts';
import type { Dialect, PlainJob } from './seed.ts';
import type { CopyStatus, Hold, Want } from './status.ts';

export interface DocumentText {
  /** For messages only. */
  readonly file: string;
  readonly text: string;
  /** Contents of the files that it takes `from` its repository, as it names them. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface DeployRequest {
  readonly documents: readonly DocumentText[];
  /** Who asks, for records and events. */
  readonly actor?: string;
}

export interface DeployAnswer {
  readonly services: readonly {
    readonly name: string;
    readonly digest: string;
    readonly change: 'created' | 'updated' | 'same';
  }[];
  readonly warnings: readonly Problem[];
}

/** Where an instance shall go: name, id or alias of a node. */
export interface MoveRequest {
  readonly to: string;
  readonly for?: number;
  readonly reason?: string;
  /** Its volumes stay where they are, and it starts with empty ones there. */
  readonly accept_empty_volume?: boolean;
  readonly actor?: string;
}

export interface ReplicateRequest extends VerbRequest {
  /** Absent: anywhere. */
  readonly to?: string;
}

/** A slot that was added, moved or dropped. Recorded; nothing waited for the outcome. */
export interface SlotAnswer {
  readonly instance: string;
  /** Name of the node, where one was asked for. */
  readonly node?: string;
  /** What now deviates from the source; absent: nothing does. */
  readonly override?: OverrideView;
}

/** What a node of the dialect `seed` needs to connect. User name = id; client ids are the id, or `<id>.<anything>`. */
export interface RegisterAnswer {
  readonly id: string;
  /** A text, as Oakestra has it. */
  readonly MQTT_BROKER_PORT: string;
  /** Only where the broker is not the reconciler's own. */
  readonly MQTT_BROKER_URL?: string;
  readonly username: string;
  readonly password: string;
}

/** Nodes that could take a job, the best first. Nothing is promised to it. */
export interface CalculateAnswer {
  readonly workers: readonly string[];
  readonly job: PlainJob;
  /** Why there is none. */
  readonly problems?: readonly { readonly code: string; readonly message: string; readonly hint?: string }[];
}

export interface PlanRequest {
  /** Descriptors as if deployed directly; absent: what the sources want now. */
  readonly documents?: readonly DocumentText[];
  /** With `documents`: they replace the git source of the cluster (its whole working copy) instead of being direct. */
  readonly asSource?: boolean;
}

/** One line of a plan. */
export interface PlanChange {
  readonly action: 'start' | 'replace' | 'stop' | 'remove' | 'node';
  /** Instance, or `node/<name>`. */
  readonly subject: string;
  readonly node?: string;
  readonly detail: string;
}

export interface PlanView {
  readonly changes: readonly PlanChange[];
  readonly holds: readonly Hold[];
  /** Instances that are as wanted. */
  readonly settled: number;
  readonly problems: readonly Problem[];
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
  readonly kind: 'scale' | 'move' | 'stop';
  /** What is different, in words. */
  readonly change: string;
  readonly actor: string;
  readonly reason?: string;
  /** ms since 1970; without `until` it stays until somebody ends it. */
  readonly since: number;
  readonly until?: number;
}

/** Of every verb that may make an override: how long (ms, for what git owns; default 1 h) and why. */
export interface VerbRequest {
  readonly for?: number;
  readonly reason?: string;
  readonly actor?: string;
}

export interface ScaleRequest extends VerbRequest {
  readonly replicas: number;
}

/** A verb was taken: recorded, not waited for. */
export interface VerbAnswer {
  readonly service: string;
  readonly digest: string;
  /** False: it was so already. */
  readonly changed: boolean;
  /** The instances that are meant. */
  readonly instances: readonly string[];
  /** Restart: whoever runs a copy up to this one was not restarted. */
  readonly after?: string;
  /** What now deviates from the source; absent: nothing does. */
  readonly override?: OverrideView;
}

export interface ServiceView {
  readonly name: string;
  readonly app: string;
  readonly source: string;
  readonly commit?: string;
  readonly file?: string;
  readonly line?: number;
  readonly image: string;
  readonly digest: string;
  readonly replicas: number | 'every';
  readonly slots: number;
  readonly healthy: number;
  readonly outcome: Outcome;
  /** What the outcome waits for, or why it failed. */
  readonly message: string;
  readonly holds: readonly Hold[];
  /** Where it deviates from its source. */
  readonly overrides: readonly OverrideView[];
  readonly instances: readonly InstanceView[];
}

export interface AppView {
  readonly name: string;
  readonly source: string;
  readonly services: number;
  readonly healthy: number;
  readonly instances: number;
  readonly outcome: Outcome;
}

/** Why something is as it is: a step of the chain, and what is behind it, the most telling first. */
export interface Cause {
  /** Application, service, instance, copy, `node/<name>`, `source/<name>`, `<file>:<line>`, `cluster`, or `<n> more`. */
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

/** A node was cordoned, or is free again. */
export interface CordonAnswer {
  readonly node: string;
  /** False: it was so already. */
  readonly changed: boolean;
  readonly cordoned?: CordonView;
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
  /** In nodes.yaml? */
  readonly listed: boolean;
  readonly ip?: string;
  readonly pool: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly location?: string;
  readonly capacity?: { readonly cpu: number; readonly memory: number; readonly gpu?: number };
  readonly used?: { readonly cpu: number; readonly memory: number };
  readonly usage?: { readonly cpu: number; readonly memory: number };
  readonly runtimes: readonly string[];
  readonly arch?: string;
  readonly version?: string;
  readonly instances: number;
  /** ms since it was last heard. */
  readonly seen?: number;
  readonly problems: readonly { readonly code: string; readonly message: string }[];
}

export interface SourceView {
  readonly name: string;
  readonly url: string;
  readonly branch: string;
  readonly path: string;
  /** Last accepted commit, and the head that was last seen. */
  readonly accepted?: string;
  readonly head?: string;
  readonly state: 'synced' | 'behind' | 'invalid' | 'unreachable' | 'unread';
  readonly checked?: number;
  readonly services: number;
  readonly ignored: number;
  readonly problems: readonly Problem[];
}

export interface ClusterStatus {
  readonly cluster: string;
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
  readonly conditions: readonly Problem[];
}

export interface SyncAnswer {
  readonly sources: readonly SourceView[];
}

/** What happened, in order. `seq` counts within one reconciler process; `run` tells processes apart. */
export interface ClusterEvent {
  readonly seq: number;
  readonly run: string;
  /** ms since 1970 on the reconciler's clock. */
  readonly at: number;
  readonly kind: EventKind;
  /** Service, instance, `node/<name>`, `source/<name>`, `token/<id>` or `cluster`. */
  readonly subject: string;
  readonly message: string;
}

export const eventKinds = [
  'source_accepted',
  'source_refused',
  'source_unreachable',
  'source_recovered',
  'service_deployed',
  'service_deleted',
  'service_settled',
  'service_failed',
  'service_rolled_back',
  'instance_started',
  'instance_stopped',
  'instance_status',
  'instance_exec',
  'slot_added',
  'slot_moved',
  'slot_dropped',
  'override_added',
  'override_ended',
  'service_restarted',
  'service_started',
  'control_sent',
  'control_taken',
  'node_joined',
  'node_online',
  'node_suspect',
  'node_lost',
  'node_returned',
  'node_revoked',
  'node_forgotten',
  'node_removed',
  'node_duplicate',
  'node_unique',
  'node_cordoned',
  'node_uncordoned',
  'token_created',
  'token_revoked',
  'hold_added',
  'hold_cleared',
  'approved',
  'reconciler_started',
  'reconciler_standby',
  'reconciler_took_over',
  'reconciler_rival',
  'recovered',
  'broker_restarted',
] as const;
export type EventKind = (typeof eventKinds)[number];

export interface IdentityAnswer {
  readonly cluster: string;
  /** SHA-256 of the master's public signing key, hex. */
  readonly fingerprint: string;
  readonly kid: string;
  /** Ed25519 public key, base64url of the raw 32 bytes. */
  readonly key: string;
  /** Signature over `oakctl/1/<cluster>/identity` + nonce, base64url: proves possession of the key that the token pins. */
  readonly sig: string;
}

export interface JoinRequest {
  readonly token: string;
  /** Wanted node name; default the host name. */
  readonly name: string;
  readonly ip: string;
  readonly version: string;
  /**
   * A secret of this attempt (hex), kept by the agent until it has its identity: with it the same token gives the same identity
   * again, as long as the node was never heard. Whoever sends none is recognised by the name alone.
   */
  readonly attempt?: string;
}

/** A join token without its secret. */
export interface TokenView {
  readonly id: string;
  readonly state: 'valid' | 'used' | 'expired' | 'revoked';
  /** Only a node of this name may join with it. */
  readonly name?: string;
  /** How many nodes may still join with it. */
  readonly uses: number;
  /** ms since 1970. */
  readonly expires: number;
  readonly created?: number;
  /** Who asked for it. */
  readonly by?: string;
}

export interface JoinAnswer {
  readonly id: string;
  readonly name: string;
  readonly cluster: string;
  readonly fingerprint: string;
  readonly ordinal: number;
  readonly mqtt: {
    /** Every address (0.0.0.0, ::): the host of the API is meant. */
    readonly host: string;
    readonly port: number;
    /** True: over TLS, under the same authority as the API. */
    readonly tls?: boolean;
    /** A broker that is not the reconciler's own. Counts instead of host, port and tls. */
    readonly url?: string;
    /** PEM of the root that signed the certificate at `url`; absent: a public authority, or no TLS. */
    readonly ca?: string;
    readonly username: string;
    readonly password: string;
  };
  readonly keys: Readonly<Record<string, string>>;
}

/** The TLS of a cluster. Nothing in it is secret; whoever believes it must hold a pin, or have it from a channel that is trusted. */
export interface TlsAnswer {
  /** `auto`: certificates are made by the cluster's own authority. */
  readonly mode: 'auto' | 'files';
  /** The root to trust; absent where a public authority signed the certificate. */
  readonly authority?: {
    /** PEM. */
    readonly certificate: string;
    /** SHA-256 of its public key (SubjectPublicKeyInfo), hex; join tokens carry the first 32 digits. */
    readonly fingerprint: string;
    /** ms since 1970. */
    readonly expires: number;
  };
  /** The certificate that API and broker show now. */
  readonly server: {
    readonly names: readonly string[];
    readonly fingerprint: string;
    readonly expires: number;
  };
}
