/**
 * What each command prints with `-o json`, as JSON Schema: emitted to schemas/json/output. The name of a file is that of its
 * command, with dashes. `<command>-watch` and `logs` describe one line: a stream has no end to close a list with.
 */

import { type TSchema, Type } from 'typebox';
import { roles } from './accounts.ts';
import {
  ApiTokenAnswerSchema,
  ApiTokenSchema,
  CallerSchema,
  CordonAnswerSchema,
  DeployAnswerSchema,
  LoginAnswerSchema,
  PackageSchema,
  ReplacesSchema,
  SlotAnswerSchema,
  SuspendAnswerSchema,
  SyncAnswerSchema,
  TokenAnswerSchema,
  UserAnswerSchema,
  UserSchema,
  VerbAnswerSchema,
} from './answer-schemas.ts';
import { AuditEntrySchema } from './audit.ts';
import { ClusterSnapshotSchema } from './cluster-snapshot.ts';
import { Descriptor } from './descriptor-schema.ts';
import { KeyViewSchema, RotateAnswerSchema } from './keys.ts';
import { ReceiverSchema } from './notifications.ts';
import {
  AppSchema,
  AuthoritySchema,
  CauseSchema,
  DrainSchema,
  DriftSchema,
  EventSchema,
  InstanceSchema,
  NodeSchema,
  OverrideSchema,
  PinSchema,
  PlanSchema,
  ProblemView,
  RegistrySchema,
  RevisionSchema,
  ServiceSchema,
  StatusSchema,
  TlsSchema,
  TokenSchema,
  words,
} from './view-schemas.ts';

const text = Type.String();
const texts = Type.Array(text);
const count = Type.Integer({ minimum: 0 });
const items = <T extends TSchema>(schema: T) => Type.Object({ items: Type.Array(schema) });

const ContextRow = Type.Object({
  name: text,
  current: Type.Boolean(),
  kind: words(['context', 'cluster']),
  api: Type.Optional(text),
  tokenFile: Type.Optional(text),
  caFile: Type.Optional(text),
  user: Type.Optional(Type.String({ description: 'who is logged in there' })),
  role: Type.Optional(words(roles)),
});

const time = Type.Number({ description: 'ms since 1970' });

const Finding = Type.Object({
  check: text,
  state: words(['ok', 'warning', 'failed']),
  message: text,
  hint: Type.Optional(text),
});

const ProcessRow = Type.Object({
  name: text,
  state: words(['up', 'down']),
  pid: Type.Optional(count),
  address: Type.Optional(text),
  node: Type.Optional(text),
  instances: Type.Optional(count),
});

const ServiceOutcome = Type.Object({
  name: text,
  digest: text,
  verdict: words(['settled', 'unconfirmed', 'failed', 'rolled_back', 'refused', 'waiting']),
  message: text,
  view: Type.Optional(ServiceSchema),
});

const CommitSchema = Type.Object(
  {
    source: text,
    commit: text,
    file: Type.String({ description: 'from the root of the repository' }),
    line: Type.Integer({ minimum: 1 }),
    changed: Type.Boolean({ description: 'false: the file said so already' }),
  },
  { description: 'with --commit' },
);

const outcomes = Type.Array(ServiceOutcome, { description: 'empty with --detach' });

const SlotSchema = Type.Object({ ...SlotAnswerSchema.properties, outcomes });

const VerbSchema = Type.Object({
  ...VerbAnswerSchema.properties,
  commit: Type.Optional(CommitSchema),
  outcomes,
});

const secretNote = {
  name: text,
  file: Type.String({ description: 'from the root of the repository' }),
  version: text,
  changed: Type.Boolean({ description: 'false: it was so already' }),
  nodes: Type.Array(text, { description: 'that can read it' }),
  others: Type.Array(text, { description: 'recipients that can read it, and are no nodes' }),
  added: Type.Array(text, { description: 'can read it from now on: nodes by name, others by recipient' }),
  removed: Type.Array(text, { description: 'could read it before, and cannot read what is written now' }),
  lack: Type.Array(text, { description: 'nodes that are to read it, and cannot' }),
  commit: Type.Optional(CommitSchema),
};

