/**
 * What travels over MQTT, as schemas and types of one declaration. Readers accept `v` = 1 and ignore members they do not
 * know; writers write {@link messageVersion}. Parsing (with ajv) is in parse.ts.
 */
import { type Static, Type } from 'typebox';
import { recipientPattern } from './age.ts';
import { EndpointList } from './endpoints.ts';
import { Grant } from './grants.ts';
import { ImageRules } from './image-rules.ts';
import { labelKeyPattern } from './names.ts';
import { mostNodeSecrets, secretNamePattern } from './secret-names.ts';
import { TrustNews, Trusts } from './trust.ts';

export const messageVersion = 1;

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const amount = Type.Number({ minimum: 0, maximum: 1e12 });
const text = (maxLength: number) => Type.String({ maxLength });
const version = Type.Literal(messageVersion);
const digest = Type.String({ pattern: '^1:[0-9a-f]{64}$' });
const copyId = Type.String({ pattern: '^[0-9]{1,15}\\.[0-9]{1,15}$' });

/** `(epoch, gen)` orders everything a cluster ever said to a node; `by` is the process that said it. */
export const Fence = Type.Object({ epoch: count, gen: count, by: text(64) });
export type Fence = Static<typeof Fence>;

/** How a copy depends on contact with the reconciler. */
const Away = Type.Object({
  /** ms without contact after which its agent stops it. */
  stop_after: Type.Integer({ minimum: 1, maximum: 365 * 86_400_000 }),
  /** It runs only on a lease that names it, and that ends after as long. */
  exclusive: Type.Optional(Type.Literal(true)),
});

/** A secret for one node: what is encrypted, and the data key for that node alone. See secret-file.ts. */
const Sealed = Type.Object({
  name: text(63),
  /** An armored age file. */
  key: text(4096),
  values: Type.Array(Type.Object({ path: text(512), text: text(65_536) }), { maxItems: 256 }),
  modified: text(64),
  mac: text(1024),
});
export type Sealed = Static<typeof Sealed>;

/** A copy in an assignment: what is wanted of it. */
export const Job = Type.Object({
  instance: text(160),
  copy: copyId,
  want: Type.Union([Type.Literal('run'), Type.Literal('prepared'), Type.Literal('stopped')]),
  digest,
  runtime: Type.Union([Type.Literal('docker'), Type.Literal('process')]),
  source: Type.Object({ name: text(63), commit: Type.Optional(text(64)) }),
  /** What it reserves beyond its run spec: storage in MB, bandwidth in kbit/s. */
  reserves: Type.Optional(
    Type.Object({
      storage: Type.Optional(amount),
      bandwidth_in: Type.Optional(amount),
      bandwidth_out: Type.Optional(amount),
    }),
  ),
  /** Values of the variables in its environment, as they were when the copy was placed. Not in the digest. */
  variables: Type.Optional(Type.Record(Type.String({ pattern: '^[^\\u0000-\\u001f]{1,128}$' }), text(255))),
  /** What the tag of its image stood for when this version was accepted. Not in the digest; absent: whatever the tag is. */
  content: Type.Optional(Type.String({ pattern: '^sha256:[0-9a-f]{64}$' })),
  /** What the secrets in its run spec are, as they were when the copy was placed. Not in the digest. */
  secrets: Type.Optional(Type.Array(Sealed, { maxItems: 32 })),
  /** Absent: it runs on whether anybody is in reach or not. Not in the digest. */
  away: Type.Optional(Away),
});
export type Job = Static<typeof Job>;

/** Run specs by digest. Checked against the run spec schema where they enter, and against their digest everywhere. */
export const Documents = Type.Record(Type.String(), Type.Unknown());

const Signed = { kid: text(64), sig: text(128) };

/** Down, retained: the complete set of jobs of one part of one node. The only authority for the node. */
export const AssignmentMessage = Type.Object({
  v: version,
  cluster: text(63),
  node: text(63),
  part: count,
  parts: Type.Integer({ minimum: 1, maximum: 1024 }),
  epoch: count,
  gen: count,
  by: text(64),
  /** Hash of jobs and documents, see assignment.ts. */
  hash: text(64),
  jobs: Type.Array(Job, { maxItems: 2048 }),
  documents: Documents,
  /** Where the cluster can be reached. Signed by itself: agents keep it, and show it. */
  endpoints: Type.Optional(EndpointList),
  /** Once there is another key, root or credential than those of the join. */
  trust: Type.Optional(TrustNews),
  ...Signed,
});
export type AssignmentMessage = Static<typeof AssignmentMessage>;

