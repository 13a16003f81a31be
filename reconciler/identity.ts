import { fingerprintOf, identityText, lineageText } from '../schemas/io/signatures.ts';
import type { IdentityAnswer } from '../schemas/joining.ts';
import type { Keys } from './ports.ts';

/** Who we are, proven: by the key that signs now, and how it came to that. */
export function identityOf(keys: Keys, nonce: string): IdentityAnswer {
  const { cluster, kid, publicKey: key, ring } = keys;
  const { first, links } = keys.news().chain;
  const chain = { first, links: links.slice(0, ring.used) };
  const since = ring.used > 0 && { since: { chain, sig: keys.sign(lineageText(cluster, nonce, chain)) } };
  return { cluster, fingerprint: fingerprintOf(key), kid, key, sig: keys.sign(identityText(cluster, nonce)), ...since };
}
