/**
 * A snapshot of a cluster: all that a plan rests on, in one JSON file, for `oakctl plan --offline`. Open: members that nobody
 * knows are left alone. What was validated where it entered the cluster is only looked at from outside.
 */
import { type Static, Type } from 'typebox';
import { CopyReport, Fence, InformationMessage, Job } from './messages.ts';
import { parseMessage } from './parse.ts';
import { type Problem, problem } from './problem.ts';

export const snapshotFormat = 'oakctl-snapshot';
/** Raised when a reader of the version before would plan something else. */
export const snapshotVersion = 2;
export const snapshotNote =
  'Holds environment values and file contents as descriptors have them. Holds no credential: no token, no password, no key, no hash of one.';

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const text = Type.String();
const texts = Type.Array(text);
const optional = Type.Optional;
const map = <T extends Parameters<typeof Type.Record>[1]>(value: T) => Type.Record(Type.String(), value);
const age = Type.Number({ description: 'ms before the snapshot was taken' });

const Run = Type.Object({ virtualization: text, code: text });
const Spec = Type.Object({
  name: text,
  run: Run,
  digest: text,
  replicas: Type.Union([count, Type.Literal('every')]),
  needs: map(Type.Number()),
  placement: Type.Object({ clusters: texts, nodes: texts, labels: Type.Array(Type.Object({ label: text, op: text })) }),
  update: Type.Object({ order: text, settle: Type.Number(), timeout: Type.Number(), max_unavailable: Type.Number() }),
  priority: Type.Number(),
});
const Seat = Type.Object({ to: optional(text) });
const Hold = Type.Object({ code: text, subject: text, message: text });
const Listing = Type.Object({ name: text, labels: map(text) });

const Desired = Type.Object({
  spec: Spec,
  source: Type.Object({ name: text, commit: optional(text) }),
  origin: optional(Type.Object({ file: text, line: optional(count) })),
  slots: Type.Array(count),
  seats: optional(map(Seat)),
});

const Override = Type.Object({
  id: text,
  service: text,
  change: Type.Object({ kind: text }),
  actor: text,
  since: Type.Number(),
  until: optional(Type.Number()),
});

const Node = Type.Object({
  record: Type.Object({
    id: text,
    name: text,
    ordinal: count,
    joined: Type.Number(),
    cordon: optional(Type.Object({ cause: text })),
    dialect: optional(text),
  }),
  heard: optional(age),
  gone: optional(Type.Object({ age, reason: optional(text) })),
  information: optional(InformationMessage),
  reported: optional(Type.Object({ epoch: count, gen: count })),
  part: Type.Object({ fence: Fence, jobs: Type.Array(Job), documents: map(Run) }),
  adopted: Type.Boolean(),
  size: optional(count),
});

const Copy = Type.Object({
  service: text,
  slot: count,
  instance: text,
  copy: text,
  node: text,
  job: optional(Job),
  report: optional(CopyReport),
  leaving: optional(Run),
  since: optional(age),
  progress: optional(age),
  notice: optional(age),
});

const Ended = Type.Object({
  due: Type.Number(),
  cause: text,
  started: Type.Number(),
  digest: text,
  ended: Type.Number(),
});

const World = Type.Object({
  cluster: text,
  fence: Fence,
  recovering: Type.Boolean(),
  desired: map(Desired),
  deviations: map(Type.Object({ overrides: Type.Array(Override), renew: map(text) })),
  held: map(Hold),
  rollouts: map(Type.Object({ digest: text, phase: text, started: Type.Number() })),
  rolloutSeen: map(Type.Object({ digest: text, age })),
  schedules: map(
    Type.Object({
      rule: text,
      source: text,
      since: Type.Number(),
      from: Type.Number(),
      runs: Type.Array(Ended),
      skipped: count,
    }),
  ),
  tags: optional(map(map(Type.Object({ content: optional(text), why: optional(text) })))),
  tombstones: map(text),
  homes: map(text),
  heirs: optional(map(text)),
  inherited: optional(map(text)),
  leases: map(Type.Object({ instance: text, copy: text, node: text, ms: count, wait: count, age: optional(age) })),
  stranger: optional(Type.Object({ node: text, age })),
  ancestry: map(Type.Boolean()),
  heads: map(text),
  listings: Type.Array(Listing),
  nodes: Type.Array(Node),
  copies: Type.Array(Copy),
  failures: map(map(Type.Object({ times: count, age }))),
});

const SourceRecord = Type.Object({
  commit: text,
  files: map(Type.Object({ blob: text, services: texts })),
  nodes: texts,
});

const ReadFile = Type.Object({
  path: text,
  blob: text,
  reading: Type.Object({
    kind: text,
    services: Type.Array(Type.Object({ spec: Spec, app: text, file: text, line: count })),
    listings: optional(Type.Array(Listing)),
    problems: Type.Array(Type.Unknown()),
  }),
});