/** Down: a hint that arrives sooner than the assignment. The envelope of seed 000, with our fence. */
export const ControlMessage = Type.Object({
  v: version,
  command: Type.Union([
    Type.Literal('deploy'),
    Type.Literal('delete'),
    Type.Literal('move'),
    Type.Literal('replicate'),
  ]),
  job: Type.Object({
    /** 48 bits of SHA-256(instance name), for readers that want an integer. */
    id: count,
    /** Instance name. */
    name: text(160),
    image: text(4096),
    technology: text(32),
    copy: copyId,
    want: Type.Optional(Job.properties.want),
    digest: Type.Optional(digest),
    runtime: Type.Optional(Job.properties.runtime),
    source: Type.Optional(Job.properties.source),
    reserves: Job.properties.reserves,
    variables: Job.properties.variables,
    away: Job.properties.away,
    content: Job.properties.content,
    secrets: Job.properties.secrets,
  }),
  /** The run spec, unless the part already holds it. */
  document: Type.Optional(Type.Unknown()),
  cluster: Type.Optional(text(63)),
  worker: Type.Optional(text(63)),
  node: text(63),
  part: count,
  base: Type.Object({ epoch: count, gen: count }),
  hash: text(64),
  epoch: count,
  gen: count,
  by: text(64),
  ...Signed,
});
export type ControlMessage = Static<typeof ControlMessage>;

/** Labels of a node. Closed: a record with a mere length for its keys would let keys with line breaks hold anything. */
export const Labels = Type.Record(Type.String({ pattern: labelKeyPattern.source }), text(255), {
  additionalProperties: false,
});

/** Up, each beat and on change. Usage in percent, capacity in cores and MB. */
export const InformationMessage = Type.Object({
  v: version,
  cpu: Type.Number({ minimum: 0 }),
  memory: Type.Number({ minimum: 0, maximum: 100 }),
  capacity: Type.Object({
    cpu: Type.Number({ minimum: 0 }),
    memory: Type.Number({ minimum: 0 }),
    /** GPUs, on nodes that have some. */
    gpu: Type.Optional(Type.Integer({ minimum: 0, maximum: 1024 })),
    /** MB of disk and kbit/s, on nodes whose owner states them. */
    storage: Type.Optional(amount),
    bandwidth_in: Type.Optional(amount),
    bandwidth_out: Type.Optional(amount),
  }),
  /** How much pressure it is under; `tainted` takes no new copies. Absent: normal. */
  level: Type.Optional(Type.Union([Type.Literal('normal'), Type.Literal('restricted'), Type.Literal('tainted')])),
  arch: text(32),
  runtimes: Type.Array(Type.Object({ name: text(32), version: text(64) }), { maxItems: 16 }),
  /** What this agent knows of run specs and jobs, see features.ts; a job that needs more is not sent to it. */
  fields: Type.Array(text(32), { maxItems: 64 }),
  labels: Labels,
  /** What its owner lets services do on it; absent: nothing beyond containers of their own. */
  grants: Type.Optional(Type.Array(Grant, { maxItems: 64 })),
  /** What containers on it may be made of; absent: any image. */
  accepts: Type.Optional(ImageRules),
  location: Type.Optional(text(255)),
  /** Where it publishes ports. */
  ip: text(64),
  /** Where others reach them: `port` is the only one, if it is there. Absent: an agent that is older. */
  advertise: Type.Optional(
    Type.Object({ ip: text(64), port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })) }),
  ),
  version: text(32),
  /** The beat of this agent in ms: two missed beats make it suspect. */
  beat: Type.Integer({ minimum: 100, maximum: 600_000 }),
  session: text(64),
  seq: count,
  epoch: count,
  gen: count,
  by: text(64),
  /** Things that keep the agent from its work, e.g. an engine that does not answer. */
  problems: Type.Optional(Type.Array(Type.Object({ code: text(64), message: text(1024) }), { maxItems: 16 })),
  /** It has copies that depend on contact: this beat wants an answer on the row `lease`. */
  lease: Type.Optional(Type.Literal(true)),
  /** For whom secrets are encrypted that it is to read. Absent: an agent that is older. */
  recipient: Type.Optional(Type.String({ pattern: recipientPattern.source })),
  /** Names of its own secrets, which lie there as files. */
  secrets: Type.Optional(Type.Array(Type.String({ pattern: secretNamePattern.source }), { maxItems: mostNodeSecrets })),
  /** The newest keys of the cluster that it knows. Absent: those with which it joined. */
  trusts: Type.Optional(Trusts),
});
export type InformationMessage = Static<typeof InformationMessage>;

