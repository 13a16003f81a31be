/** Where the cluster can be reached, as agents are told it: here, and at what cluster.yaml names. */
import { urlHost } from '../schemas/addresses.ts';
import type { Endpoint } from '../schemas/endpoints.ts';
import { createApiClient } from '../schemas/io/api-client.ts';
import type { ClusterSettings } from '../schemas/settings.ts';
import { readSetting } from './broker/link.ts';
import type { ReconcilerDeps } from './context.ts';
import type { Peers } from './rivals.ts';
import type { TlsKeeper } from './tls/keeper.ts';
import { isEverywhere } from './tls/names.ts';

/** The endpoints of cluster.yaml, whose PEM files are read. SETTINGS_INVALID. */
export async function readPlaces({ endpoints }: Pick<ClusterSettings, 'endpoints'>): Promise<readonly Endpoint[]> {
  return Promise.all(
    endpoints.map(async ({ caFile, ...endpoint }) =>
      caFile === undefined ? endpoint : { ...endpoint, ca: await readSetting(caFile, 'endpoints') },
    ),
  );
}

/** How the reconcilers that may be there are asked. */
export function peersOf(endpoints: readonly Endpoint[], tls: Pick<TlsKeeper, 'authority'> | undefined): Peers {
  return {
    apis: endpoints.map(({ api }) => api),
    ask(api, nonce, signal) {
      const ca = tls?.authority();
      return createApiClient({ url: api, ...(ca !== undefined && { ca }) }).identity(nonce, signal);
    },
  };
}

/** All places, this one first. One that listens on every address does not know by which it is reached. */
export function withOwn(
  endpoints: readonly Endpoint[],
  { api }: Pick<ClusterSettings, 'api'>,
  url: string,
  broker: ReconcilerDeps['mqtt'],
): readonly Endpoint[] {
  if (endpoints.length === 0 || isEverywhere(api.host) || endpoints.some((one) => one.api === url)) return endpoints;
  const { host, port, tls, ca } = broker;
  if (broker.url !== undefined) {
    return [{ api: url, mqtt: broker.url, external: true, ...(ca !== undefined && { ca }) }, ...endpoints];
  }
  const at = isEverywhere(host) ? new URL(url).hostname : urlHost(host);
  return [{ api: url, mqtt: `${tls ? 'mqtts' : 'mqtt'}://${at}:${port}` }, ...endpoints];
}
