import { Type } from 'typebox';

/**
 * The shape of records/ as it is checked when it is loaded. It guards against a foreign or hand-edited file; unknown members are
 * kept, and what was validated when it was accepted (specs) is only looked at from outside.
 */
const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const text = Type.String();
const map = <T extends Parameters<typeof Type.Record>[1]>(value: T) => Type.Record(Type.String(), value);
const document = Type.Record(Type.String(), Type.Unknown());

const node = Type.Object({
  id: Type.String({ pattern: '^[a-z0-9-]{1,63}$' }),
  name: text,
  ordinal: count,
  serial: Type.Integer({ minimum: 1 }),
  next: Type.Optional(
    Type.Object({ serial: Type.Integer({ minimum: 2 }), since: Type.Number(), until: Type.Optional(Type.Number()) }),
  ),
  renewed: Type.Optional(Type.Number()),
  joined: Type.Number(),
  revoked: Type.Optional(Type.Number()),
  removed: Type.Optional(Type.Number()),
  replaces: Type.Optional(text),
  empties: Type.Optional(Type.Literal(true)),
  heir: Type.Optional(text),
  unheard: Type.Optional(Type.Object({ token: text, attempt: Type.Optional(text) })),
  cordon: Type.Optional(
    Type.Object({
      cause: text,
      drain: Type.Optional(Type.Object({ stays: map(Type.Object({ digest: text, reason: text })) })),
    }),
  ),
  recipient: Type.Optional(text),
  dialect: Type.Optional(text),
  registered: Type.Optional(
    Type.Object({
      ip: text,
      port: count,
      token: Type.Optional(
        Type.Object({ id: text, hash: Type.String({ pattern: '^[0-9a-f]{64}$' }), expires: Type.Number() }),
      ),
    }),
  ),
});

const token = Type.Object({
  id: text,
  hash: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  expires: Type.Number(),
  uses: count,
  shared: Type.Optional(Type.Boolean()),
  replaces: Type.Optional(text),
  empties: Type.Optional(Type.Literal(true)),
  name: Type.Optional(text),
  created: Type.Optional(Type.Number()),
  by: Type.Optional(text),
  revoked: Type.Optional(Type.Number()),
});

const direct = Type.Object({
  spec: document,
  slots: Type.Array(count),
  counter: count,
  seats: Type.Optional(map(Type.Object({ to: Type.Optional(text) }))),
  at: Type.Number(),
  actor: text,
  restored: Type.Optional(count),
});

const rollout = Type.Object({
  digest: text,
  phase: text,
  started: Type.Number(),
  good: Type.Optional(Type.Object({ digest: text, run: document })),
  done: Type.Optional(map(Type.Object({ copy: text, digest: text, node: text }))),
  source: Type.Optional(text),
});

const source = Type.Object({
  commit: text,
  anchor: Type.Optional(text),
  followed: Type.Optional(Type.Object({ url: text, branch: text })),
  files: map(Type.Object({ blob: text, services: Type.Array(text), with: Type.Optional(map(text)) })),
  nodes: Type.Array(text),
});

const revision = Type.Object({
  commit: text,
  author: text,
  title: text,
  at: Type.Number(),
  changes: Type.Object({ added: count, changed: count, removed: count }),
  services: Type.Array(text),
  unread: Type.Optional(Type.Array(text)),
  outcome: Type.Optional(text),
});

const pin = Type.Object({ commit: text, actor: text, since: Type.Number(), until: Type.Number() });

const assumed = Type.Object({
  part: Type.Object({
    fence: Type.Object({ epoch: count, gen: count, by: text }),
    jobs: Type.Array(document),
    documents: document,
  }),
  told: map(Type.Object({ copy: text, image: text })),
  freed: Type.Optional(map(text)),
});

const override = Type.Object({
  id: text,
  service: text,
  change: Type.Object({ kind: text }),
  actor: text,
  since: Type.Number(),
  until: Type.Optional(Type.Number()),
  base: text,
  commit: Type.Optional(text),
});

const suspend = Type.Object({ subject: text, actor: text, since: Type.Number(), until: Type.Number() });

const run = Type.Object({ due: Type.Number(), cause: text, started: Type.Number(), digest: text });

const schedule = Type.Object({
  rule: text,
  source: text,
  since: Type.Number(),
  from: Type.Number(),
  skipped: count,
  current: Type.Optional(Type.Object({ ...run.properties, after: text })),
  runs: Type.Array(Type.Object({ ...run.properties, ended: Type.Number(), outcome: text })),
});

const said = { content: Type.Optional(text), why: Type.Optional(text) };
const tag = Type.Object({ ...said, before: Type.Optional(Type.Object(said)) });

const user = Type.Object({
  id: text,
  name: text,
  role: text,
  hash: text,
  version: count,
  created: Type.Number(),
  changed: Type.Number(),
});

const session = Type.Object({
  user: text,
  turn: count,
  at: Type.Number(),
  ended: Type.Optional(Type.Literal(true)),
  until: Type.Number(),
});

const apiToken = Type.Object({
  id: text,
  user: text,
  hash: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  role: text,
  apps: Type.Optional(Type.Array(text)),
  purpose: Type.Optional(text),
  created: Type.Number(),
  expires: Type.Number(),
  revoked: Type.Optional(Type.Number()),
});

export const RecordsSchema = Type.Object({
  version: Type.Literal(1),
  epoch: count,
  nextOrdinal: count,
  nodes: map(node),
  tokens: map(token),
  direct: map(direct),
  tombstones: map(Type.Object({ copy: text, at: Type.Number() })),
  rollouts: map(rollout),
  sources: map(source),
  // Written since revisions are remembered.
  history: Type.Optional(map(Type.Array(revision))),
  pins: Type.Optional(map(pin)),
  // Written since there are seed nodes: files that are older have none.
  assumed: Type.Optional(map(assumed)),
  // Written since there are verbs.
  overrides: Type.Optional(map(override)),
  renewals: Type.Optional(map(map(text))),
  retired: Type.Optional(
    map(
      Type.Object({
        spec: document,
        source: Type.Object({ name: text }),
        slots: Type.Array(count),
        retired: Type.Object({ commit: text, since: Type.Number(), until: Type.Optional(Type.Number()) }),
      }),
    ),
  ),
  // Written since things are suspended.
  suspends: Type.Optional(map(suspend)),
  homes: Type.Optional(map(text)),
  schedules: Type.Optional(map(schedule)),
  // Written since tags are resolved.
  tags: Type.Optional(map(map(tag))),
  leases: Type.Optional(map(Type.Object({ instance: text, copy: text, node: text, ms: count, wait: count }))),
  tally: Type.Optional(Type.Object({ requests: count, failures: count, relocated: count })),
  // Written since there are accounts.
  users: Type.Optional(map(user)),
  sessions: Type.Optional(map(session)),
  apiTokens: Type.Optional(map(apiToken)),
  owners: Type.Optional(map(text)),
  applications: Type.Optional(map(text)),
  ids: Type.Optional(map(text)),
  approvals: Type.Array(text),
  // Written since keys are rotated.
  keyring: Type.Optional(count),

  restored: Type.Optional(count),
});
