/** Authorities and certificates for tests: those of the product, with other secrets and other dates. */
import { randomBytes } from 'node:crypto';
import { type Authority, createAuthority, type IssuedCertificate } from '../../reconciler/tls/authority.ts';

export const day = 86_400_000;
const localNames = ['localhost', '127.0.0.1', '::1'];

/** Another number, another authority. */
export function testAuthority(number = 1): Authority {
  return createAuthority(new Uint8Array(32).fill(number), 'ab'.repeat(32), () => randomBytes(15));
}

/** Valid now for this machine, unless the test says otherwise. `from` and `until`: ms from now. */
export function localCertificate(
  authority: Authority,
  { names = localNames, from = -day, until = day }: { names?: readonly string[]; from?: number; until?: number } = {},
): IssuedCertificate {
  return authority.issue(names, { from: Date.now() + from, until: Date.now() + until });
}
