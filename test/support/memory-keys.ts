import { firstRing, type Ring } from '../../reconciler/core/ring.ts';
import { createKeyring } from '../../reconciler/keys/keyring.ts';
import type { Keys } from '../../reconciler/ports.ts';
import { createSeededRandom } from './virtual-clock.ts';

/** Keys of a cluster, the same for the same seed; the password of a node is `<serial>.<id>`. `disk`: what rotations leave. */
export function createMemoryKeys(cluster: string, seed = 7, disk: { ring: Ring } = { ring: firstRing }): Keys {
  const secret = new Uint8Array(32).fill(seed);
  const keyring = createKeyring({
    cluster,
    first: { signing: secret, root: secret },
    ring: disk.ring,
    random: createSeededRandom(seed + disk.ring.revision),
    save: async (ring) => {
      disk.ring = ring;
    },
  });
  return Object.assign(keyring, {
    begun: 0,
    secretFor: (purpose: string) => new Uint8Array(32).fill(seed + purpose.length),
    credential: (node: string, serial: number) => `${serial}.${node}`,
    verifyCredential(node: string, password: string) {
      const [serial, ...rest] = password.split('.');
      return rest.join('.') === node ? Number(serial) : undefined;
    },
  });
}
