/** Where this node connects, and whom it believes there. */
import { urlHost } from '../schemas/addresses.ts';
import type { Endpoint } from '../schemas/endpoints.ts';
import { ProblemError, problem } from '../schemas/problem.ts';

export interface Trusted {
  readonly url: string;
  /** PEM of the only root that is trusted. */
  readonly ca?: string;
}

/** The API. TLS_REQUIRED when the cluster has TLS and the address would go without. */
export function endpointOf(api: string, ca: string | undefined): Trusted {
  if (ca === undefined) return { url: api };
  if (api.startsWith('https://')) return { url: api, ca };
  throw new ProblemError(
    problem('TLS_REQUIRED', `the cluster speaks TLS, and \`api\` in agent.yaml says ${api}`, {
      hint: `api: ${api.replace(/^http:/, 'https:')}`,
    }),
  );
}

/** The same place without TLS: for the question that carries nothing. */
export function withoutTls(api: string): string {
  const url = new URL(api);
  // A URL leaves out the usual port of its own protocol.
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return `http://${url.hostname}:${port}`;
}

/** The endpoint that a node joined with: the broker that it was told of then. One that listens on every address is where the API is. */
export function joinedAt(
  mqtt: {
    readonly host: string;
    readonly port: number;
    readonly tls?: boolean | undefined;
    readonly url?: string | undefined;
    readonly ca?: string | undefined;
  },
  api: string,
): Endpoint {
  if (mqtt.url !== undefined)
    return { api, mqtt: mqtt.url, external: true, ...(mqtt.ca !== undefined && { ca: mqtt.ca }) };
  const isEverywhere = mqtt.host === '0.0.0.0' || mqtt.host === '::';
  const host = isEverywhere ? new URL(api).hostname : urlHost(mqtt.host);
  return { api, mqtt: `${mqtt.tls ? 'mqtts' : 'mqtt'}://${host}:${mqtt.port}` };
}

/** The broker of an endpoint; `ca`: the root of the cluster, which does not sign for brokers of others. */
export function brokerAt({ mqtt, external, ca: own }: Endpoint, ca: string | undefined): Trusted {
  const root = external ? own : ca;
  return { url: mqtt, ...(root !== undefined && { ca: root }) };
}
