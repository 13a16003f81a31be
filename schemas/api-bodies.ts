/**
 * Bodies of the native API's requests, as schemas; checked by parse.ts. The routes hand them on as the types of api.ts, so that
 * a schema and its type cannot part ways unseen.
 */
import { type Static, Type } from 'typebox';
import { holdLimits } from './duration.ts';

const name = Type.String({ minLength: 1, maxLength: 255 });
const actor = Type.Optional(Type.String({ minLength: 1, maxLength: 255 }));
const closed = { additionalProperties: false };

const DocumentText = Type.Object(
  {
    file: Type.String({ maxLength: 4096 }),
    text: Type.String(),
    files: Type.Optional(Type.Record(Type.String({ maxLength: 1024 }), Type.String({ maxLength: 262_144 }), closed)),
  },
  closed,
);

/** POST /v1/deploy */
export const DeployBody = Type.Object(
  {
    documents: Type.Array(DocumentText, { minItems: 1, maxItems: 1000 }),
    actor,
    plan: Type.Optional(Type.String({ pattern: '^[0-9a-f]{16}\\.[0-9a-f]{16}$' })),
  },
  closed,
);

/** POST /v1/delete */
export const DeleteBody = Type.Object(
  {
    services: Type.Optional(Type.Array(name, { maxItems: 1000 })),
    apps: Type.Optional(Type.Array(name, { maxItems: 1000 })),
    actor,
  },
  closed,
);
export type DeleteBody = Static<typeof DeleteBody>;

/** POST /v1/plan */
export const PlanBody = Type.Object(
  {
    documents: Type.Optional(Type.Array(DocumentText, { maxItems: 20_000 })),
    asSource: Type.Optional(Type.Boolean()),
    source: Type.Optional(name),
  },
  closed,
);

/** POST /v1/approve */
export const ApproveBody = Type.Object({ id: name, actor }, closed);
export type ApproveBody = Static<typeof ApproveBody>;

/** Of verbs that may make an override: `for` in ms, up to 30 days. */
const verb = {
  for: Type.Optional(Type.Integer(holdLimits)),
  reason: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  actor,
};

/** POST /v1/rollback: `for` in ms; `to` is a commit or how one begins; absent: the last revision that was well. */
export const RollbackBody = Type.Object(
  { source: Type.Optional(name), to: Type.Optional(Type.String({ pattern: '^[0-9a-f]{4,64}$' })), ...verb },
  closed,
);
export type RollbackBody = Static<typeof RollbackBody>;

/** POST /v1/unpin */
export const UnpinBody = Type.Object({ source: Type.Optional(name), actor }, closed);
export type UnpinBody = Static<typeof UnpinBody>;

/** POST /v1/suspend: `for` in ms; `subject` is `cluster`, an application, a service, or `node/<name>`. */
export const SuspendBody = Type.Object({ subject: name, ...verb }, closed);
export type SuspendBody = Static<typeof SuspendBody>;

/** POST /v1/resume */
export const ResumeBody = Type.Object({ subject: name, actor }, closed);
export type ResumeBody = Static<typeof ResumeBody>;

/** POST /v1/instances/:name/move */
export const MoveBody = Type.Object({ to: name, accept_empty_volume: Type.Optional(Type.Boolean()), ...verb }, closed);

/** POST /v1/instances/:name/replicate */
export const ReplicateBody = Type.Object({ to: Type.Optional(name), ...verb }, closed);

/** POST /v1/services/:name/scale */
export const ScaleBody = Type.Object({ replicas: Type.Integer({ minimum: 0, maximum: 10_000 }), ...verb }, closed);

/** POST /v1/services/:name/stop */
export const VerbBody = Type.Object(verb, closed);

/** POST /v1/services/:name/undelete */
export const UndeleteBody = Type.Object({ reason: verb.reason, actor }, closed);
export type UndeleteBody = Static<typeof UndeleteBody>;

/** POST /v1/services/:name/restart */
export const RestartBody = Type.Object({ pull: Type.Optional(Type.Boolean()), actor }, closed);

/** POST /v1/tokens: `ttl` in ms, at most 30 days. With `replace` the machine takes the place of the node of that name. */
export const TokenBody = Type.Object(
  {
    name: Type.Optional(name),
    replace: Type.Optional(Type.Boolean()),
    force: Type.Optional(Type.Boolean()),
    accept_empty_volume: Type.Optional(Type.Boolean()),
    ttl: Type.Optional(Type.Integer({ minimum: 1000, maximum: 30 * 24 * 3_600_000 })),
    uses: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
    actor,
  },
  closed,
);
export type TokenBody = Static<typeof TokenBody>;

/** POST /v1/join. Open: a newer agent may tell more. */
export const JoinBody = Type.Object({
  token: Type.String({ maxLength: 512 }),
  name,
  ip: Type.String({ minLength: 1, maxLength: 64 }),
  version: Type.String({ maxLength: 32 }),
  attempt: Type.Optional(Type.String({ pattern: '^[0-9a-f]{32,128}$' })),
});

/** POST /v1/standing: the credential of a node. */
export const StandingBody = Type.Object({
  node: Type.String({ minLength: 1, maxLength: 63 }),
  password: Type.String({ minLength: 1, maxLength: 255 }),
});

/** POST /v1/tokens/:id/revoke; no body is an empty one. */
export const ActorBody = Type.Object({ actor }, closed);
export type ActorBody = Static<typeof ActorBody>;

/** POST /v1/nodes/:name/remove; no body is an empty one. */
export const RemoveNodeBody = Type.Object({ force: Type.Optional(Type.Boolean()), actor }, closed);
export type RemoveNodeBody = Static<typeof RemoveNodeBody>;

/** POST /v1/nodes/:name/cordon and /drain */
export const CordonBody = Type.Object(
  { reason: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })), actor },
  closed,
);
export type CordonBody = Static<typeof CordonBody>;

/** POST /v1/notifications/test: one receiver, or all of them. */
export const NotificationTestBody = Type.Object({ name: Type.Optional(name) }, closed);

/** POST /v1/registries/:name/login */
export const LoginBody = Type.Object(
  {
    username: Type.String({ minLength: 1, maxLength: 255 }),
    password: Type.String({ minLength: 1, maxLength: 16_384 }),
    actor,
  },
  closed,
);

/** POST /v1/sync and /v1/nodes/:name/revoke: an empty object, or no body. */
export const EmptyBody = Type.Object({}, closed);
