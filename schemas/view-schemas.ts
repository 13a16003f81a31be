/**
 * The views of views.ts as schemas: what scripts that read `-o json` rely on. Open: a later version may add members, so readers
 * ignore those they do not know. A contract test holds these and those types together.
 */
import { type TSchema, Type } from 'typebox';
import type { EventKind } from './cluster-events.ts';
import type { ProblemCode } from './problem.ts';
import { ScheduleSchema } from './run-view-schemas.ts';
import { copyStatuses, driftKinds, type HoldCode } from './status.ts';
import { DisconnectView, ExclusiveView } from './view-disconnect-schema.ts';
import type { Cause } from './views.ts';

/** One of a few words. */
export function words<const W extends string>(list: readonly W[]) {
  return Type.Unsafe<W>({ type: 'string', enum: list });
}

const keysOf = <K extends string>(table: Readonly<Record<K, string>>) => Object.keys(table) as K[];
const text = (description?: string) => Type.String(description === undefined ? {} : { description });
const count = (description?: string) =>
  Type.Integer({ minimum: 0, ...(description === undefined ? {} : { description }) });
const optional = <T extends TSchema>(schema: T) => Type.Optional(schema);
const texts = (description?: string) => Type.Array(text(), description === undefined ? {} : { description });

export const ProblemView = Type.Object({
  file: optional(text()),
  line: optional(count('from 1')),
  column: optional(count('from 1')),
  code: Type.Unsafe<ProblemCode>(text('stable; a later version may add some')),
  subject: optional(text('service, node, file or field')),
  message: text('one sentence, with the numbers'),
  hint: optional(text('what to do about it')),
  severity: optional(words(['error', 'warning'])),
  disposition: words(['retry', 'wait', 'stall']),
});

export const HoldView = Type.Object({
  id: optional(text('what `oakctl approve` takes')),
  code: Type.Unsafe<HoldCode>(text('listed in the README; a later version may add some')),
  subject: text('service, instance, `node/<name>` or `source/<name>`'),
  message: text('one sentence, with the numbers'),
  subjects: optional(texts('sorted, when it is about many')),
  commit: optional(text('the head of a source that waits; `oakctl approve` takes it, too')),
  hint: optional(text('the command that frees it')),
});

const Reason = Type.Object({ code: text(), message: text() });

const driftMembers = {
  kind: words(driftKinds),
  what: optional(text('what changed')),
  age: Type.Number({ description: 'ms since it was seen' }),
  healed: Type.Boolean({ description: 'it is as wanted again' }),
};

/** The drift of a copy, where it stands alone. */
export const DriftSchema = Type.Object({
  instance: text(),
  copy: optional(text('`<epoch>.<gen>`')),
  node: optional(text()),
  ...driftMembers,
});

const copyMembers = {
  copy: optional(text('`<epoch>.<gen>`')),
  node: optional(text()),
  want: optional(words(['run', 'prepared', 'stopped'])),
  status: words([...keysOf(copyStatuses), 'missing', 'lost']),
  healthy: Type.Boolean({ description: 'to be used: it runs as it should, and is not about to be stopped' }),
  digest: optional(text()),
  age: optional(Type.Number({ description: 'ms in this status' })),
  addresses: texts('where published ports answer: `ip:port`'),
  handle: optional(text('container id, or pid')),
  restarts: count(),
  drift: optional(Type.Object(driftMembers, { description: 'what somebody did to it last by hand on its node' })),
  reason: optional(Reason),
  leaving: optional(Type.Literal(true, { description: 'it is about to be stopped' })),
};

export const InstanceSchema = Type.Object({
  name: text('`<service>.instance.<slot>`'),
  service: text(),
  slot: count(),
  ...copyMembers,
  assumed: optional(Type.Literal(true, { description: 'its node never reports: this is what it was told' })),
  seen: optional(Type.Number({ description: 'ms since its node was heard' })),
  others: optional(
    Type.Array(Type.Object(copyMembers), {
      description: 'further copies, e.g. the old one that serves during an update',
    }),
  ),
});

export const outcomes = words([
  'progressing',
  'settled',
  'unconfirmed',
  'failed',
  'rolled_back',
  'paused',
  'held',
  'removing',
  'stopped',
  'orphaned',
]);

export const OverrideSchema = Type.Object({
  id: text('what `oakctl overrides rm` takes'),
  subject: text('service or instance'),
  kind: words(['scale', 'move', 'stop', 'undelete']),
  change: text('what is different, in words'),
  replicas: optional(count('of a scale: so many instances')),
  node: optional(text('of a move: the name of the node')),
  actor: text(),
  reason: optional(text()),
  since: Type.Number({ description: 'ms since 1970' }),
  until: optional(Type.Number({ description: 'ms since 1970; absent: until somebody ends it' })),
});

export const SuspendSchema = Type.Object({
  subject: text('`cluster`, an application, a service, or `node/<name>`'),
  actor: text(),
  reason: optional(text()),
  since: Type.Number({ description: 'ms since 1970' }),
  until: Type.Number({ description: 'ms since 1970' }),
});

