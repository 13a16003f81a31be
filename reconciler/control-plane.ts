/** What the API asks of the reconciler. The loop implements it; failures are ProblemErrors. */

import type {
  CalculateAnswer,
  CordonAnswer,
  DeployAnswer,
  DeployRequest,
  LoginAnswer,
  PlanRequest,
  SlotAnswer,
  SuspendAnswer,
  SyncAnswer,
  TokenAnswer,
  VerbAnswer,
} from '../schemas/api.ts';
import type { ClusterEvent, EventPosition } from '../schemas/cluster-events.ts';
import type { ExecConnection } from '../schemas/exec.ts';
import type { CredentialAnswer, IdentityAnswer, JoinAnswer, JoinRequest, RegisterAnswer } from '../schemas/joining.ts';
import type { KeyView, RotateAnswer, RotateBody } from '../schemas/keys.ts';
import type { NodeId, ServiceName } from '../schemas/names.ts';
import type { Login, PullSource } from '../schemas/registries.ts';
import type { PlainJob, SeedRegistration } from '../schemas/seed.ts';
import type { Hold } from '../schemas/status.ts';
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
} from '../schemas/views.ts';
import type { Registered } from './core/oakestra.ts';
import type { Tally } from './core/records.ts';
import type { Figures } from './figures.ts';
import type { TokenWish } from './join-tokens.ts';
import type { Rollback } from './revisions.ts';
import type { SavedPlanning } from './saved-planning.ts';
import type { Vitals } from './vitals.ts';

export interface VerbOptions {
  /** ms. */
  readonly for?: number;
  readonly reason?: string;
  readonly actor: string;
}

/** How an instance moves. */
export interface MoveOptions extends Omit<VerbOptions, 'actor'> {
  /** Its volumes stay where they are, and it starts with empty ones. */
  readonly acceptEmptyVolume?: boolean;
}

/** How a service restarts. */
export interface RestartOptions {
  /** The registry is asked anew what the tag of its image stands for. */
  readonly pull?: boolean;
}

export interface CordonOptions {
  readonly reason?: string;
  readonly actor: string;
}