const stopped = { name: text, ended: texts, copies: count };

const cordonAnswer = Type.Object({ ...CordonAnswerSchema.properties, commit: Type.Optional(CommitSchema) });

const backupSummary = {
  cluster: text,
  fingerprint: text,
  taken: Type.Number({ description: 'ms since 1970' }),
  epoch: count,
  nodes: count,
  services: count,
};

/** By command, as it is typed. */
export const outputs = {
  adopt: VerbSchema,
  'agent install': Type.Object({
    node: text,
    id: text,
    cluster: text,
    folder: text,
    unit: Type.Optional(text),
    run: Type.Optional(Type.String({ description: 'where there is no systemd: what is to be run' })),
  }),
  'agent uninstall': Type.Object({
    folder: text,
    node: Type.Optional(text),
    cluster: Type.Optional(text),
    containers: count,
    processes: count,
    kept: texts,
  }),
  approve: Type.Object({ approved: text }),
  'apps ls': items(AppSchema),
  audit: items(AuditEntrySchema),
  backup: Type.Object({
    file: text,
    sealed: Type.Boolean({ description: 'with a passphrase' }),
    bytes: count,
    ...backupSummary,
  }),
  'broker config': Type.Object({
    kind: words(['mosquitto', 'nats']),
    files: Type.Array(Type.Object({ name: text, text })),
    settings: text,
    folder: Type.Optional(text),
    written: Type.Optional(texts),
    kept: Type.Optional(texts),
  }),
  'ca export': AuthoritySchema,
  'ca show': TlsSchema,
  'contexts add': Type.Object({
    name: text,
    api: text,
    tokenFile: Type.Optional(text),
    caFile: Type.Optional(text),
    insecure: Type.Optional(Type.Boolean()),
  }),
  'contexts current': Type.Object({ current: text }),
  'contexts ls': items(ContextRow),
  'contexts rm': Type.Object({ removed: text }),
  'contexts use': Type.Object({ current: text }),
  delete: Type.Object({ services: texts }),
  deploy: Type.Object({ ...DeployAnswerSchema.properties, outcomes }),
  doctor: items(Finding),
  down: Type.Object({ ...stopped, networks: count, volumes: texts, kept: texts }),
  drift: items(DriftSchema),
  events: items(EventSchema),
  'events watch': EventSchema,
  'images load': items(
    Type.Object({
      node: text,
      state: words(['loaded', 'present', 'failed']),
      images: Type.Array(Type.Object({ id: text, names: texts }), { description: 'as its engine has them' }),
      problem: Type.Optional(ProblemView),
    }),
  ),

  history: items(RevisionSchema),
  init: Type.Object({ file: text }),
  import: Descriptor,
  'instances ls': items(InstanceSchema),
  'keys ls': items(KeyViewSchema),
  'keys rotate ca': RotateAnswerSchema,
  'keys rotate cluster': RotateAnswerSchema,
  'keys rotate node': RotateAnswerSchema,
  login: Type.Object({ context: text, api: text, user: text, role: words(roles), until: time }),
  logout: Type.Object({
    context: text,
    user: Type.Optional(Type.String({ description: 'absent: nobody was logged in' })),
    untold: Type.Optional(
      Type.Object({ message: text, until: time }, { description: 'the cluster did not answer: there it goes on' }),
    ),
  }),
  logs: Type.Object({ instance: text, text }),
  move: SlotSchema,
  'nodes add': Type.Object({
    line: Type.String({ description: 'a secret: whoever has it first becomes the node' }),
    id: Type.String({ description: 'of the join token' }),
    expires: Type.Number({ description: 'ms since 1970' }),
    api: text,
    architectures: texts,
    replaces: Type.Optional(ReplacesSchema),
    secrets: Type.Array(text, { description: 'that services use, and the new node cannot read yet' }),
    node_secrets: Type.Array(text, { description: 'that services take from files of their nodes' }),
  }),
  'nodes cordon': cordonAnswer,
  'nodes drain': Type.Object({
    node: text,
    moved: Type.Array(text, { description: 'instances that left' }),
    ...DrainSchema.properties,
  }),
  'nodes inspect': NodeSchema,
  'nodes ls': items(NodeSchema),
  'nodes packages': items(PackageSchema),
  'nodes revoke': Type.Object({ revoked: text }),
  'nodes rm': Type.Object({ removed: text }),
  'nodes uncordon': cordonAnswer,
  'nodes token create': TokenAnswerSchema,
  'nodes token ls': items(TokenSchema),
  'nodes token revoke': Type.Object({ revoked: text }),
  'notifications ls': items(ReceiverSchema),
  'notifications test': items(ReceiverSchema),
  'registries login': LoginAnswerSchema,
  'registries logout': LoginAnswerSchema,
  'registries ls': items(RegistrySchema),
  'overrides ls': items(OverrideSchema),
  'overrides rm': Type.Object({ removed: text }),
  plan: PlanSchema,
  ps: items(ProcessRow),
  render: Descriptor,
  replicate: SlotSchema,
  restart: VerbSchema,
  restore: Type.Object({
    ...backupSummary,
    folder: text,
    kept: Type.Array(text, { description: 'files that were there, and stayed' }),
    settings: Type.Boolean({
      description: 'whether it has a cluster.yaml; false: its settings come from the environment',
    }),
    aside: Type.Optional(Type.String({ description: 'with --force: where what was there is now' })),
  }),
  resume: SuspendAnswerSchema,
  rollback: PinSchema,
  scale: VerbSchema,
  'secret edit': Type.Object(secretNote),
  'secret ls': items(
    Type.Object({
      name: text,
      file: secretNote.file,
      version: Type.Optional(text),
      keys: Type.Array(text, { description: 'of a secret that has several values' }),
      nodes: secretNote.nodes,
      others: secretNote.others,
      lack: secretNote.lack,
      readers: Type.Optional(
        Type.Object({ nodes: texts, labels: texts }, { description: 'for which nodes it is; absent: for all' }),
      ),
      problem: Type.Optional(ProblemView),
    }),
  ),
  'secret rekey': items(Type.Object(secretNote)),
  'secret set': Type.Object(secretNote),
  'services inspect': ServiceSchema,
  'services ls': items(ServiceSchema),
  snapshot: Type.Union([
    ClusterSnapshotSchema,
    Type.Object({ file: text, cluster: text, taken: Type.Number({ description: 'ms since 1970' }), bytes: count }),
  ]),
  status: StatusSchema,
  start: VerbSchema,
  stop: Type.Union([Type.Object(stopped), VerbSchema]),
  suspend: SuspendAnswerSchema,
  sync: SyncAnswerSchema,
  up: Type.Object({
    name: text,
    folder: text,
    api: text,
    mqtt: text,
    repository: text,
    runtime: words(['docker', 'process']),
    workers: Type.Array(Type.Object({ name: text, ip: text, id: Type.Optional(text) })),
    started: texts,
    already: texts,
  }),
  undelete: VerbSchema,
  unpin: PinSchema,
  'users add': UserAnswerSchema,
  'users ls': items(UserSchema),
  'users passwd': UserAnswerSchema,
  'users rm': Type.Object({ removed: text }),
  'users role': UserAnswerSchema,
  'users token create': ApiTokenAnswerSchema,
  'users token ls': items(ApiTokenSchema),
  'users token revoke': Type.Object({ revoked: text }),
  validate: Descriptor,
  version: Type.Object({
    client: text,
    node: text,
    reconciler: Type.Optional(text),
    cluster: Type.Optional(text),
    skew: Type.Optional(text),
  }),
  whoami: Type.Object({ ...CallerSchema.properties, context: text, api: text }),
  why: CauseSchema,
} as const satisfies Readonly<Record<string, TSchema>>;

/** File name (below schemas/json) to content. */
export function outputSchemas(): Readonly<Record<string, string>> {
  const files = Object.entries(outputs).map(([command, schema]) => {
    const name = `output/${command.replaceAll(' ', '-')}.schema.json`;
    const head = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: `oakctl/${name}`,
      title: `oakctl ${command} -o json`,
    };
    return [name, `${JSON.stringify({ ...head, ...schema, title: head.title }, undefined, 2)}\n`];
  });
  return Object.fromEntries(files);
}
