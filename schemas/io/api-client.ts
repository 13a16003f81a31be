/**
 * The native API as an object: one method per route of schemas/api.ts. Used by the CLI, and by an agent that joins.
 *
 * All methods fail with ProblemError: the problems of an error answer, or UNREACHABLE when no reconciler answers. An abort
 * rejects with the signal's reason; streams just end.
 */

import type {
  CordonAnswer,
  DeployAnswer,
  DeployRequest,
  LoginAnswer,
  LoginRequest,
  MoveRequest,
  PlanRequest,
  ReplicateRequest,
  RestartRequest,
  ScaleRequest,
  SlotAnswer,
  SuspendAnswer,
  SyncAnswer,
  TokenAnswer,
  VerbAnswer,
  VerbRequest,
} from '../api.ts';
import type { CordonBody, ResumeBody, RollbackBody, SuspendBody, UndeleteBody, UnpinBody } from '../api-bodies.ts';
import { type ClusterEvent, type EventPosition, eventId } from '../cluster-events.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { ExecConnection } from '../exec.ts';
import type {
  CredentialAnswer,
  IdentityAnswer,
  JoinAnswer,
  JoinRequest,
  RegisterAnswer,
  TlsAnswer,
} from '../joining.ts';
import type { KeyView, RotateAnswer, RotateBody } from '../keys.ts';
import type { ReceiverView } from '../notifications.ts';
import type { PackagesAnswer } from '../packages.ts';
import type { PullSource } from '../registries.ts';
import type { Hold } from '../status.ts';
import type {
  AppView,
  Cause,
  ClusterStatus,
  InstanceView,
  NodeView,
  OverrideView,
  PinView,
  PlanView,
  RegistryView,
  RevisionView,
  ServiceView,
  TokenView,
} from '../views.ts';
import { readServerEvents } from './event-stream.ts';
import { type Endpoint, exchange, exchangeJson, readPieces } from './http.ts';

/** What a request is sent to; see {@link Endpoint}. */
export type ApiClientOptions = Endpoint;

