/**
 * Which keys a cluster has beside those that come from its master key, and how far their rotations are: a value, changed by one
 * durable write at a time. Number 0 of each kind is the one from the master key and does not stand here.
 */
export interface SigningKey {
  /** Public, base64url. */
  readonly key: string;
  /** By the key before it. */
  readonly sig: string;
  /** ms since 1970. */
  readonly since: number;
  /** Hex. Gone once nobody is to sign with it any more. */
  readonly secret?: string;
}

export interface RootKey {
  /** PEM: signed by itself, and by the root before it. */
  readonly certificate: string;
  readonly cross: string;
  readonly since: number;
  readonly secret?: string;
}

export interface Ring {
  readonly version: 1;
  /** Goes up with each change. */
  readonly revision: number;
  readonly signing: readonly SigningKey[];
  /** Number of the key that signs. */
  readonly used: number;
  /** Keys with a lower number are not trusted any more. */
  readonly ended: number;
  /** Wall time at which the overlap of the newest key is over. Absent: no rotation is under way. */
  readonly ends?: number;
  readonly roots: readonly RootKey[];
  readonly rootsEnded: number;
  readonly rootEnds?: number;
}

export const firstRing: Ring = { version: 1, revision: 0, signing: [], used: 0, ended: 0, roots: [], rootsEnded: 0 };

/** How a new key begins: `ends` at which wall time the old one is given up; absent: at once. */
export interface Begin {
  readonly since: number;
  readonly ends?: number;
}

/** A new signing key. With an overlap it is only announced: the old one signs until all have heard of it. */
export function withKey(ring: Ring, made: { key: string; sig: string; secret: string }, { since, ends }: Begin): Ring {
  const signing = [...ring.signing, { ...made, since }];
  const next = { ...ring, revision: ring.revision + 1, signing };
  if (ends !== undefined) return { ...next, ends };
  return endKeys({ ...next, used: signing.length });
}

/** The newest key signs from now on. */
export function useNewest(ring: Ring): Ring {
  return { ...ring, revision: ring.revision + 1, used: ring.signing.length };
}

/** Keys before the one that signs are not trusted any more, and cannot come back. */
export function endKeys({ ends: _over, ...ring }: Ring): Ring {
  const signing = ring.signing.map(({ secret, ...one }, at) =>
    at + 1 < ring.used || secret === undefined ? one : { ...one, secret },
  );
  return { ...ring, revision: ring.revision + 1, signing, ended: ring.used };
}

/**
 * A new root, which signs at once: what it signs leads to the roots before it, too. Their secrets have done their work when it is
 * cross-signed.
 */
export function withRoot(
  ring: Ring,
  made: { certificate: string; cross: string; secret: string },
  { since, ends }: Begin,
): Ring {
  const old = ring.roots.map(({ secret: _done, ...one }) => one);
  const next: Ring = { ...ring, revision: ring.revision + 1, roots: [...old, { ...made, since }] };
  return ends === undefined ? endRoots(next) : { ...next, rootEnds: ends };
}

/** Agents trust the newest root only. */
export function endRoots({ rootEnds: _over, ...ring }: Ring): Ring {
  return { ...ring, revision: ring.revision + 1, rootsEnded: ring.roots.length };
}
