/**
 * Certificates as both sides look at them. An authority is recognised by its key: SHA-256 of the SubjectPublicKeyInfo, of which
 * join tokens carry the first 32 hex digits. So an authority may renew its certificate without anybody losing trust.
 */
import { createHash, X509Certificate } from 'node:crypto';

const pinLength = 32;
const pemPattern = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const mostCertificates = 32;

/** The certificates in a PEM text, in its order. Throws what the parser throws when one is malformed. */
export function parseCertificates(pem: string): X509Certificate[] {
  return (pem.match(pemPattern) ?? []).slice(0, mostCertificates).map((text) => new X509Certificate(text));
}

/** SHA-256 of the public key of a certificate, lower-case hex. */
export function keyFingerprint(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('hex');
}

/** What a join token says of an authority with this fingerprint. */
export function authorityPin(fingerprint: string): string {
  return fingerprint.slice(0, pinLength);
}

/** What Node says of a certificate that leads to no root that is trusted, or names another host. */
const untrusted: ReadonlySet<string> = new Set([
  'CERT_CHAIN_TOO_LONG',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/**
 * True when the other side is not who it should be. A certificate that is not valid yet, or any more, is not among them: a clock
 * that is being set, or a renewal, mends it.
 */
export function isUntrusted(error: unknown): boolean {
  return error instanceof Error && 'code' in error && untrusted.has(String(error.code));
}

/**
 * The certificates of a PEM text whose key is the pinned one, as PEM; undefined when there is none. All others are left out:
 * whoever answers may add what he likes to a certificate that everybody can read. Never throws.
 */
export function pinnedCertificate(pem: string, pin: string): string | undefined {
  try {
    const pinned = parseCertificates(pem).filter((one) => authorityPin(keyFingerprint(one)) === pin);
    return pinned.length === 0 ? undefined : pinned.map(String).join('');
  } catch {
    return undefined;
  }
}
