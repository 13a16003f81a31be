/** The native API for people and programs: what is, what should be, and verbs. */
import { Type } from 'typebox';
import {
  CordonAnswerSchema,
  DeployAnswerSchema,
  LoginAnswerSchema,
  OkSchema,
  PackagesSchema,
  ProblemsAnswer,
  SlotAnswerSchema,
  SuspendAnswerSchema,
  SyncAnswerSchema,
  TokenAnswerSchema,
  VerbAnswerSchema,
} from '../../../schemas/answer-schemas.ts';
import {
  ActorBody,
  ApproveBody,
  CordonBody,
  DeleteBody,
  DeployBody,
  EmptyBody,
  LoginBody,
  MoveBody,
  NotificationTestBody,
  PlanBody,
  RemoveNodeBody,
  ReplicateBody,
  RestartBody,
  ResumeBody,
  RollbackBody,
  ScaleBody,
  SuspendBody,
  TokenBody,
  UndeleteBody,
  UnpinBody,
  VerbBody,
} from '../../../schemas/api-bodies.ts';
import { ClusterSnapshotSchema } from '../../../schemas/cluster-snapshot.ts';
import { KeyViewSchema, RotateAnswerSchema, RotateBody } from '../../../schemas/keys.ts';
import { ReceiverSchema } from '../../../schemas/notifications.ts';
import {
  AppSchema,
  CauseSchema,
  HoldView,
  InstanceSchema,
  NodeSchema,
  OverrideSchema,
  PinSchema,
  PlanSchema,
  RegistrySchema,
  RevisionSchema,
  ServiceSchema,
  StatusSchema,
  TokenSchema,
} from '../../../schemas/view-schemas.ts';
import { flag, itemsOf, namesQuery, type OperationGroup, type Operations } from './operation.ts';

const text = Type.String();
const removed = Type.Object({ removed: text });
const revoked = Type.Object({ revoked: text });
const claimed = Type.String({ description: 'who it is, said by the owner of the token file' });
const anyDocument = Type.Record(Type.String(), Type.Unknown());

const readings: Operations = {
  'GET /v1/status': { summary: 'the cluster at a glance', answers: { 200: StatusSchema } },
  'GET /v1/why': {
    summary: 'the chain behind whatever does not run',
    query: { subject: Type.String({ description: 'application, service, instance, or `node/<name>`' }) },
    answers: { 200: CauseSchema },
  },
  'GET /v1/holds': { summary: 'what waits, and for what', answers: { 200: itemsOf(HoldView) } },
  'GET /v1/apps': { summary: 'applications', query: namesQuery, answers: { 200: itemsOf(AppSchema) } },
  'GET /v1/services': { summary: 'services', query: namesQuery, answers: { 200: itemsOf(ServiceSchema) } },
  'GET /v1/services/:name': { summary: 'one service', answers: { 200: ServiceSchema } },
  'GET /v1/instances': { summary: 'instances', query: namesQuery, answers: { 200: itemsOf(InstanceSchema) } },
  'GET /v1/instances/:name/logs': {
    summary: 'log of an instance, from its agent',
    query: { tail: Type.Integer({ minimum: 0, maximum: 100_000, description: 'last lines' }), follow: flag },
    answers: { 200: 'text/plain' },
  },
  'GET /v1/instances/:name/exec': {
    summary: 'a session inside an instance',
    query: { actor: claimed },
    answers: {},
    socket: 'binary frames, their first byte names the channel: input down, output up, controls both ways',
  },
  'GET /v1/nodes/:name/images': {
    summary: 'an archive of images for the engine of a node',
    query: { actor: claimed },
    answers: {},
    socket: 'binary frames, their first byte names the channel: the archive down, what the engine says up',
  },
  'GET /v1/nodes': { summary: 'nodes', query: namesQuery, answers: { 200: itemsOf(NodeSchema) } },
  'GET /v1/nodes/:name': { summary: 'one node, by name, id or alias', answers: { 200: NodeSchema } },
  'GET /v1/overrides': {
    summary: 'where services deviate from their source',
    answers: { 200: itemsOf(OverrideSchema) },
  },
  'GET /v1/history': {
    summary: 'what sources were at, the newest first',
    query: { source: text },
    answers: { 200: itemsOf(RevisionSchema) },
  },
  'GET /v1/events': {
    summary: 'what happens, as server-sent events',
    query: {
      after: Type.String({
        description: 'number or id of an event, or `latest`; the header Last-Event-ID counts more',
      }),
      follow: flag,
    },
    answers: { 200: 'text/event-stream' },
  },
  'GET /v1/snapshot': {
    summary: 'all that a plan rests on, for `oakctl plan --offline`',
    answers: { 200: ClusterSnapshotSchema },
  },
  'GET /metrics': { summary: 'metrics for Prometheus', answers: { 200: 'text/plain' } },
};

