/** IP addresses as text. */
import { isIP, isIPv4, isIPv6 } from 'node:net';

/** Where others reach what a node publishes. With `port` at that one port only: a forwarder leads it to the same port of the node. */
export interface Advertised {
  readonly ip: string;
  readonly port?: number;
}

/** True for a complete IPv4 or IPv6 address. */
export function isAddress(text: string): boolean {
  return text.length <= 45 && isIP(text) !== 0;
}

/** True for what only this machine can reach. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIPv4(host) && host.startsWith('127.');
}

/** True for what stands for all addresses of a machine, and names none. */
export function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || /^[0:]+$/.test(address);
}

/** How an advertised address is written. */
export const advertiseHint = 'write 203.0.113.7, 203.0.113.7:8080 or [2001:db8::7]:8080';

/** `<ip>`, `<ip>:<port>` or `[<ipv6>]:<port>`, or what is wrong with it. */
export function parseAdvertised(text: string): Advertised | string {
  const [, bracketed, open, portText] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(text) ?? [];
  const whole = isIPv6(text) ? text : (bracketed ?? open ?? '');
  if (!isAddress(whole)) return `\`${text.slice(0, 60)}\` is not an IP address, alone or with a port`;
  if (isUnspecified(whole)) return `${whole} stands for every address: name one that others reach`;
  if (isIPv6(text) || portText === undefined) return { ip: whole };
  const port = /^[0-9]{1,5}$/.test(portText) ? Number(portText) : 0;
  return port >= 1 && port <= 65_535
    ? { ip: whole, port }
    : `port \`${portText.slice(0, 20)}\` is not between 1 and 65535`;
}

/** In the form that {@link parseAdvertised} reads. */
export function formatAdvertised({ ip, port }: Advertised): string {
  return port === undefined ? ip : withPort(ip, port);
}

/** A host as it stands in a URL: an IPv6 address in brackets. */
export function urlHost(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/** The host of a URL as it stands alone: an IPv6 address without its brackets. */
export function hostOf({ hostname }: Pick<URL, 'hostname'>): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/** `host:port`, and `[ipv6]:port`. */
export function withPort(host: string, port: number | string): string {
  return `${urlHost(host)}:${port}`;
}
