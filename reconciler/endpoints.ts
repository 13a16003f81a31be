/** The list of endpoints: signed once for all who get it, and anew when the epoch was raised, or another key signs. */
import { type Endpoint, type EndpointList, endpointsTopic, eraOf } from '../schemas/endpoints.ts';
import { signMessage } from '../schemas/io/signatures.ts';
import type { ReconcilerDeps } from './context.ts';
import type { Reign } from './core/rivals.ts';

const none: readonly Endpoint[] = [];

export interface Lists {
  /** As agents get it with what they are to do. It proves to others that we ran the cluster, and is there also when it names no place. */
  told(): EndpointList;
  /** As anybody gets it who asks who we are. Undefined where there is nothing to tell: no endpoints are set, and nothing was ever restored. */
  shown(): EndpointList | undefined;
}

export function createEndpoints(
  { keys, endpoints }: Pick<ReconcilerDeps, 'keys' | 'endpoints'>,
  reign: () => Reign,
): Lists {
  const places = (): readonly Endpoint[] => endpoints?.() ?? none;
  const signed = (more: Pick<EndpointList, 'told'>): (() => EndpointList) => {
    let made: EndpointList | undefined;
    let from: readonly Endpoint[] | undefined;
    return () => {
      const list = places();
      const { epoch, by } = reign();
      if (made?.epoch === epoch && made.by === by && made.kid === keys.kid && from === list) return made;
      from = list;
      const { cluster } = keys;
      made = signMessage(keys, endpointsTopic(cluster), {
        v: 1 as const,
        cluster,
        epoch,
        by,
        endpoints: [...list],
        ...more,
      });
      return made;
    };
  };
  const shown = signed({});
  return {
    told: signed({ told: true }),
    shown: () => (places().length === 0 && eraOf(reign().epoch) === 0 ? undefined : shown()),
  };
}
