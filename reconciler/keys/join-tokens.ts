/** Join tokens as the cluster makes and judges them. Records keep a hash of the secret only. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { formatJoinToken, type JoinToken, pinOf } from '../../schemas/join-token.ts';
import type { Random, Wall } from '../../schemas/ports.ts';
import { type Problem, problem } from '../../schemas/problem.ts';
import type { TokenRecord } from '../core/records.ts';

export interface NewJoinToken {
  /** Shown once. */
  readonly token: string;
  readonly id: string;
  /** SHA-256 of the secret, hex: what records keep. */
  readonly hash: string;
}

/** A new token for the cluster with this fingerprint. */
export function createJoinToken(random: Random, fingerprint: string): NewJoinToken {
  const id = Buffer.from(random.bytes(8)).toString('hex');
  const secret = Buffer.from(random.bytes(32)).toString('base64url');
  return {
    token: formatJoinToken({ id, secret, pin: pinOf(fingerprint) }),
    id,
    hash: digest(secret).toString('hex'),
  };
}

export interface JoinAttempt {
  readonly token: JoinToken;
  /** The node name that is asked for. */
  readonly name: string;
  readonly fingerprint: string;
  readonly now: Wall;
}

/** Why this token does not admit this node; undefined when it does. The secret is compared in constant time, and first. */
export function refuseJoin(record: TokenRecord | undefined, attempt: JoinAttempt): Problem | undefined {
  const { token, name, fingerprint, now } = attempt;
  const refuse = (message: string): Problem =>
    problem('TOKEN_INVALID', message, {
      subject: `token/${token.id}`,
      hint: 'make a new one with `oakctl nodes token`',
    });
  if (!record || !hasSecret(record, token.secret)) return refuse('the join token is unknown');
  if (token.pin !== pinOf(fingerprint)) return refuse('the join token is for another cluster');
  if (record.expires <= now) return refuse('the join token has expired');
  if (record.uses < 1) return refuse('the join token is used up');
  if (record.name !== undefined && record.name !== name) {
    return refuse(`the join token is bound to the node name ${record.name}`);
  }
  return undefined;
}

function hasSecret(record: TokenRecord, secret: string): boolean {
  const wanted = Buffer.from(record.hash, 'hex');
  const given = digest(secret);
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}

function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