/**
 * Down, the answer to a beat: it was heard. Everything in it counts from the moment at which that beat was sent, so that a delay
 * only makes it shorter.
 */
export const LeaseMessage = Type.Object({
  v: version,
  epoch: count,
  by: text(64),
  /** `session` and `seq` of the beat. */
  session: text(64),
  beat: count,
  /** Exclusive copies (`<instance>/<copy>`) that may run, and for how many ms. */
  leases: Type.Array(Type.Object({ copy: text(192), ms: Type.Integer({ minimum: 1, maximum: 365 * 86_400_000 }) }), {
    maxItems: 2048,
  }),
  ...Signed,
});
export type LeaseMessage = Static<typeof LeaseMessage>;

const Drift = Type.Object({
  /** `stopped`, `removed` or `changed`. */
  kind: text(16),
  /** What changed, for people. */
  what: Type.Optional(text(512)),
  /** ms since it was seen. */
  age: count,
  /** It is as wanted again. */
  healed: Type.Optional(Type.Literal(true)),
});

/** One copy as its agent sees it. */
export const CopyReport = Type.Object({
  instance: text(160),
  copy: copyId,
  digest,
  status: text(32),
  want: Job.properties.want,
  /** ms since the status was reached. */
  age: count,
  /** Problem code and sentence, when there is something to say. */
  reason: Type.Optional(Type.Object({ code: text(64), message: text(2048) })),
  exit_code: Type.Optional(Type.Integer()),
  restarts: Type.Optional(count),
  /** Where published ports answer: `ip:port`. */
  addresses: Type.Optional(Type.Array(text(64), { maxItems: 64 })),
  /** Id that the runtime gives the copy (container id, pid). */
  handle: Type.Optional(text(128)),
  /** What somebody did to it last past its agent. */
  drift: Type.Optional(Drift),
});
export type CopyReport = Static<typeof CopyReport>;

/** Up, retained: the complete set of copies of one part. */
export const InstancesMessage = Type.Object({
  v: version,
  session: text(64),
  seq: count,
  part: count,
  parts: Type.Integer({ minimum: 1, maximum: 1024 }),
  epoch: count,
  gen: count,
  by: text(64),
  /** Hash of the ledger part, so that the reconciler sees a difference that the pair does not show. */
  hash: text(64),
  copies: Type.Array(CopyReport, { maxItems: 2048 }),
});
export type InstancesMessage = Static<typeof InstancesMessage>;

/** Up, retained, and the will. */
export const OnlineMessage = Type.Object({
  v: version,
  online: Type.Boolean(),
  boot: text(64),
  session: text(64),
  reason: Type.Optional(text(255)),
});
export type OnlineMessage = Static<typeof OnlineMessage>;

/** Down: asks the agent to open a WebSocket to the API and serve one stream there. */
export const RequestMessage = Type.Object({
  v: version,
  action: Type.Union([Type.Literal('open'), Type.Literal('cancel')]),
  stream: text(64),
  kind: Type.Union([Type.Literal('ledger'), Type.Literal('logs'), Type.Literal('exec'), Type.Literal('images')]),
  instance: Type.Optional(text(160)),
  copy: Type.Optional(copyId),
  follow: Type.Optional(Type.Boolean()),
  tail: Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000 })),
  /** The agent also reports its instances once more: whoever asks has missed that. */
  report: Type.Optional(Type.Boolean()),
});
export type RequestMessage = Static<typeof RequestMessage>;

/**
 * Among reconcilers on a broker that is not their own: who runs the cluster. The retained row is by who runs it, or ran it last; the
 * will (`gone`) comes from anybody who leaves without a word.
 */
export const OfficeMessage = Type.Object({
  v: version,
  by: text(64),
  /** At the broker, where it is connected once. */
  user: text(64),
  epoch: count,
  /** Of its API. */
  url: text(512),
  /** ms between two messages of a process that is well. */
  beat: Type.Integer({ minimum: 100, maximum: 60_000 }),
  state: Type.Union([Type.Literal('candidate'), Type.Literal('running'), Type.Literal('gone')]),
  /** Whether this process ran the cluster at some time before it said this. */
  ran: Type.Boolean(),
  /** Counts the connections of this process. */
  session: count,
  ...Signed,
});
export type OfficeMessage = Static<typeof OfficeMessage>;
