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

/** The broker. One that listens on every address is where the API is. */
export function brokerUrl(
  mqtt: { readonly host: string; readonly port: number; readonly tls?: boolean | undefined },
  api: string,
): string {
  const isEverywhere = mqtt.host === '0.0.0.0' || mqtt.host === '::';
  const host = isEverywhere ? new URL(api).hostname : isIPv6(mqtt.host) ? `[${mqtt.host}]` : mqtt.host;
  return `${mqtt.tls ? 'mqtts' : 'mqtt'}://${host}:${mqtt.port}`;
}