export const ServiceSchema = Type.Object({
  name: text('`<app>.<namespace>.<service>.<namespace>`'),
  app: text(),
  source: text('name of a git source, or `direct`'),
  commit: optional(text()),
  file: optional(text()),
  line: optional(count('from 1')),
  image: text(),
  content: optional(text('what its tag stood for when this version was new')),
  unresolved: optional(text('why no registry said what its tag stands for: it counts as it is written')),
  secrets: optional(Type.Array(text(), { description: 'names of those of the repository that it uses' })),
  node_secrets: optional(Type.Array(text(), { description: 'names of those that are files of its nodes' })),
  digest: text('of what is wanted'),
  updated: optional(Type.Number({ description: 'when it was last deployed, or its digest began; ms since 1970' })),
  replicas: Type.Union([count(), Type.Literal('every')]),
  slots: count(),
  healthy: count(),
  outcome: outcomes,
  message: text('what it waits for, or why it failed'),
  holds: Type.Array(HoldView),
  overrides: Type.Array(OverrideSchema, { description: 'where it deviates from its source' }),
  suspended: optional(SuspendSchema),
  disconnect: optional(DisconnectView),
  exclusive: optional(ExclusiveView),
  instances: Type.Array(InstanceSchema),
  schedule: optional(ScheduleSchema),
});

export const CauseSchema = Type.Object({
  subject: text('what it is about: a thing, `<file>:<line>`, or `<n> more`'),
  code: optional(text('of a hold, a problem, or the reason of a copy')),
  message: text(),
  hint: optional(text('what frees it')),
  because: Type.Array(Type.Unsafe<Cause>({ $ref: '#' }), { description: 'what is behind it, the most telling first' }),
});

export const AppSchema = Type.Object({
  name: text(),
  source: text(),
  services: count(),
  healthy: count(),
  instances: count(),
  outcome: outcomes,
  suspended: optional(SuspendSchema),
});

const resources = (description: string) => Type.Object({ cpu: Type.Number(), memory: Type.Number() }, { description });

export const CordonView = Type.Object({
  cause: text('who, or what'),
  actor: optional(text()),
  reason: optional(text()),
  since: optional(Type.Number({ description: 'ms since 1970' })),
});

export const DrainSchema = Type.Object(
  {
    left: Type.Array(Type.Object({ instance: text(), message: text(), stuck: optional(Type.Literal(true)) }), {
      description: 'what has not moved yet, with what it waits for; stuck: its copy elsewhere failed',
    }),
    apart: Type.Array(Type.Object({ instance: text(), message: text() }), {
      description: 'what belongs to the node and is never moved',
    }),
  },
  { description: 'while the node is drained, and after' },
);

export const NodeSchema = Type.Object({
  name: text(),
  id: optional(text()),
  aliases: texts('other names that `direct` accepts'),
  state: words(['online', 'suspect', 'lost', 'expected', 'revoked']),
  dialect: optional(words(['oakctl', 'seed'])),
  cordoned: optional(CordonView),
  drain: optional(DrainSchema),
  suspended: optional(SuspendSchema),
  listed: Type.Boolean({ description: 'in nodes.yaml' }),
  ip: optional(text('where it publishes ports')),
  advertise: optional(text('where others reach them: `ip`, or `ip:port` where that port is all that leads there')),
  pool: text(),
  labels: Type.Record(Type.String(), Type.String()),
  location: optional(text()),
  capacity: optional(
    Type.Object(
      { cpu: Type.Number(), memory: Type.Number(), gpu: optional(Type.Number()) },
      { description: 'cores, MB, GPUs' },
    ),
  ),
  used: optional(resources('promised: cores and MB')),
  usage: optional(resources('percent')),
  runtimes: texts(),
  arch: optional(text()),
  version: optional(text()),
  recipient: optional(text('its age recipient, for which secrets are encrypted')),
  secrets: optional(Type.Array(text(), { description: 'names of those that it has as files of its own' })),
  skew: optional(words(['older', 'newer'])),
  instances: count(),
  seen: optional(Type.Number({ description: 'ms since it was heard' })),
  problems: Type.Array(Reason),
});

export const PinSchema = Type.Object({
  source: text(),
  commit: text('where it stays'),
  actor: text(),
  reason: optional(text()),
  since: Type.Number({ description: 'ms since 1970' }),
  until: Type.Number({ description: 'ms since 1970' }),
});

export const RevisionSchema = Type.Object({
  source: text(),
  commit: text(),
  author: text('who wrote the commit'),
  title: text('its first line'),
  at: Type.Number({ description: 'when it was accepted, ms since 1970' }),
  actor: optional(text('who asked for it, where it was not just the next commit')),
  changes: Type.Object({ added: count(), changed: count(), removed: count() }),
  services: texts('what was added or changed; the first of many once the outcome is known'),
  outcome: optional(words(['settled', 'failed', 'rolled_back', 'superseded'])),
  ended: optional(Type.Number({ description: 'ms since 1970' })),
  reason: optional(text()),
  current: optional(Type.Literal(true, { description: 'in force now' })),
});

