/** Who may call: constant-time comparison of what was sent with what is right. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { ProblemError, problem } from '../../schemas/problem.ts';

/** True when both texts are the same. The time it takes says nothing about where they differ, or how long they are. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Throws UNAUTHORIZED unless the header carries the API token. */
export function requireBearer(header: string | undefined, token: string): void {
  const sent = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
  if (sent !== undefined && sameSecret(sent, token)) return;
  throw new ProblemError(
    problem('UNAUTHORIZED', sent === undefined ? 'the API needs a token' : 'the API token is wrong', {
      hint: 'the token lies in the file api-token of the cluster folder; `--token` or OAKCTL_TOKEN names another',
    }),
  );
}

/** User and password of HTTP basic authentication; undefined when the header is not one. */
export function parseBasic(
  header: string | undefined,
): { readonly user: string; readonly password: string } | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const [user, ...password] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  return user && password.length > 0 ? { user, password: password.join(':') } : undefined;
}
