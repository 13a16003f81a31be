/** The signing keys and roots of a cluster in use: the first ones, and what `identity/keyring.json` adds to them. */
import type { KeyObject } from 'node:crypto';
import { linkText } from '../../schemas/io/chain.ts';
import { fingerprintOf, keyIdOf, publicKeyOf, signingKey, signText } from '../../schemas/io/signatures.ts';
import type { Random } from '../../schemas/ports.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { mostLinks, type TrustNews } from '../../schemas/trust.ts';
import { type Begin, endKeys, endRoots, type Ring, useNewest, withKey, withRoot } from '../core/ring.ts';
import { type Authority, createAuthority } from '../tls/authority.ts';

/** The root that signs certificates now. */
export interface Root {
  /** Counts from 0. */
  readonly number: number;
  readonly authority: Authority;
  /** PEM of what leads from it to every root before it. */
  readonly chain: string;
  /** PEM of the roots before it. */
  readonly former: readonly string[];
}

export interface Keyring {
  readonly cluster: string;
  /** SHA-256 of the first public signing key, hex: names the cluster, whatever key it signs with by now. */
  readonly fingerprint: string;
  /** Of the key that signs now. */
  readonly kid: string;
  /** The public signing key, base64url. */
  readonly publicKey: string;
  /** Ed25519, base64url, over the UTF-8 of `text`. */
  sign(text: string): string;
  readonly ring: Ring;
  /** The keys that count now, by their ids; the same object as long as they are the same. */
  trusted(): Readonly<Record<string, string>>;
  /** What agents are to know of all this. */
  news(): Omit<TrustNews, 'serial'>;
  root(): Root;
  /** Changes are durable, then in force, when they resolve. FILE_UNWRITABLE, REFUSED after too many rotations. */
  rotateSigning(begin: Begin): Promise<void>;
  rotateRoot(begin: Begin): Promise<void>;
  /** The next step of a rotation that is under way: the new key signs; the old one, or the old root, is not trusted any more. */
  step(kind: 'use' | 'end' | 'end_roots'): Promise<void>;
  /** Told of every change. */
  onChange(listener: () => void): void;
}

export interface KeyringOptions {
  readonly cluster: string;
  /** 32 bytes each: what the first signing key and the first root are made of. */
  readonly first: { readonly signing: Uint8Array; readonly root: Uint8Array };
  readonly ring: Ring;
  readonly random: Random;
  /** Returns when it is durable. */
  save(ring: Ring): Promise<void>;
}

export function createKeyring({ cluster, first, ring: found, random, save }: KeyringOptions): Keyring {
  const firstKey = signingKey(first.signing);
  const publicKeys = (): readonly string[] => [publicKeyOf(firstKey), ...ring.signing.map(({ key }) => key)];
  const fingerprint = fingerprintOf(publicKeyOf(firstKey));
  const listeners: (() => void)[] = [];
  let ring = found;
  let signer = signerOf(firstKey, ring);
  let root: Root | undefined;
  let said: ReturnType<Keyring['news']> | undefined;
  let counted: { readonly revision: number; readonly keys: Readonly<Record<string, string>> } | undefined;
  let changing = Promise.resolve();

  const secretKey = (): string => Buffer.from(random.bytes(32)).toString('hex');
  const authorityOf = (secret: Uint8Array, number: number): Authority =>
    createAuthority(secret, fingerprint, () => random.bytes(15), number);
  const firstRoot = (): Authority => authorityOf(first.root, 0);
  const rootNow = (): Root => {
    const number = ring.roots.length;
    if (root?.number === number) return root;
    const secret = ring.roots[number - 1]?.secret;
    const authority = secret === undefined ? firstRoot() : authorityOf(Buffer.from(secret, 'hex'), number);
    const chain = ring.roots.map(({ cross }) => cross).reverse();
    const former = [firstRoot().certificate, ...ring.roots.map(({ certificate }) => certificate)].slice(0, number);
    root = { number, authority, chain: chain.join(''), former };
    return root;
  };

  /** One at a time: each rests on what the one before it left. */
  const change = (next: (ring: Ring) => Ring): Promise<void> => {
    const work = async (): Promise<void> => {
      const wanted = next(ring);
      await save(wanted);
      ring = wanted;
      signer = signerOf(firstKey, ring);
      for (const listener of listeners) listener();
    };
    const done = changing.then(work);
    changing = done.catch(() => undefined);
    return done;
  };
  const checkRoom = (used: number): void => {
    if (used < mostLinks) return;
    const hint = 'a new cluster begins with a new key';
    throw new ProblemError(problem('REFUSED', `${used} rotations are as many as agents follow`, { hint }));
  };

  return {
    cluster,
    fingerprint,
    get kid() {
      return signer.kid;
    },
    get publicKey() {
      return signer.publicKey;
    },
    sign: (text) => signText(signer.key, text),
    get ring() {
      return ring;
    },
    news() {
      const { revision, ended } = ring;
      if (said?.revision === revision) return said;
      const links = ring.signing.map(({ key, sig }) => ({ key, sig }));
      const { authority, former } = rootNow();
      const roots = [...former.slice(ring.rootsEnded), authority.certificate].reverse().slice(0, 8);
      const chain = { first: publicKeyOf(firstKey), links };
      said = { revision, chain, ended, ...(ring.roots.length > 0 && { roots }) };
      return said;
    },
    trusted() {
      if (counted?.revision === ring.revision) return counted.keys;
      const keys = Object.fromEntries(
        publicKeys()
          .slice(ring.ended)
          .map((key) => [keyIdOf(key), key]),
      );
      counted = { revision: ring.revision, keys };
      return keys;
    },
    root: rootNow,
    rotateSigning: (begin) =>
      change((now) => {
        checkRoom(now.signing.length);
        const secret = secretKey();
        const key = publicKeyOf(signingKey(Buffer.from(secret, 'hex')));
        const before = keyOf(firstKey, now, now.signing.length);
        const sig = signText(before, linkText(cluster, publicKeys().length, key));
        return withKey(now, { key, sig, secret }, begin);
      }),
    rotateRoot: (begin) =>
      change((now) => {
        checkRoom(now.roots.length);
        const secret = secretKey();
        const next = authorityOf(Buffer.from(secret, 'hex'), now.roots.length + 1);
        const cross = rootNow().authority.certify(next.subject);
        return withRoot(now, { certificate: next.certificate, cross, secret }, begin);
      }),
    step: (kind) => change(kind === 'use' ? useNewest : kind === 'end' ? endKeys : endRoots),
    onChange: (listener) => void listeners.push(listener),
  };
}

/** Number 0 is the first. Only keys that may still sign have their secret. */
function keyOf(first: KeyObject, ring: Ring, number: number): KeyObject {
  if (number === 0) return first;
  const secret = ring.signing[number - 1]?.secret;
  if (secret !== undefined) return signingKey(Buffer.from(secret, 'hex'));
  const hint = 'restore identity/ from a backup';
  throw new ProblemError(problem('FILE_DAMAGED', `the secret of signing key ${number} is missing`, { hint }));
}

function signerOf(first: KeyObject, ring: Ring): { key: KeyObject; publicKey: string; kid: string } {
  const key = keyOf(first, ring, ring.used);
  const publicKey = publicKeyOf(key);
  return { key, publicKey, kid: keyIdOf(publicKey) };
}
