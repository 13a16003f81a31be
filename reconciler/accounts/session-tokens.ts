/**
 * What a login gives: a token that is good for minutes, and one that gets the next pair for days. Both are JWT by one algorithm, each
 * kind under a key of its own, so that neither is ever taken for the other.
 */
import { errors, jwtVerify, SignJWT } from 'jose';
import type { Wall } from '../../schemas/ports.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';

/** Nobody but the reconciler reads them: there is no public key to be confused with. */
const algorithm = 'HS256';
const audience = 'oakctl-api';
/** Longer ones are not ours. */
const mostLength = 1024;
export const accessTtl = 600_000;
export const sessionTtl = 7 * 86_400_000;

export type TokenKind = 'access' | 'refresh';

/** What a token says. It is never asked for rights: these are looked up. */
export interface Claims {
  /** Id of the account. */
  readonly user: string;
  readonly session: string;
  /** Of the account: raised when its password changes. */
  readonly version: number;
  /** Of refresh tokens: how often the session was refreshed. */
  readonly turn: number;
  readonly expires: Wall;
}

export interface SessionTokens {
  make(kind: TokenKind, claims: Claims, now: Wall): Promise<string>;
  /** UNAUTHORIZED. */
  read(kind: TokenKind, text: string, now: Wall): Promise<Claims>;
}

export interface SessionTokensOptions {
  /** 32 bytes for each kind. */
  readonly keys: Readonly<Record<TokenKind, Uint8Array>>;
  /** Cluster and era: what was given out before a restore is worth nothing after it. */
  readonly issuer: string;
}

const typ: Readonly<Record<TokenKind, string>> = { access: 'at+jwt', refresh: 'rt+jwt' };

export function createSessionTokens({ keys, issuer }: SessionTokensOptions): SessionTokens {
  for (const key of Object.values(keys)) if (key.length !== 32) throw new Error('a key of session tokens has 32 bytes');
  return {
    make: (kind, { user, session, version, turn, expires }, now) =>
      new SignJWT({ sid: session, ver: version, ...(kind === 'refresh' && { turn }) })
        .setProtectedHeader({ alg: algorithm, typ: typ[kind] })
        .setSubject(user)
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt(Math.floor(now / 1000))
        .setExpirationTime(Math.floor(expires / 1000))
        .sign(keys[kind]),
    async read(kind, text, now) {
      if (text.length > mostLength) throw refused('is no token of this cluster');
      const { payload } = await jwtVerify(text, keys[kind], {
        algorithms: [algorithm],
        typ: typ[kind],
        issuer,
        audience,
        currentDate: new Date(now),
        requiredClaims: ['sub', 'exp', 'iat', 'sid', 'ver'],
      }).catch((error: unknown) => {
        if (error instanceof errors.JWTExpired) throw refused('has expired');
        if (error instanceof errors.JOSEError) throw refused('is no token of this cluster');
        throw error;
      });
      const { sub, sid, ver, turn = 0, exp = 0 } = payload;
      if (typeof sub !== 'string' || typeof sid !== 'string' || typeof ver !== 'number' || typeof turn !== 'number')
        throw refused('is no token of this cluster');
      return { user: sub, session: sid, version: ver, turn, expires: (exp * 1000) as Wall };
    },
  };
}

/** UNAUTHORIZED: the token `why`. */
export function refused(why: string): ProblemError {
  return new ProblemError(
    problem('UNAUTHORIZED', `the token ${why}`, { hint: '`oakctl login`, or POST /v1/login, gives another' }),
  );
}
