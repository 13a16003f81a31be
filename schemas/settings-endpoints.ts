/** `endpoints` in cluster.yaml: where the cluster can be reached, or will be once its reconciler has moved. */
import { type Static, Type } from 'typebox';
import { hostOf, isLoopback } from './addresses.ts';
import { Endpoint, mostEndpoints, usualBroker } from './endpoints.ts';
import type { Findings } from './findings.ts';
import type { ExternalBroker } from './settings-broker.ts';

const closed = { additionalProperties: false } as const;
const api = Type.String({
  ...Endpoint.properties.api,
  description: 'URL of the API there.',
  errorMessage: 'must be the URL of an API, like https://192.168.1.2:10100',
});

/** As it is written. */
export const EndpointsFile = Type.Array(
  Type.Object(
    {
      api,
      mqtt: Type.Optional(Type.String({ ...Endpoint.properties.mqtt, description: 'Default: port 10003 there.' })),
      ca: Type.Optional(
        Type.String({
          pattern: '^/',
          maxLength: 4096,
          description: 'PEM file of the root of that broker, where it is not the embedded one.',
        }),
      ),
    },
    closed,
  ),
  {
    maxItems: mostEndpoints - 1,
    description: 'Where the cluster can be reached beside here, or will be: agents keep the list, and try it in turn.',
  },
);

export interface EndpointSettings extends Pick<Endpoint, 'api' | 'mqtt' | 'external'> {
  /** File with the root of an external broker. */
  readonly caFile?: string;
}

/** What else the settings say about it. */
interface Beside {
  /** The cluster's broker is not the embedded one: it is meant where an entry names none. */
  readonly external?: ExternalBroker | undefined;
  readonly tls: boolean;
  /** Credentials may travel in the open. */
  readonly insecure: boolean;
}

/** The entries. Adds to the findings those that agents could not use, or should not. */
export function endpointsOf(
  written: Static<typeof EndpointsFile> | undefined,
  beside: Beside,
  findings: Findings,
): readonly EndpointSettings[] {
  const known = new Set<string>();
  return (written ?? []).flatMap((entry, index) => {
    const path = ['endpoints', index];
    const made = endpointOf(entry, beside);
    const fault = made
      ? faultOf(made, beside)
      : { message: 'it is not a URL with a host', hint: 'https://10.0.0.2:10100' };
    if (fault) findings.error(fault.code ?? 'SETTINGS_INVALID', path, fault.message, fault.hint);
    if (!made) return [];
    if (known.has(made.api)) findings.error('SETTINGS_INVALID', path, `${made.api} is there twice`);
    known.add(made.api);
    return [made];
  });
}

function endpointOf(
  entry: { readonly api: string; readonly mqtt?: string; readonly ca?: string },
  { external }: Beside,
): EndpointSettings | undefined {
  const { api } = entry;
  if (!URL.canParse(api) || (entry.mqtt !== undefined && !URL.canParse(entry.mqtt))) return undefined;
  if (external) {
    const ca = entry.ca ?? (entry.mqtt === undefined ? external.ca : undefined);
    return { api, mqtt: entry.mqtt ?? external.url, external: true, ...(ca !== undefined && { caFile: ca }) };
  }
  const isOther = entry.ca !== undefined ? { external: true as const, caFile: entry.ca } : {};
  return { api, mqtt: entry.mqtt ?? usualBroker(api), ...isOther };
}

interface Fault {
  readonly code?: 'TLS_REQUIRED';
  readonly message: string;
  readonly hint: string;
}

function faultOf({ api, mqtt }: EndpointSettings, { tls, insecure }: Beside): Fault | undefined {
  if (tls && !api.startsWith('https:')) {
    return {
      code: 'TLS_REQUIRED',
      message: `the cluster speaks TLS, and ${api} does not`,
      hint: api.replace('http:', 'https:'),
    };
  }
  const open = [api, mqtt].find((url) => /^(http|mqtt|ws):/.test(url) && !isLoopback(hostOf(new URL(url))));
  if (open === undefined || insecure) return undefined;
  const message = `${open} is not loopback, and there is no TLS: credentials would be readable on the way`;
  return { code: 'TLS_REQUIRED', message, hint: open.replace(/^(http|mqtt|ws):/, '$1s:') };
}
