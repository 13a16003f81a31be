/** Keys of a cluster, as people see them and ask for their rotation. */
import { type Static, Type } from 'typebox';

const text = (description?: string) => Type.String(description === undefined ? {} : { description });
const time = Type.Optional(Type.Number({ description: 'ms since 1970' }));
const count = (description: string) => Type.Integer({ minimum: 0, description });
const closed = { additionalProperties: false };

const Kind = Type.Union([Type.Literal('cluster'), Type.Literal('ca'), Type.Literal('node')]);

/** One key, or the credential of one node. */
export const KeyViewSchema = Type.Object({
  kind: Kind,
  id: text('key id, pin of the root, or serial of the credential'),
  node: Type.Optional(text('whose credential it is')),
  state: Type.Union([Type.Literal('announced'), Type.Literal('used'), Type.Literal('overlap'), Type.Literal('ended')], {
    description: 'told to the nodes, and not used yet; in use; an older one that still counts; not trusted any more',
  }),
  since: time,
  ends: time,
  trusted: text('by whom'),
  taken: count('nodes that have it, or a newer one, on their disk'),
  nodes: count('nodes of which that is asked'),
  waits: Type.Array(text(), { description: 'nodes in reach that do not have it yet; twenty at most' }),
});
export type KeyView = Static<typeof KeyViewSchema>;

/** POST /v1/keys/rotate */
export const RotateBody = Type.Object(
  {
    kind: Kind,
    nodes: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 255 }), { minItems: 1, maxItems: 1000 })),
    all: Type.Optional(Type.Boolean()),
    now: Type.Optional(Type.Boolean()),
    overlap: Type.Optional(Type.Integer({ minimum: 1000, maximum: 400 * 86_400_000 })),
    actor: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  },
  closed,
);
export type RotateBody = Static<typeof RotateBody>;

/** Recorded durably; nothing waits until nodes have taken it over. */
export const RotateAnswerSchema = Type.Object({
  kind: Kind,
  id: Type.Optional(text('of the new key or root')),
  ends: time,
  nodes: Type.Array(text(), { description: 'whose credential is rotated' }),
  skipped: Type.Array(Type.Object({ node: text(), why: text() })),
  tokens: Type.Array(Type.Object({ node: text(), token: text() }), {
    description: 'with --now: join tokens that give these nodes their new credential',
  }),
  revoked: Type.Array(text(), { description: 'ids of join tokens that were revoked with the key that they pin' }),
});
export type RotateAnswer = Static<typeof RotateAnswerSchema>;
