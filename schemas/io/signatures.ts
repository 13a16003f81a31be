/**
 * Signatures of a cluster: Ed25519 over `oakctl/1/<cluster>/<topic>`, a line feed, and RFC 8785 of the message without `sig`.
 * The prefix makes a signature worthless on another topic, in another cluster, and for another purpose. Keys and signatures
 * travel as base64url; a key is its raw 32 bytes.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalJson } from '../digest.ts';

/** What signing needs of the cluster's keys. */
export interface Signer {
  readonly cluster: string;
  readonly kid: string;
  /** Ed25519, base64url, over the UTF-8 of `text`. */
  sign(text: string): string;
}

/** What an agent pinned at join. */
export interface Verifier {
  readonly cluster: string;
  /** Public keys by key id. A message under another key id is not ours. */
  readonly keys: Readonly<Record<string, string>>;
}

/** PKCS #8 in front of a raw Ed25519 seed (RFC 8410): Node takes private keys only inside of it. */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const seedBytes = 32;

/** A private key from 32 bytes. The same bytes give the same key. */
export function signingKey(seed: Uint8Array): KeyObject {
  if (seed.length !== seedBytes) throw new TypeError(`an Ed25519 seed has ${seedBytes} bytes, not ${seed.length}`);
  return createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' });
}

/** The public half of a key: base64url of the raw 32 bytes. */
export function publicKeyOf(key: KeyObject): string {
  return createPublicKey(key).export({ format: 'jwk' }).x ?? '';
}

/** Lower-case hex SHA-256 of the raw public key: names the cluster whatever it is called. */
export function fingerprintOf(publicKey: string): string {
  return createHash('sha256').update(Buffer.from(publicKey, 'base64url')).digest('hex');
}

/** The key id under which messages name a key: the first 16 hex digits of its fingerprint. */
export function keyIdOf(publicKey: string): string {
  return fingerprintOf(publicKey).slice(0, 16);
}

/** Signs the UTF-8 of a text; base64url. */
export function signText(key: KeyObject, text: string): string {
  return sign(null, Buffer.from(text), key).toString('base64url');
}

/** True when `sig` is the signature of `text` under this public key. Never throws, whatever the three hold. */
export function verifyText(publicKey: string, text: string, sig: string): boolean {
  const key = publicKeyObject(publicKey);
  return key !== undefined && verify(null, Buffer.from(text), key, Buffer.from(sig, 'base64url'));
}

/** The text that the identity answer signs: proves possession of the key that a join token pins. */
export function identityText(cluster: string, nonce: string): string {
  return `oakctl/1/${cluster}/identity${nonce}`;
}

/** The same with the chain of keys that led to the one that signs. */
export function lineageText(cluster: string, nonce: string, chain: object): string {
  return `oakctl/1/${cluster}/lineage${nonce}\n${canonicalJson(chain)}`;
}

/** The message with `kid` and `sig`. */
export function signMessage<T extends object>(
  signer: Signer,
  topic: string,
  message: T,
): T & { readonly kid: string; readonly sig: string } {
  const stamped = { ...message, kid: signer.kid };
  return { ...stamped, sig: signer.sign(signedText(signer.cluster, topic, stamped)) };
}

/** True when the message was signed for this topic by a key that is pinned. Never throws. */
export function verifyMessage(verifier: Verifier, topic: string, message: object): boolean {
  const { kid, sig } = message as { kid?: unknown; sig?: unknown };
  if (typeof kid !== 'string' || typeof sig !== 'string' || !Object.hasOwn(verifier.keys, kid)) return false;
  const publicKey = verifier.keys[kid];
  if (publicKey === undefined) return false;
  const key = pinnedKey(verifier.keys, publicKey);
  if (!key) return false;
  try {
    return verify(null, Buffer.from(signedText(verifier.cluster, topic, message)), key, Buffer.from(sig, 'base64url'));
  } catch {
    // Canonical JSON refuses lone surrogates: nothing that we would ever sign.
    return false;
  }
}

function signedText(cluster: string, topic: string, message: object): string {
  return `oakctl/1/${cluster}/${topic}\n${canonicalJson({ ...message, sig: undefined })}`;
}

function publicKeyObject(publicKey: string): KeyObject | undefined {
  try {
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' });
  } catch {
    return undefined;
  }
}

/** Parsed keys of pinned sets; a set is never changed in place, and its entry goes with it. */
const parsed = new WeakMap<object, Map<string, KeyObject | undefined>>();

function pinnedKey(set: object, publicKey: string): KeyObject | undefined {
  const known = parsed.get(set) ?? new Map<string, KeyObject | undefined>();
  parsed.set(set, known);
  if (!known.has(publicKey)) known.set(publicKey, publicKeyObject(publicKey));
  return known.get(publicKey);
}