export const SourceSchema = Type.Object({
  name: text(),
  url: text(),
  branch: text(),
  path: text(),
  accepted: optional(text('the commit that is carried out')),
  head: optional(text('the commit that was seen last')),
  state: words(['synced', 'behind', 'pinned', 'invalid', 'unreachable', 'unread']),
  pin: optional(PinSchema),
  checked: optional(Type.Number({ description: 'ms since it was looked at' })),
  services: count(),
  ignored: count('files that are no descriptors'),
  problems: Type.Array(ProblemView),
});

export const StatusSchema = Type.Object({
  cluster: text(),
  location: optional(text('where it is: free text, or latitude,longitude[,radius in m]')),
  fingerprint: text("SHA-256 of the cluster's public key"),
  version: text(),
  epoch: count(),
  phase: words(['standby', 'recovering', 'running']),
  sources: Type.Array(SourceSchema),
  services: Type.Object({
    progressing: count(),
    settled: count(),
    unconfirmed: count(),
    failed: count(),
    rolled_back: count(),
    paused: count(),
    held: count(),
    removing: count(),
    stopped: count(),
    orphaned: count(),
  }),
  nodes: Type.Object({
    online: count(),
    suspect: count(),
    lost: count(),
    expected: count(),
    revoked: count(),
  }),
  instances: Type.Object({ wanted: count(), healthy: count() }),
  holds: Type.Array(HoldView),
  overrides: Type.Array(OverrideSchema),
  suspended: Type.Array(SuspendSchema, { description: 'what is left alone for a time' }),
  conditions: Type.Array(ProblemView),
});

export const EventSchema = Type.Object({
  seq: count('within one process of the reconciler'),
  run: text('tells its processes apart'),
  at: Type.Number({ description: 'ms since 1970' }),
  kind: Type.Unsafe<EventKind>(text('a later version may add some')),
  subject: text('service, instance, `node/<name>`, `source/<name>`, `token/<id>` or `cluster`'),
  message: text(),
});

const PlacementScore = Type.Object({
  spread: optional(
    Type.Array(Type.Object({ label: text(), value: optional(text()), instances: count() }), {
      description: 'instances of the service at its value of each label over which it is spread',
    }),
  ),
  instances: count('instances of the service on the node, and recent failures of it there'),
  promised: Type.Number({ description: 'percent of its memory or of its cores, whichever is more' }),
  free: optional(Type.Number({ description: 'MB of memory that are not promised' })),
});

const PlacementSchema = Type.Object(
  {
    score: PlacementScore,
    others: optional(
      Type.Object(
        {
          fit: count('nodes that could have taken it, with the chosen one'),
          next: optional(Type.Object({ node: text(), score: PlacementScore })),
          unfit: Type.Array(Type.Object({ code: Type.Unsafe<HoldCode>(text()), nodes: count(), message: text() }), {
            description: 'nodes that could not, by what was in the way',
          }),
        },
        { description: 'absent where only this node was asked' },
      ),
    ),
  },
  { description: 'of what starts: how it came to its node, as it was before' },
);

export const PlanSchema = Type.Object({
  changes: Type.Array(
    Type.Object({
      action: words(['start', 'replace', 'stop', 'remove', 'node']),
      subject: text('instance, or `node/<name>`'),
      node: optional(text()),
      detail: text(),
      placement: optional(PlacementSchema),
    }),
  ),
  holds: Type.Array(HoldView),
  settled: count('instances that are as wanted'),
  problems: Type.Array(ProblemView),
  token: optional(text('stands for what the plan rests on and says; `deploy --plan` compares it')),
});

export const DeployedService = Type.Object({
  name: text(),
  digest: text(),
  change: words(['created', 'updated', 'same']),
});

const Authority = Type.Object({
  certificate: text('PEM'),
  fingerprint: text('SHA-256 of its public key, hex'),
  expires: Type.Number({ description: 'ms since 1970' }),
  former: optional(text('PEM of roots before it')),
});
export const AuthoritySchema = Authority;

const wallTime = Type.Number({ description: 'ms since 1970' });

/** What is known of a registry. */
export const RegistrySchema = Type.Object({
  registry: text(),
  username: optional(text('who logs in')),
  mirrors: texts('asked first, in this order'),
  plain_http: Type.Boolean({ description: 'it may be spoken to without TLS' }),
});

/** A join token without its secret. */
export const TokenSchema = Type.Object({
  id: text(),
  state: words(['valid', 'used', 'expired', 'revoked']),
  name: optional(text('only a node of this name may join with it')),
  replaces: optional(Type.Literal(true, { description: 'whoever joins takes the place of that node' })),
  uses: count('how many nodes may still join with it'),
  expires: wallTime,
  created: optional(wallTime),
  by: optional(text('who asked for it')),
});

export const TlsSchema = Type.Object({
  mode: words(['auto', 'files']),
  authority: optional(Authority),
  server: Type.Object({ names: texts(), fingerprint: text(), expires: Type.Number() }),
});
