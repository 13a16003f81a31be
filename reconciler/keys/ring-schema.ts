/** The keyring as it is checked when it is read: against a foreign file, not against its owner. */
import { Type } from 'typebox';

const secret = Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' }));
const count = Type.Integer({ minimum: 0 });
const time = Type.Optional(Type.Number());

export const RingSchema = Type.Object({
  version: Type.Literal(1),
  revision: count,
  signing: Type.Array(Type.Object({ key: Type.String(), sig: Type.String(), since: Type.Number(), secret })),
  used: count,
  ended: count,
  ends: time,
  roots: Type.Array(Type.Object({ certificate: Type.String(), cross: Type.String(), since: Type.Number(), secret })),
  rootsEnded: count,
  rootEnds: time,
});
