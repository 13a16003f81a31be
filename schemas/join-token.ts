/**
 * Join tokens: `oak1.<id>.<secret>.<pin>`. The id names the token in the cluster's records, which keep only a hash of the secret;
 * the pin lets an agent recognise the cluster before it sends the secret. The pin of a cluster that speaks TLS has a second half:
 * `<cluster>-<authority>`, by which the agent recognises the certificate authority before it believes any certificate.
 */
import { ProblemError, problem } from './problem.ts';

export interface JoinToken {
  /** 12 to 16 lower-case hex digits. */
  readonly id: string;
  /** 32 random bytes, base64url. */
  readonly secret: string;
  /** The first 32 hex digits of the cluster's fingerprint. */
  readonly pin: string;
  /** The first 32 hex digits of SHA-256 of the authority's public key (SubjectPublicKeyInfo). Absent: no TLS, or public authorities. */
  readonly authority?: string;
}

const pinLength = 32;
const tokenPattern = /^oak1\.([0-9a-f]{12,16})\.([A-Za-z0-9_-]{43})\.([0-9a-f]{32})(?:-([0-9a-f]{32}))?$/;

/** What a token says of the cluster with this fingerprint. */
export function pinOf(fingerprint: string): string {
  return fingerprint.slice(0, pinLength);
}

/** The text that people copy to a new machine. */
export function formatJoinToken(token: JoinToken): string {
  const pin = token.authority === undefined ? token.pin : `${token.pin}-${token.authority}`;
  return `oak1.${token.id}.${token.secret}.${pin}`;
}

/** The parts of a token. Throws TOKEN_INVALID, without any part of what was given: it may hold a secret. */
export function parseJoinToken(text: string): JoinToken {
  const match = tokenPattern.exec(text.trim());
  const [, id, secret, pin, authority] = match ?? [];
  if (id === undefined || secret === undefined || pin === undefined) {
    throw new ProblemError(
      problem('TOKEN_INVALID', `the join token is malformed (${text.trim().length} characters)`, {
        hint: 'copy the whole line that `oakctl nodes token` printed: oak1.<id>.<secret>.<pin>',
      }),
    );
  }
  return { id, secret, pin, ...(authority !== undefined && { authority }) };
}
