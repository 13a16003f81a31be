/** The list of endpoints as agents get it: signed once for all of them, and anew when the epoch was raised, or another key signs. */
import { type Endpoint, type EndpointList, endpointsTopic, eraOf } from '../schemas/endpoints.ts';
import { signMessage } from '../schemas/io/signatures.ts';
import type { ReconcilerDeps } from './context.ts';
import type { Reign } from './core/rivals.ts';

const none: readonly Endpoint[] = [];

/** Undefined where there is nothing to tell: no endpoints are set, and nothing was ever restored. */
export function createEndpoints(
  { keys, endpoints }: Pick<ReconcilerDeps, 'keys' | 'endpoints'>,
  reign: () => Reign,
): () => EndpointList | undefined {
  let made: EndpointList | undefined;
  let from: readonly Endpoint[] | undefined;
  return () => {
    const list = endpoints?.() ?? none;
    const { epoch, by } = reign();
    if (list.length === 0 && eraOf(epoch) === 0) return undefined;
    const isSame = made?.epoch === epoch && made.by === by && made.kid === keys.kid && from === list;
    if (!isSame) {
      from = list;
      const { cluster } = keys;
      const message = { v: 1 as const, cluster, epoch, by, endpoints: [...list] };
      made = signMessage(keys, endpointsTopic(cluster), message);
    }
    return made;
  };
}
