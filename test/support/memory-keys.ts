import type { Keys } from '../../reconciler/ports.ts';
import { fingerprintOf, keyIdOf, publicKeyOf, signingKey, signText } from '../../schemas/io/signatures.ts';

/** Keys of a cluster, the same for the same seed; the password of a node is `<serial>.<id>`. */
export function createMemoryKeys(cluster: string, seed = 7): Keys {
  const key = signingKey(new Uint8Array(32).fill(seed));
  const publicKey = publicKeyOf(key);
  return {
    cluster,
    fingerprint: fingerprintOf(publicKey),
    kid: keyIdOf(publicKey),
    publicKey,
    sign: (text) => signText(key, text),
    credential: (node, serial) => `${serial}.${node}`,
  };
}