export interface ApiClient {
  /** Where it talks to. */
  readonly url: string;
  status(signal: AbortSignal): Promise<ClusterStatus>;
  /** All, or those that `names` tell: exact, short form or unique prefix. NOT_FOUND, BAD_REQUEST when ambiguous. */
  apps(names: readonly string[], signal: AbortSignal): Promise<readonly AppView[]>;
  services(names: readonly string[], signal: AbortSignal): Promise<readonly ServiceView[]>;
  /** A name of a service stands for all its instances. */
  instances(names: readonly string[], signal: AbortSignal): Promise<readonly InstanceView[]>;
  nodes(names: readonly string[], signal: AbortSignal): Promise<readonly NodeView[]>;
  service(name: string, signal: AbortSignal): Promise<ServiceView>;
  node(name: string, signal: AbortSignal): Promise<NodeView>;
  /** NOT_FOUND, BAD_REQUEST when the name fits several things. */
  why(subject: string, signal: AbortSignal): Promise<Cause>;
  holds(signal: AbortSignal): Promise<readonly Hold[]>;
  /** Resolves once the deployment is recorded durably; nothing waits for the outcome. */
  deploy(request: DeployRequest, signal: AbortSignal): Promise<DeployAnswer>;
  remove(request: RemoveRequest, signal: AbortSignal): Promise<{ readonly services: readonly string[] }>;
  /** Recorded once it resolves; nothing waits for the outcome. `to`: name, id or alias of a node. */
  move(instance: string, request: MoveRequest, signal: AbortSignal): Promise<SlotAnswer>;
  replicate(instance: string, request: ReplicateRequest, signal: AbortSignal): Promise<SlotAnswer>;
  plan(request: PlanRequest, signal: AbortSignal): Promise<PlanView>;
  /** What `plan --offline` reads. */
  snapshot(signal: AbortSignal): Promise<ClusterSnapshot>;
  approve(request: ApproveRequest, signal: AbortSignal): Promise<{ readonly approved: string }>;
  sync(signal: AbortSignal): Promise<SyncAnswer>;
  /** What sources were at, the newest first. NOT_FOUND. */
  history(source: string | undefined, signal: AbortSignal): Promise<readonly RevisionView[]>;
  /** NOT_FOUND, REFUSED, BAD_REQUEST when several sources may be meant. */
  rollback(request: RollbackBody, signal: AbortSignal): Promise<PinView>;
  /** NOT_FOUND. */
  unpin(request: UnpinBody, signal: AbortSignal): Promise<PinView>;
  /** NOT_FOUND, BAD_REQUEST when several things may be meant. */
  suspend(request: SuspendBody, signal: AbortSignal): Promise<SuspendAnswer>;
  /** NOT_FOUND; REFUSED for what is suspended with something wider. */
  resume(request: ResumeBody, signal: AbortSignal): Promise<SuspendAnswer>;
  createToken(request: TokenRequest, signal: AbortSignal): Promise<TokenAnswer>;
  /** Those that have not expired, newest first. */
  tokens(signal: AbortSignal): Promise<readonly TokenView[]>;
  /** NOT_FOUND. A token that is revoked already is no failure. */
  revokeToken(id: string, actor: string, signal: AbortSignal): Promise<{ readonly revoked: string }>;
  /** Waits for the package for the reconciler's own kind of machine, some seconds. NOT_FOUND where none are served. */
  packages(signal: AbortSignal): Promise<PackagesAnswer>;
  revoke(node: string, signal: AbortSignal): Promise<{ readonly revoked: string }>;
  /** Forgets a node. REFUSED while copies are there; `force` is for lost nodes. */
  removeNode(
    node: string,
    request: { readonly force?: boolean; readonly actor?: string },
    signal: AbortSignal,
  ): Promise<{ readonly removed: string }>;
  /** The oldest first, service by service. */
  overrides(signal: AbortSignal): Promise<readonly OverrideView[]>;
  /** NOT_FOUND. */
  removeOverride(id: string, actor: string, signal: AbortSignal): Promise<{ readonly removed: string }>;
  /** Verbs resolve once they are recorded durably; nothing waits for the outcome. NOT_FOUND, BAD_REQUEST, REFUSED. */
  scale(service: string, request: ScaleRequest, signal: AbortSignal): Promise<VerbAnswer>;
  stop(service: string, request: VerbRequest, signal: AbortSignal): Promise<VerbAnswer>;
  start(service: string, actor: string, signal: AbortSignal): Promise<VerbAnswer>;
  undelete(service: string, request: UndeleteBody, signal: AbortSignal): Promise<VerbAnswer>;
  /** A whole service, or one instance. `pull`: the registry is asked anew what the tag of the image stands for; it must answer. */
  restart(
    what: { readonly service: string } | { readonly instance: string },
    request: RestartRequest,
    signal: AbortSignal,
  ): Promise<VerbAnswer>;
  /** No new copies there. NOT_FOUND, REFUSED. */
  cordon(node: string, request: CordonBody, signal: AbortSignal): Promise<CordonAnswer>;
  /** As `cordon`, and what is there moves away; the node's view says how far it is. */
  drain(node: string, request: CordonBody, signal: AbortSignal): Promise<CordonAnswer>;
  uncordon(node: string, actor: string, signal: AbortSignal): Promise<CordonAnswer>;
  /** Signing keys and roots, the newest first, then credentials of nodes. */
  keys(signal: AbortSignal): Promise<readonly KeyView[]>;
  /** Recorded once it resolves. REFUSED, NOT_FOUND, BAD_REQUEST. */
  rotateKeys(wish: RotateBody, signal: AbortSignal): Promise<RotateAnswer>;
  /** The credential that this node is to have, for the one that it has. Needs no token. UNAUTHORIZED. */
  credential(node: string, password: string, signal: AbortSignal): Promise<CredentialAnswer>;
  /** `nonce`: 32 to 128 hex digits. Needs no token. */
  identity(nonce: string, signal: AbortSignal): Promise<IdentityAnswer>;
  /** Needs no token. NOT_FOUND when the cluster speaks no TLS. */
  tls(signal: AbortSignal): Promise<TlsAnswer>;
  /** Needs no token but the join token in the request. */
  join(request: JoinRequest, signal: AbortSignal): Promise<JoinAnswer>;
  /** Needs no token: asks with the credential of a node what that node is. REVOKED says what became of it; UNAUTHORIZED. */
  standing(
    request: { readonly node: string; readonly password: string },
    signal: AbortSignal,
  ): Promise<{ readonly node: string }>;
  /** Seed 000's four keys. `bearer`: a join token, or the password of that node. */
  register(
    request: { readonly id: string; readonly name: string; readonly ip: string; readonly port: string },
    bearer: string | undefined,
    signal: AbortSignal,
  ): Promise<RegisterAnswer>;
  /** Events after `after` (0: all that are kept), then live ones if `follow`. Ends on abort; UNREACHABLE when it breaks off. */
  events(
    options: { readonly after?: EventPosition; readonly follow?: boolean },
    signal: AbortSignal,
  ): AsyncIterable<ClusterEvent>;
  /** Text as the instance wrote it, in pieces that may end anywhere in a line. Ends on abort; UNREACHABLE when it breaks off. */
  logs(
    instance: string,
    options: { readonly tail?: number; readonly follow?: boolean },
    signal: AbortSignal,
  ): AsyncIterable<string>;
  /** For nodes: where images of a registry are to be had. REFUSED where nothing that the node is to run comes from there. */
  pullSources(registry: string, signal: AbortSignal): Promise<readonly PullSource[]>;
  /** What is known of registries; never a password. */
  registries(signal: AbortSignal): Promise<readonly RegistryView[]>;
  /** Keeps a login for all nodes. IMAGE_DENIED when the registry refuses it. */
  login(registry: string, request: LoginRequest, signal: AbortSignal): Promise<LoginAnswer>;
  /** Forgets it. */
  logout(registry: string, actor: string, signal: AbortSignal): Promise<LoginAnswer>;
  /** Who is told what is wrong. */
  receivers(signal: AbortSignal): Promise<readonly ReceiverView[]>;
  /** Sends a test to one of them, or to all. NOT_FOUND, NOTIFICATION_FAILED. */
  testReceivers(name: string | undefined, signal: AbortSignal): Promise<readonly ReceiverView[]>;
  /** Opens a session inside an instance; the first frame says what to run. An abort cuts it. */
  exec(instance: string, actor: string, signal: AbortSignal): Promise<ExecConnection>;
  /** Opens a session that takes an archive of images (image-load.ts) for a node: name, id or alias. An abort cuts it. */
  loadImages(node: string, actor: string, signal: AbortSignal): Promise<ExecConnection>;
}

