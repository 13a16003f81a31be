/**
 * The native HTTP API (prefix `/v1`), shared by the reconciler that serves it and the CLI that calls it. Each route declares a right
 * (`rights` in reconciler/core/rights.ts). Bearers are the token of the cluster's folder, the token of a login, or an API token; identity, join, health, login,
 * and what new machines download need none. Errors are `{problems: Problem[]}` with status 400, 401, 403, 404, 409, 413, 429 or 503
 * (500 for a bug: the message holds the id under which the reconciler logged it).
 *
 *   POST /v1/login                               {username, password} -> SessionAnswer (429 after too many wrong ones)
 *   POST /v1/refresh                             {}, the refresh token as bearer -> SessionAnswer: another pair of tokens
 *   POST /v1/logout                              {} -> {name}: this login is over
 *   GET  /v1/whoami                              CallerView
 *   GET  /v1/users                               {items: UserView[]}
 *   POST /v1/users                               UserBody -> UserAnswer
 *   POST /v1/users/:name/remove                  {} -> {removed}; /role: {role} -> UserAnswer
 *   POST /v1/users/:name/password                PasswordBody -> UserAnswer: of oneself with the old one
 *   POST /v1/users/:name/tokens                  ApiTokenBody -> ApiTokenAnswer
 *   GET  /v1/api-tokens                          {items: ApiTokenView[]}: the own ones, or all
 *   POST /v1/api-tokens/:id/revoke               {} -> {revoked}
 *   GET  /v1/audit?last=&who=&outcome=           {items: AuditEntry[]}: the newest that fit, the oldest of them first
 *   GET  /v1/status                              ClusterStatus
 *   GET  /v1/apps | services | instances | nodes  {items: ...}      names in query `name` (repeatable), exact or unique prefix
 *   GET  /v1/services/:name                      ServiceView
 *   GET  /v1/nodes/:name                         NodeView (name, id or alias)
 *   GET  /v1/why?subject=                        Cause: application, service, instance, or `node/<name>`
 *   GET  /v1/holds                               {items: Hold[]}
 *   GET  /v1/events?after=<id>&follow=true       server-sent events of ClusterEvent. After a number, an id (`<run>.<seq>`), or `latest`;
 *                                                Last-Event-ID is the same. `events_missed` says where some are not kept any more
 *   GET  /v1/instances/:name/logs?tail=&follow=  text/plain stream
 *   GET  /v1/instances/:name/exec?actor=         WebSocket of frames (exec.ts): a session inside the instance
 *   GET  /v1/nodes/:name/images?actor=           WebSocket of frames (image-load.ts): an archive of images for the engine there
 *   POST /v1/deploy                              DeployRequest -> DeployAnswer (after fsync; nothing waits for the outcome)
 *   POST /v1/delete                              {services?: string[], apps?: string[], actor?} -> {services: string[]}
 *   POST /v1/plan                                PlanRequest -> PlanView (changes nothing)
 *   GET  /v1/snapshot                            ClusterSnapshot: what a plan rests on, for plans without a reconciler
 *   POST /v1/approve                             {id, actor?} -> {approved: string}
 *   POST /v1/nodes/:name/cordon                  CordonBody -> CordonAnswer; so are uncordon and drain (which waits for nothing)
 *   POST /v1/services/:name/scale                ScaleRequest -> VerbAnswer; so are stop and start (VerbRequest), and undelete (UndeleteBody)
 *   POST /v1/services/:name/restart              RestartRequest -> VerbAnswer; and /v1/instances/:name/restart
 *   GET  /v1/overrides                           {items: OverrideView[]}
 *   POST /v1/overrides/:id/remove                {actor?} -> {removed}
 *   POST /v1/sync                                {} -> SyncAnswer (fetches now, answers when the head is accepted or refused)
 *   GET  /v1/history?source=                     {items: RevisionView[]}: what sources were at, the newest first
 *   POST /v1/rollback                            RollbackBody -> PinView (carried out when it answers; nothing waits for the outcome)
 *   POST /v1/unpin                               UnpinBody -> PinView, of the pin that ended
 *   POST /v1/suspend                             SuspendBody -> SuspendAnswer; resume: ResumeBody -> SuspendAnswer
 *   POST /v1/tokens                              TokenBody -> TokenAnswer
 *   GET  /v1/tokens                              {items: TokenView[]}: all that have not expired
 *   POST /v1/tokens/:id/revoke                   {actor?} -> {revoked: string}; again is the same
 *   POST /v1/nodes/:name/revoke                  {} -> {revoked: string}
 *   POST /v1/nodes/:name/remove                  {force?, actor?} -> {removed: string} (REFUSED while copies are there)
 *   GET  /v1/registries                          {items: RegistryView[]}; never a password
 *   POST /v1/registries/:host/login              LoginRequest -> LoginAnswer (over TLS or loopback); logout: {actor?} -> LoginAnswer
 *   GET  /v1/registries/:host/sources            {items: PullSource[]}: for a node, node credential as basic auth
 *   GET  /v1/notifications                       {items: ReceiverView[]}
 *   POST /v1/notifications/test                  {name?} -> {items: ReceiverView[]}: each of them got a test
 *   POST /v1/webhooks/:kind                      what a forge sends -> {woken: string[]}, status 202 (its own secret; no token)
 *   GET  /v1/identity?nonce=<hex>                IdentityAnswer (no token)
 *   POST /v1/join                                JoinRequest -> JoinAnswer (join token)
 *   POST /v1/standing                            {node, password} -> {node: name}; REVOKED says why (credential of the node)
 *   GET  /v1/tls                                 TlsAnswer (no token; also over plain HTTP)
 *   GET  /v1/install.sh, /v1/packages/:file      what a new machine downloads (no token; also over plain HTTP): checked by its hash
 *   GET  /v1/packages                            PackagesAnswer, once the package for the reconciler's own kind of machine is there
 *   GET  /v1/keys                                {items: KeyView[]}
 *   POST /v1/keys/rotate                         RotateBody -> RotateAnswer (recorded; nodes follow by and by)
 *   POST /v1/credential                          {} -> CredentialAnswer (node credential as basic auth)
 *   GET  /v1/streams/:id                         WebSocket of an agent, node credential as basic auth
 *   POST /v1/instances/:name/move                MoveRequest -> SlotAnswer
 *   POST /v1/instances/:name/replicate           ReplicateRequest -> SlotAnswer
 *   POST /api/node/register                      seed 000: {id, name, ip, port}, join token as bearer -> RegisterAnswer
 *   POST /api/calculate/deploy                   seed 000: PlainJob -> CalculateAnswer (409 when no node takes it); changes nothing
 *   /api/auth, /user, /application, /service, /clusters  Oakestra's: the table in README.md
 *   /api/v1/service, /state, /stats              MyCluster's: mycluster.ts
 *   GET  /, POST /api/v1/load_nodes, update_taints  FRACTAL's custom orchestrator: fractal.ts
 *   GET  /metrics                                text for Prometheus
 *   GET  /api/openapi.json, /api/docs            all of this for programs, and as a page (no token)
 *   GET  /livez, /healthz, /readyz               {ok: true}, or 503 and what is missing: broker, store; readyz also: its turn, git (no token)
 *
 * Requests and answers are here, views in views.ts, events in cluster-events.ts, joining in joining.ts,
 * packages in packages.ts.
 */
