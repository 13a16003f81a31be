/** What a TLS server shows, wherever it comes from. */
import type { X509Certificate } from 'node:crypto';
import { keyFingerprint } from '../../schemas/io/certificates.ts';
import type { TlsAnswer } from '../../schemas/joining.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';

/** Certificate (with its chain) and key, PEM. The key is a secret. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
}

export interface Material {
  readonly server: ServerTls;
  readonly leaf: X509Certificate;
  /** PEM of the root; absent: a public authority. */
  readonly authority?: string;
  /** PEM of roots that were in use before it: some clients know no newer one. */
  readonly former?: readonly string[];
}

/** Older protocols are broken. Clients of ours have 1.3. */
export const minVersion = 'TLSv1.2';

/** ms since 1970. */
export function expiryOf(certificate: X509Certificate): number {
  return Date.parse(certificate.validTo);
}

/** Names and addresses as the certificate has them. */
export function namesOf(certificate: X509Certificate): readonly string[] {
  return (certificate.subjectAltName ?? '').split(', ').map((name) => name.replace(/^(DNS|IP Address):/, ''));
}

/** What anybody may know of a certificate. */
export function describeServer(leaf: X509Certificate): TlsAnswer['server'] {
  return { names: namesOf(leaf), fingerprint: keyFingerprint(leaf), expires: expiryOf(leaf) };
}

/** TLS_INVALID about a file. */
export function tlsProblem(file: string, message: string, hint: string, cause?: unknown): ProblemError {
  return new ProblemError(problem('TLS_INVALID', message, { file, hint }), { cause });
}
