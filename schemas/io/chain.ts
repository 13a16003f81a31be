/** The chain of signing keys of a cluster: made link by link, and followed from any key that is known. */
import type { Chain } from '../trust.ts';
import { keyIdOf, verifyText } from './signatures.ts';

/** What the key before signs: that number `at` (from 1) of this cluster is this key. */
export function linkText(cluster: string, at: number, key: string): string {
  return `oakctl/1/${cluster}/key ${at}\n${key}`;
}

/** The public keys of a chain, the first one first. Nothing is checked. */
export function keysOf({ first, links }: Chain): readonly string[] {
  return [first, ...links.map(({ key }) => key)];
}

/** The keys that come after a known one, each signed by the one before it; undefined when the chain lacks it or one is not. */
export function keysAfter(cluster: string, chain: Chain, known: string): readonly string[] | undefined {
  const keys = keysOf(chain);
  const from = keys.indexOf(known);
  if (from < 0) return undefined;
  const isSigned = ({ key, sig }: Chain['links'][number], at: number): boolean =>
    at < from || verifyText(keys[at] ?? '', linkText(cluster, at + 1, key), sig);
  return chain.links.every(isSigned) ? keys.slice(from + 1) : undefined;
}

/** The key with which somebody signs, if it is one of these, or the chain that he shows leads to it from the newest of them. */
export function shownKey(
  cluster: string,
  { keys, newest }: { readonly keys: Readonly<Record<string, string>>; readonly newest: string },
  { kid, since }: { readonly kid: string; readonly since?: { readonly chain: Chain } },
): string | undefined {
  if (Object.hasOwn(keys, kid) || !since) return Object.hasOwn(keys, kid) ? keys[kid] : undefined;
  const key = keysAfter(cluster, since.chain, newest)?.at(-1);
  return key !== undefined && keyIdOf(key) === kid ? key : undefined;
}