export interface RemoveRequest {
  readonly services?: readonly string[];
  readonly apps?: readonly string[];
  readonly actor?: string;
}

export interface ApproveRequest {
  readonly id: string;
  readonly actor?: string;
}

export interface TokenRequest {
  /** Binds the token to this node name. */
  readonly name?: string;
  /** The machine takes the place of that node. NOT_FOUND; REFUSED while it is online, but with `force`. */
  readonly replace?: boolean;
  readonly force?: boolean;
  /** Then its instances start with empty volumes. */
  readonly accept_empty_volume?: boolean;
  /** ms. */
  readonly ttl?: number;
  readonly uses?: number;
  readonly actor?: string;
}

/** A client; connects at each call, holds nothing open. */
export function createApiClient(endpoint: ApiClientOptions): ApiClient {
  const get = <T>(path: string, signal: AbortSignal) => json<T>(endpoint, 'GET', path, undefined, signal);
  const post = <T>(path: string, body: unknown, signal: AbortSignal) => json<T>(endpoint, 'POST', path, body, signal);
  const list = async <T>(kind: string, names: readonly string[], signal: AbortSignal): Promise<readonly T[]> => {
    const query = new URLSearchParams(names.map((name): [string, string] => ['name', name]));
    return (await get<{ items: readonly T[] }>(`/v1/${kind}${names.length > 0 ? `?${query}` : ''}`, signal)).items;
  };
  return {
    url: endpoint.url,
    status: (signal) => get('/v1/status', signal),
    apps: (names, signal) => list('apps', names, signal),
    services: (names, signal) => list('services', names, signal),
    instances: (names, signal) => list('instances', names, signal),
    nodes: (names, signal) => list('nodes', names, signal),
    service: (name, signal) => get(`/v1/services/${encodeURIComponent(name)}`, signal),
    node: (name, signal) => get(`/v1/nodes/${encodeURIComponent(name)}`, signal),
    why: (subject, signal) => get(`/v1/why?${new URLSearchParams({ subject })}`, signal),
    holds: (signal) => list('holds', [], signal),
    deploy: (request, signal) => post('/v1/deploy', request, signal),
    remove: (request, signal) => post('/v1/delete', request, signal),
    move: (instance, request, signal) => post(`/v1/instances/${encodeURIComponent(instance)}/move`, request, signal),
    replicate: (instance, request, signal) =>
      post(`/v1/instances/${encodeURIComponent(instance)}/replicate`, request, signal),
    plan: (request, signal) => post('/v1/plan', request, signal),
    snapshot: (signal) => get('/v1/snapshot', signal),
    approve: (request, signal) => post('/v1/approve', request, signal),
    sync: (signal) => post('/v1/sync', {}, signal),
    async history(source, signal) {
      const query = source === undefined ? '' : `?${new URLSearchParams({ source })}`;
      return (await get<{ items: readonly RevisionView[] }>(`/v1/history${query}`, signal)).items;
    },
    rollback: (request, signal) => post('/v1/rollback', request, signal),
    unpin: (request, signal) => post('/v1/unpin', request, signal),
    suspend: (request, signal) => post('/v1/suspend', request, signal),
    resume: (request, signal) => post('/v1/resume', request, signal),
    createToken: (request, signal) => post('/v1/tokens', request, signal),
    tokens: (signal) => list('tokens', [], signal),
    revokeToken: (id, actor, signal) => post(`/v1/tokens/${encodeURIComponent(id)}/revoke`, { actor }, signal),
    packages: (signal) => get('/v1/packages', signal),
    removeNode: (node, request, signal) => post(`/v1/nodes/${encodeURIComponent(node)}/remove`, request, signal),
    revoke: (node, signal) => post(`/v1/nodes/${encodeURIComponent(node)}/revoke`, {}, signal),
    overrides: (signal) => list('overrides', [], signal),
    removeOverride: (id, actor, signal) => post(`/v1/overrides/${encodeURIComponent(id)}/remove`, { actor }, signal),
    scale: (service, request, signal) => post(`/v1/services/${encodeURIComponent(service)}/scale`, request, signal),
    stop: (service, request, signal) => post(`/v1/services/${encodeURIComponent(service)}/stop`, request, signal),
    start: (service, actor, signal) => post(`/v1/services/${encodeURIComponent(service)}/start`, { actor }, signal),
    undelete: (service, request, signal) =>
      post(`/v1/services/${encodeURIComponent(service)}/undelete`, request, signal),
    restart(what, request, signal) {
      const [kind, name] = 'service' in what ? ['services', what.service] : ['instances', what.instance];
      return post(`/v1/${kind}/${encodeURIComponent(name)}/restart`, request, signal);
    },
    cordon: (node, request, signal) => post(`/v1/nodes/${encodeURIComponent(node)}/cordon`, request, signal),
    drain: (node, request, signal) => post(`/v1/nodes/${encodeURIComponent(node)}/drain`, request, signal),
    uncordon: (node, actor, signal) => post(`/v1/nodes/${encodeURIComponent(node)}/uncordon`, { actor }, signal),
    keys: (signal) => list('keys', [], signal),
    rotateKeys: (wish, signal) => post('/v1/keys/rotate', wish, signal),
    credential: (node, password, signal) =>
      json({ ...endpoint, basic: { user: node, password } }, 'POST', '/v1/credential', {}, signal),
    identity: (nonce, signal) => get(`/v1/identity?${new URLSearchParams({ nonce })}`, signal),
    tls: (signal) => get('/v1/tls', signal),
    join: (request, signal) => post('/v1/join', request, signal),
    standing: (request, signal) => post('/v1/standing', request, signal),
    register: (request, bearer, signal) =>
      // The owner of a cluster decides whether join tokens travel in the open: this one, too.
      json(
        { ...endpoint, insecure: true, ...(bearer !== undefined && { token: bearer }) },
        'POST',
        '/api/node/register',
        request,
        signal,
      ),
    events: (options, signal) => events(endpoint, options, signal),
    logs: (instance, options, signal) => logs(endpoint, instance, options, signal),
    pullSources: async (registry, signal) =>
      (await get<{ items: PullSource[] }>(`/v1/registries/${encodeURIComponent(registry)}/sources`, signal)).items,
    registries: (signal) => list('registries', [], signal),
    login: (registry, request, signal) => post(`/v1/registries/${encodeURIComponent(registry)}/login`, request, signal),
    logout: (registry, actor, signal) =>
      post(`/v1/registries/${encodeURIComponent(registry)}/logout`, { actor }, signal),
    receivers: (signal) => list('notifications', [], signal),
    testReceivers: async (name, signal) =>
      (await post<{ items: ReceiverView[] }>('/v1/notifications/test', { name }, signal)).items,
    exec: async (instance, actor, signal) =>
      (await import('./exec-client.ts')).openExec(endpoint, instance, actor, signal),
    loadImages: async (node, actor, signal) =>
      (await import('./exec-client.ts')).openLoad(endpoint, node, actor, signal),
  };
}