/** The shape of a snapshot. */
export const ClusterSnapshotSchema = Type.Object(
  {
    format: Type.Literal(snapshotFormat),
    version: Type.Literal(snapshotVersion),
    note: Type.String({ description: 'what is in it, for people' }),
    cluster: text,
    fingerprint: Type.String({ description: "SHA-256 of the cluster's public key" }),
    taken: Type.Number({ description: 'ms since 1970' }),
    by: Type.String({ description: 'version of oakctl that wrote it' }),
    limits: Type.Enum(['request', 'none']),
    labels: optional(map(text)),
    policy: Type.Object({
      placement: Type.Enum(['spread', 'best_fit']),
      cpuOvercommit: Type.Number({ exclusiveMinimum: 0 }),
      lostAfter: Type.Object({ edge: Type.Number(), lan: Type.Number(), fast: Type.Number() }),
      nodeClass: Type.Enum(['edge', 'lan', 'fast']),
      pools: map(Type.Object({ class: optional(Type.Enum(['edge', 'lan', 'fast'])) })),
      undeclared: Type.Enum(['use', 'cordon', 'refuse']),
      guard: Type.Object({ count: Type.Number(), share: Type.Number() }),
      massLoss: Type.Number(),
      grace: Type.Number({ description: 'ms in which no node becomes lost' }),
    }),
    direct: map(Type.Object({ slots: Type.Array(count), counter: count, seats: optional(map(Seat)) })),
    sources: Type.Array(
      Type.Object({
        name: text,
        path: text,
        previous: optional(SourceRecord),
        before: Type.Array(ReadFile),
        approvals: texts,
        owners: map(Type.Object({ source: text, slots: Type.Array(count) })),
        held: texts,
        listingsBeside: Type.Array(Listing),
      }),
      { description: 'the git sources, each with all that a revision of it is judged by' },
    ),
    world: World,
  },
  { title: 'oakctl snapshot', description: 'All that a plan of a cluster rests on. Written by `oakctl snapshot`.' },
);
export type ClusterSnapshot = Pick<
  Static<typeof ClusterSnapshotSchema>,
  'format' | 'version' | 'note' | 'cluster' | 'fingerprint' | 'taken' | 'by'
>;

const takeOne = '`oakctl snapshot --out <file>` writes one';

/** Reads a snapshot: SNAPSHOT_INVALID says what it is instead. `cluster`: the only one that it may be of. */
export function parseSnapshot<T extends ClusterSnapshot>(
  source: string,
  file: string,
  cluster?: string,
): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem } {
  const refuse = (message: string, hint: string, subject?: string) => {
    const details = { file, hint, ...(subject ? { subject } : {}) };
    return { ok: false, problem: problem('SNAPSHOT_INVALID', message, details) } as const;
  };
  const head = headOf(source);
  if (head.kind === 'broken') return refuse(head.message, takeOne);
  const { format, version } = head;
  if (format !== snapshotFormat) return refuse('it is JSON, and no snapshot of a cluster', takeOne);
  if (version !== snapshotVersion) {
    const isOlder = typeof version === 'number' && version < snapshotVersion;
    const kind = isOlder ? 'an older' : 'another';
    const hint = isOlder ? `take a new one: ${takeOne}` : 'read it with the oakctl that wrote it, or take a new one';
    return refuse(
      `it is of ${kind} version (${String(version)}), and this oakctl reads version ${snapshotVersion}`,
      hint,
    );
  }
  const parsed = parseMessage<T>(ClusterSnapshotSchema, source, Number.MAX_SAFE_INTEGER);
  if (!parsed.ok)
    return refuse(parsed.problem.message, 'it was changed or damaged: take a new one', parsed.problem.subject);
  if (cluster !== undefined && parsed.value.cluster !== cluster) {
    return refuse(`it is of the cluster ${parsed.value.cluster}, not of ${cluster}`, 'take one of that cluster');
  }
  return parsed;
}

type Head =
  | { readonly kind: 'read'; readonly format: unknown; readonly version: unknown }
  | { readonly kind: 'broken'; readonly message: string };

function headOf(source: string): Head {
  const trimmed = source.trim();
  if (trimmed === '') return { kind: 'broken', message: 'it is empty' };
  try {
    const value = JSON.parse(source) as { readonly format?: unknown; readonly version?: unknown } | null;
    return { kind: 'read', format: value?.format, version: value?.version };
  } catch {
    const isCut = trimmed.startsWith('{') && !trimmed.endsWith('}');
    const message = isCut ? `it ends in the middle, after ${source.length} characters` : 'it is not JSON';
    return { kind: 'broken', message };
  }
}