export interface ControlPlane {
  /** The cluster's name. */
  readonly cluster: string;
  status(): ClusterStatus;
  apps(): readonly AppView[];
  services(): readonly ServiceView[];
  /** The service of exactly this full name; at a cost that does not grow with the cluster. */
  service(name: string): ServiceView | undefined;
  instances(): readonly InstanceView[];
  nodes(): readonly NodeView[];
  /** The node that joined under exactly this name, or has this id; at a cost that does not grow with the fleet. */
  node(text: string): NodeView | undefined;
  holds(): readonly Hold[];
  /** The chain behind an application, service, instance or `node/<name>`. NOT_FOUND, BAD_REQUEST when the name fits several. */
  why(subject: string): Cause;
  /** Records the descriptors as direct deployments; resolves after the fsync. OWNED_BY_GIT when a git source has the name. */
  deploy(request: DeployRequest): Promise<DeployAnswer>;
  /** Deletes direct deployments by full service name or `app.appns`. OWNED_BY_GIT, NOT_FOUND. */
  remove(
    names: { readonly services?: readonly string[]; readonly apps?: readonly string[] },
    actor: string,
  ): Promise<{ services: readonly string[] }>;
  /** Recorded when it resolves: the instance is healthy there before it ends where it runs. NOT_FOUND, REFUSED. */
  move(instance: string, to: NodeId, actor: string, how?: MoveOptions): Promise<SlotAnswer>;
  /** A further instance like this one, on that node or anywhere. NOT_FOUND, REFUSED. */
  replicate(
    instance: string,
    to: NodeId | undefined,
    actor: string,
    how?: Omit<VerbOptions, 'actor'>,
  ): Promise<SlotAnswer>;
  /** What a service was asked for. Undefined: nothing asks for it. */
  registered(service: string): Registered | undefined;
  /** One more instance, on the best node, now or later. NOT_FOUND, REFUSED. */
  addInstance(service: string, actor: string): Promise<SlotAnswer>;
  /** Exactly that instance goes; the service stays, also without any. NOT_FOUND, REFUSED. */
  dropInstance(instance: string, actor: string): Promise<SlotAnswer>;
  /** Where a job could go. Changes nothing. Throws what is wrong with the job. */
  calculate(job: PlainJob): CalculateAnswer;
  /** `counts`: whose instances are counted as settled. Absent: all. */
  plan(request: PlanRequest, counts?: (service: ServiceName) => boolean): Promise<PlanView>;
  /** What `oakctl plan --offline` reads. No credential is in it. */
  snapshot(): Promise<SavedPlanning>;
  approve(id: string, actor: string): Promise<{ approved: string }>;
  sync(signal: AbortSignal): Promise<SyncAnswer>;
  /** What sources were at, the newest first. NOT_FOUND. */
  history(source?: string): readonly RevisionView[];
  /** Back to an older revision, where the source stays for a time. NOT_FOUND, REFUSED, BAD_REQUEST when several sources may be meant. */
  rollback(wish: Rollback, signal: AbortSignal): Promise<PinView>;
  /** The source follows its head again. NOT_FOUND. */
  unpin(source: string | undefined, actor: string): Promise<PinView>;
  /** Nothing about it changes by itself for a time. `subject`: `cluster`, `app.appns`, a full service name, `node/<id>`. */
  suspend(subject: string, how: VerbOptions): Promise<SuspendAnswer>;
  /** REFUSED for what is suspended with something wider. */
  resume(subject: string, actor: string): Promise<SuspendAnswer>;
  /** NAME_TAKEN; with `replace`: NOT_FOUND, and REFUSED while the node is online, but with `force`. */
  createToken(request: TokenWish): Promise<TokenAnswer>;
  /** Join tokens that have not expired, newest first; never a secret. */
  tokens(): readonly TokenView[];
  /** NOT_FOUND. Nobody joins with it any more; nodes that did stay. */
  revokeToken(id: string, actor?: string): Promise<{ revoked: string }>;
  identity(nonce: string): IdentityAnswer;
  join(request: JoinRequest, peer: string): Promise<JoinAnswer>;
  /** A node of the dialect `seed`, new or again. `bearer`: a join token, or the password of that node. TOKEN_INVALID, NAME_TAKEN. */
  register(request: SeedRegistration, bearer: string): Promise<RegisterAnswer>;
  /** What a node is to the cluster that has this credential: its name; REVOKED says what became of it. UNAUTHORIZED. */
  standing(node: NodeId, password: string): { readonly node: string };
  revoke(node: string): Promise<{ revoked: string }>;
  /** Revokes a node and forgets it: its name is free again. REFUSED while copies are there; `force` is for lost nodes. */
  removeNode(
    node: string,
    options: { readonly force?: boolean; readonly actor?: string },
  ): Promise<{ removed: string }>;
  /** Signing keys and roots, the newest first, then credentials of nodes. */
  keys(): readonly KeyView[];
  /** `nodes`: their ids. Recorded when it resolves; nodes follow. REFUSED, NOT_FOUND, BAD_REQUEST. */
  rotateKeys(wish: RotateBody): Promise<RotateAnswer>;
  /** The credential that a node is to have, for the node itself. UNAUTHORIZED. */
  renewCredential(node: NodeId, password: string): Promise<CredentialAnswer>;
  overrides(): readonly OverrideView[];
  /** NOT_FOUND. The service is again as its source says. */
  removeOverride(id: string, actor: string): Promise<{ removed: string }>;
  /** So many instances: an override for what git owns, else the deployment itself. NOT_FOUND, REFUSED for `replicas: every`. */
  scale(service: string, replicas: number, how: VerbOptions): Promise<VerbAnswer>;
  /** Nothing of it runs, until its time is over or it is started. NOT_FOUND. */
  stop(service: string, how: VerbOptions): Promise<VerbAnswer>;
  start(service: string, actor: string): Promise<VerbAnswer>;
  /** What its source removed runs again, until a source says it again. REFUSED where nobody did, or where nothing of it is left. */
  undelete(service: string, how: VerbOptions): Promise<VerbAnswer>;
  /**
   * New copies of the same digest by the rules of its updates; `instance`: only that one. NOT_FOUND, REFUSED while it is stopped. With
   * `pull` also what the registry says that does not tell what the tag stands for: then nothing restarts.
   */
  restart(service: string, instance: string | undefined, actor: string, options?: RestartOptions): Promise<VerbAnswer>;
  /** No new copies there. `node`: its id. REFUSED for what has not joined, or left. */
  cordon(node: string, options: CordonOptions): Promise<CordonAnswer>;
  /** Cordoned, and what can run elsewhere moves there by and by; the node's view says how far it is. */
  drain(node: string, options: CordonOptions): Promise<CordonAnswer>;
  /** Ends both. REFUSED where nodes.yaml says so. */
  uncordon(node: string, actor: string): Promise<CordonAnswer>;
  /** What is known of registries; never a password. */
  registries(): Promise<readonly RegistryView[]>;
  /** Keeps a login for all nodes. BAD_REQUEST, IMAGE_DENIED when the registry refuses it, REGISTRIES_INVALID. */
  login(registry: string, login: Login, actor: string): Promise<LoginAnswer>;
  logout(registry: string, actor: string): Promise<LoginAnswer>;
  /** Where a node has images of a registry from. REFUSED where nothing that it is to run comes from there. */
  pullSources(node: NodeId, registry: string): Promise<readonly PullSource[]>;
  /** Text of an instance's log, from its agent. */
  logs(
    instance: string,
    options: { readonly tail?: number; readonly follow?: boolean },
    signal: AbortSignal,
  ): AsyncIterable<string>;
  /** Opens a session inside an instance, at its agent. NOT_FOUND when no copy of it is anywhere; UNAVAILABLE. */
  exec(instance: string, actor: string, signal: AbortSignal): Promise<ExecConnection>;
  /** Opens a session that takes an archive of images for the engine of a node (its id). REFUSED, UNAVAILABLE, AGENT_TOO_OLD. */
  loadImages(node: NodeId, actor: string, signal: AbortSignal): Promise<ExecConnection>;
  /** Events after this position that are still kept, then live ones until the signal aborts; `events_missed` where some are not. */
  events(after: EventPosition, signal: AbortSignal): AsyncIterable<ClusterEvent>;
  /** What was counted since the cluster began, and for how many ms this reconciler is up. */
  tally(): { readonly tally: Tally; readonly upTime: number };
  /** What is counted at a scrape. */
  figures(): Figures;
  /** What is missing for the reconciler to do its work, in words for everybody. */
  vitals(): Vitals;
}