function json<T>(
  endpoint: Endpoint,
  method: 'GET' | 'POST',
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<T> {
  return exchangeJson<T>(endpoint, { method, path, ...(body === undefined ? {} : { body }) }, signal);
}

/** Query of a stream; absent options are left out. */
function query(options: Readonly<Record<string, number | boolean | string | undefined>>): string {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return entries.length > 0
    ? `?${new URLSearchParams(entries.map(([key, value]): [string, string] => [key, String(value)]))}`
    : '';
}

async function* events(
  endpoint: Endpoint,
  { after, follow }: { readonly after?: EventPosition; readonly follow?: boolean },
  signal: AbortSignal,
): AsyncGenerator<ClusterEvent, void, undefined> {
  const position = typeof after === 'object' ? eventId(after) : after;
  const path = `/v1/events${query({ after: position, follow })}`;
  for await (const data of readServerEvents(stream(endpoint, path, signal))) yield JSON.parse(data) as ClusterEvent;
}

function logs(
  endpoint: Endpoint,
  instance: string,
  options: { readonly tail?: number; readonly follow?: boolean },
  signal: AbortSignal,
): AsyncIterable<string> {
  const path = `/v1/instances/${encodeURIComponent(instance)}/logs`;
  return stream(endpoint, `${path}${query({ tail: options.tail, follow: options.follow })}`, signal);
}

async function* stream(endpoint: Endpoint, path: string, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
  try {
    yield* readPieces(endpoint, await exchange(endpoint, { method: 'GET', path }, signal), signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
