/** How a reconciler is guarded on the network: by TLS, by loopback, or, loudly, not at all. */
import { authorityPin } from '../../schemas/io/certificates.ts';
import type { Problem } from '../../schemas/problem.ts';
import type { ClusterSettings } from '../../schemas/settings.ts';
import { watchExposure } from './exposure.ts';
import { openTls, type TlsKeeper, type TlsOptions } from './keeper.ts';

export interface Security {
  /** Absent: plain HTTP and MQTT. */
  readonly tls?: TlsKeeper;
  /** What join tokens say of the authority. */
  pin(): string | undefined;
  conditions(): readonly Problem[];
  close(): Promise<void>;
}

/** TLS_INVALID. Settings that are open without saying so were refused before. */
export async function openSecurity(
  settings: ClusterSettings,
  options: Omit<TlsOptions, 'settings' | 'hosts'>,
): Promise<Security> {
  // An external broker shows a certificate of its own.
  const hosts = [settings.api.host, ...(settings.external ? [] : [settings.mqtt.host])];
  if (!settings.tls) return { ...watchExposure(hosts, options), pin: () => undefined };
  const tls = await openTls({ ...options, settings: settings.tls, hosts });
  const pin = (): string | undefined => {
    const authority = tls.describe().authority?.fingerprint;
    return authority && authorityPin(authority);
  };
  return { tls, pin, conditions: tls.conditions, close: tls.close };
}
