/**
 * What an assignment says of the keys of its cluster. The first signing key names the cluster for ever; each later one is announced
 * signed by the one before it, so that a node that was away for any time learns all of them from the one that it knows.
 */
import { type Static, Type } from 'typebox';

/** So many signing keys, or roots, after the first: what a chain may cost in every assignment. */
export const mostLinks = 100;

const key = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' });

/** All signing keys of a cluster, the oldest first: raw Ed25519 public keys, base64url. */
export const Chain = Type.Object({
  first: key,
  /** `sig`: of the key before this one, over this one and its number (schemas/io/chain.ts). */
  links: Type.Array(Type.Object({ key, sig: Type.String({ maxLength: 128 }) }), { maxItems: mostLinks }),
});
export type Chain = Static<typeof Chain>;

export const TrustNews = Type.Object({
  /** Goes up with every change; what an agent heard before is old news. */
  revision: Type.Integer({ minimum: 0 }),
  chain: Chain,
  /** So many keys at the beginning of the chain are not trusted any more. */
  ended: Type.Integer({ minimum: 0 }),
  /** PEM of the roots to trust for TLS; absent: as before. */
  roots: Type.Optional(Type.Array(Type.String({ maxLength: 8192 }), { minItems: 1, maxItems: 8 })),
  /** The node is to have the credential with this serial: it asks for it. Absent: as before. */
  serial: Type.Optional(Type.Integer({ minimum: 1 })),
});
export type TrustNews = Static<typeof TrustNews>;

/** In a beat: the newest keys that are on the disk of the node. */
export const Trusts = Type.Object({
  /** Key id of a signing key. */
  key: Type.String({ maxLength: 64 }),
  /** SHA-256 of the public key of a root, its first 32 hex digits. */
  root: Type.Optional(Type.String({ maxLength: 64 })),
});
export type Trusts = Static<typeof Trusts>;
