/** Where this node connects, and whom it believes there. */
import { isIPv6 } from 'node:net';
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

/** The broker: the one that the cluster names, or the reconciler's own. One that listens on every address is where the API is. */
export function brokerOf(
  mqtt: {
    readonly host: string;
    readonly port: number;
    readonly tls?: boolean | undefined;
    readonly url?: string | undefined;
    readonly ca?: string | undefined;
  },
  api: string,
  ca: string | undefined,
): Trusted {
  if (mqtt.url !== undefined) return { url: mqtt.url, ...(mqtt.ca !== undefined && { ca: mqtt.ca }) };
  const isEverywhere = mqtt.host === '0.0.0.0' || mqtt.host === '::';
  const host = isEverywhere ? new URL(api).hostname : isIPv6(mqtt.host) ? `[${mqtt.host}]` : mqtt.host;
  return { url: `${mqtt.tls ? 'mqtts' : 'mqtt'}://${host}:${mqtt.port}`, ...(ca !== undefined && { ca }) };
}