const changes: Operations = {
  'POST /v1/deploy': {
    summary: 'deploy descriptors; recorded when it answers',
    body: DeployBody,
    answers: { 200: DeployAnswerSchema },
  },
  'POST /v1/plan': {
    summary: 'what would happen; changes nothing',
    body: PlanBody,
    answers: { 200: PlanSchema },
  },
  'POST /v1/delete': {
    summary: 'delete what was deployed',
    body: DeleteBody,
    answers: { 200: Type.Object({ services: Type.Array(text) }) },
  },
  'POST /v1/approve': {
    summary: 'let pass what is held',
    body: ApproveBody,
    answers: { 200: Type.Object({ approved: text }) },
  },
  'POST /v1/sync': { summary: 'look at the sources now', body: EmptyBody, answers: { 200: SyncAnswerSchema } },
  'POST /v1/rollback': { summary: 'back to an older revision', body: RollbackBody, answers: { 200: PinSchema } },
  'POST /v1/unpin': { summary: 'a source follows its head again', body: UnpinBody, answers: { 200: PinSchema } },
  'POST /v1/suspend': {
    summary: 'no automatic changes to something',
    body: SuspendBody,
    answers: { 200: SuspendAnswerSchema },
  },
  'POST /v1/resume': { summary: 'the end of it', body: ResumeBody, answers: { 200: SuspendAnswerSchema } },
  'POST /v1/services/:name/scale': {
    summary: 'so many instances',
    body: ScaleBody,
    answers: { 200: VerbAnswerSchema },
  },
  'POST /v1/services/:name/stop': {
    summary: 'nothing of it runs',
    body: VerbBody,
    answers: { 200: VerbAnswerSchema },
  },
  'POST /v1/services/:name/start': {
    summary: 'it runs again',
    body: ActorBody,
    answers: { 200: VerbAnswerSchema },
  },
  'POST /v1/services/:name/undelete': {
    summary: 'it runs on although its source removed it',
    body: UndeleteBody,
    answers: { 200: VerbAnswerSchema },
  },
  'POST /v1/services/:name/restart': {
    summary: 'new copies of the same version',
    body: RestartBody,
    answers: { 200: VerbAnswerSchema },
  },
  'POST /v1/instances/:name/restart': {
    summary: 'a new copy of one instance',
    body: RestartBody,
    answers: { 200: VerbAnswerSchema },
  },
  'POST /v1/instances/:name/move': {
    summary: 'to another node',
    body: MoveBody,
    answers: { 200: SlotAnswerSchema },
  },
  'POST /v1/instances/:name/replicate': {
    summary: 'one more like this one',
    body: ReplicateBody,
    answers: { 200: SlotAnswerSchema },
  },
  'POST /v1/overrides/:id/remove': {
    summary: 'it is as its source says again',
    body: ActorBody,
    answers: { 200: removed },
  },
};

const administration: Operations = {
  'GET /v1/tokens': { summary: 'join tokens, without their secrets', answers: { 200: itemsOf(TokenSchema) } },
  'POST /v1/tokens': {
    summary: 'a token with which nodes join',
    body: TokenBody,
    answers: { 200: TokenAnswerSchema },
  },
  'POST /v1/tokens/:id/revoke': {
    summary: 'nobody joins with it any more',
    body: ActorBody,
    answers: { 200: revoked },
  },
  'POST /v1/nodes/:name/revoke': {
    summary: 'the credential of a node ends',
    body: EmptyBody,
    answers: { 200: revoked },
  },
  'POST /v1/nodes/:name/remove': {
    summary: 'a node is forgotten',
    body: RemoveNodeBody,
    answers: { 200: removed },
  },
  'POST /v1/nodes/:name/cordon': {
    summary: 'nothing new on a node',
    body: CordonBody,
    answers: { 200: CordonAnswerSchema },
  },
  'POST /v1/nodes/:name/drain': {
    summary: 'what can run elsewhere moves there',
    body: CordonBody,
    answers: { 200: CordonAnswerSchema },
  },
  'POST /v1/nodes/:name/uncordon': {
    summary: 'the end of both',
    body: ActorBody,
    answers: { 200: CordonAnswerSchema },
  },
  'GET /v1/keys': { summary: 'signing keys, roots and credentials', answers: { 200: itemsOf(KeyViewSchema) } },
  'POST /v1/keys/rotate': {
    summary: 'another key in place of one',
    body: RotateBody,
    answers: { 200: RotateAnswerSchema },
  },
  'GET /v1/registries': {
    summary: 'what is known of registries, never a password',
    answers: { 200: itemsOf(RegistrySchema) },
  },
  'POST /v1/registries/:name/login': {
    summary: 'a login for all nodes; over TLS or loopback',
    body: LoginBody,
    answers: { 200: LoginAnswerSchema },
  },
  'POST /v1/registries/:name/logout': {
    summary: 'it is forgotten',
    body: ActorBody,
    answers: { 200: LoginAnswerSchema },
  },
  'GET /v1/notifications': { summary: 'who is told what is wrong', answers: { 200: itemsOf(ReceiverSchema) } },
  'POST /v1/notifications/test': {
    summary: 'tell them something',
    body: NotificationTestBody,
    answers: { 200: itemsOf(ReceiverSchema) },
  },
  'GET /v1/packages': { summary: 'packages of the agent', answers: { 200: PackagesSchema } },
};

const health: Operations = {
  'GET /livez': { summary: 'the process answers', answers: { 200: OkSchema } },
  'GET /healthz': { summary: 'it has what it stands on', answers: { 200: OkSchema, 503: ProblemsAnswer } },
  'GET /readyz': { summary: 'it can do its work', answers: { 200: OkSchema, 503: ProblemsAnswer } },
  'GET /api/openapi.json': { summary: 'this document', answers: { 200: anyDocument } },
  'GET /docs/openapi.json': { summary: 'the same, where Oakestra has it', answers: { 200: anyDocument } },
  'GET /api/docs': { summary: 'a page to read and try it', answers: { 200: 'text/html' } },
  'GET /api/docs/:file': { summary: 'what that page loads', answers: { 200: 'text/*' } },
};

const failure = ProblemsAnswer;

export const clusterGroups: readonly OperationGroup[] = [
  { name: 'Cluster', description: 'What is.', failure, operations: readings },
  { name: 'Changes', description: 'What should be, and verbs.', failure, operations: changes },
  { name: 'Administration', description: 'Nodes, keys, registries.', failure, operations: administration },
  { name: 'Health', description: 'For supervisors; and this description.', failure, operations: health },
];