import type { Problem } from './problem.ts';
import type { PlainJob } from './seed.ts';
import type { CordonView, NodeState, OverrideView, SourceView, SuspendView } from './views.ts';

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
  /** Token of the plan that is carried out: REFUSED when the plan of these documents would be another one by now. */
  readonly plan?: string;
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

/** A login for all nodes. */
export interface LoginRequest {
  readonly username: string;
  readonly password: string;
  readonly actor?: string;
}

/** A login was kept, or forgotten. */
export interface LoginAnswer {
  readonly registry: string;
  /** False: it was so already. */
  readonly changed: boolean;
  /** Why the registry could not be asked whether the login is good. */
  readonly unchecked?: string;
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
  /** With `documents`: they replace a git source of the cluster (its whole working copy) instead of being direct. */
  readonly asSource?: boolean;
  /** Which source they replace; default: the only one. */
  readonly source?: string;
}

/** Of every verb that may make an override: how long (ms, for what git owns; default 1 h) and why. */
export interface VerbRequest {
  readonly for?: number;
  readonly reason?: string;
  readonly actor?: string;
}

/** `pull`: the registry is asked anew what the tag of the image stands for. */
export interface RestartRequest {
  readonly pull?: boolean;
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

/** A node was cordoned, or is free again. */
export interface CordonAnswer {
  readonly node: string;
  /** False: it was so already. */
  readonly changed: boolean;
  readonly cordoned?: CordonView;
}

/** Something was suspended, or goes on. */
export interface SuspendAnswer {
  /** As in {@link SuspendView}. */
  readonly subject: string;
  /** False: it was so already. */
  readonly changed: boolean;
  readonly suspended?: SuspendView;
}

export interface SyncAnswer {
  readonly sources: readonly SourceView[];
}

/** A join token: shown once. */
export interface TokenAnswer {
  readonly token: string;
  readonly id: string;
  /** ms since 1970. */
  readonly expires: number;
  /** The node whose place a machine takes with it. */
  readonly replaces?: {
    readonly node: string;
    readonly state: NodeState;
    /** Instances whose data is on the machine that goes, and that will not start without it. */
    readonly data: readonly string[];
    /** It stays cordoned. */
    readonly cordoned?: CordonView;
  };
}
