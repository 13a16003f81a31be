/** The identity of a node on its disk: what the join gave it, and what rotations of keys made of that. */
import { type Static, Type } from 'typebox';
import { parseMessage } from '../schemas/parse.ts';
import type { Files } from '../schemas/ports.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import { laterFile } from '../schemas/skew.ts';

const fileName = 'identity';
const fileVersion = 1;

const IdentityFile = Type.Object({
  v: Type.Literal(fileVersion),
  id: Type.String(),
  name: Type.String(),
  cluster: Type.String(),
  fingerprint: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  ordinal: Type.Integer({ minimum: 0 }),
  mqtt: Type.Object({
    host: Type.String(),
    port: Type.Integer(),
    tls: Type.Optional(Type.Boolean()),
    url: Type.Optional(Type.String()),
    ca: Type.Optional(Type.String()),
    username: Type.String(),
    password: Type.String(),
  }),
  /** One root, or several during a rotation. */
  ca: Type.Optional(Type.String()),
  keys: Type.Record(Type.String(), Type.String()),
  /** Id of the key that later ones must lead back to. Absent: there is one. */
  newest: Type.Optional(Type.String()),
  /** What was heard of keys last, and by which key it was signed. */
  heard: Type.Optional(Type.Object({ key: Type.String(), revision: Type.Integer({ minimum: 0 }) })),
  /** Of all keys that the cluster ever had, as it said last: what a join token for it may pin. */
  pins: Type.Optional(Type.Array(Type.String())),
  /** The password before the one in `mqtt`, until the broker took that. */
  former: Type.Optional(Type.String()),
});
type IdentityFile = Static<typeof IdentityFile>;

/**
 * Who this node is, the cluster's pinned keys, its credential, and the only root that it trusts (`ca`, PEM; absent: no TLS, or
 * public ones). Secret: the file is for its owner only.
 */
export type NodeIdentity = Omit<IdentityFile, 'v'>;

/** Undefined: this machine has not joined. FILE_DAMAGED. */
export async function loadIdentity(files: Files): Promise<NodeIdentity | undefined> {
  const text = await files.read(fileName);
  if (text === undefined) return undefined;
  const parsed = parseMessage<IdentityFile>(IdentityFile, text);
  if (parsed.ok) {
    const { v: _version, ...identity } = parsed.value;
    return identity;
  }
  const later = laterFile(fileName, text, fileVersion);
  if (later) throw new ProblemError(later);
  throw new ProblemError(
    problem('FILE_DAMAGED', `the identity of this node is not readable (${parsed.problem.message})`, {
      subject: fileName,
      hint: 'restore the state folder, or remove it and join again as a new node',
    }),
  );
}

/** FILE_UNWRITABLE leaves what was there. */
export function saveIdentity(files: Files, identity: NodeIdentity): Promise<void> {
  return files.write(fileName, JSON.stringify({ v: fileVersion, ...identity }));
}
