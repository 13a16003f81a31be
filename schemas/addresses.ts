/** IP addresses as text. */
import { isIP, isIPv4 } from 'node:net';

/** True for a complete IPv4 or IPv6 address. */
export function isAddress(text: string): boolean {
  return text.length <= 45 && isIP(text) !== 0;
}

/** True for what only this machine can reach. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIPv4(host) && host.startsWith('127.');
}
