/**
 * Passwords: kept as scrypt, each with its parameters, so that these may grow. Work is done one after the other: each takes 32 MiB,
 * and machines are small.
 */
import { scrypt, timingSafeEqual } from 'node:crypto';
import { firstUser, leastPassword } from '../../schemas/accounts.ts';
import type { Random } from '../../schemas/ports.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';

/** As good as N = 2^17, p = 1, in a quarter of the memory. */
const usual: Cost = { log: 15, block: 8, parallel: 3 };
const keyLength = 32;
/** Whoever comes later is told to come again. */
const mostWaiting = 16;
const pattern = /^scrypt\$(\d{1,2})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9_-]{22,})\$([A-Za-z0-9_-]{43})$/;

export interface Passwords {
  /** The text to keep. */
  hash(password: string): Promise<string>;
  /** Without a text to compare with it takes as long, and is false. TOO_MANY when too many wait. */
  matches(password: string, kept: string | undefined): Promise<boolean>;
}

/** `now`: what new passwords cost. */
export function createPasswords(random: Random, now: Cost = usual): Passwords {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    if (waiting >= mostWaiting) {
      const why = `${waiting} logins are being looked at`;
      throw new ProblemError(problem('TOO_MANY', why, { hint: 'try again in a moment', disposition: 'retry' }));
    }
    waiting += 1;
    const done = last.then(work).finally(() => {
      waiting -= 1;
    });
    last = done.catch(() => undefined);
    return done;
  };
  const nobody = formatHash(now, random.bytes(16), random.bytes(keyLength));
  return {
    hash: (password) =>
      inTurn(async () => {
        const salt = random.bytes(16);
        return formatHash(now, salt, await derive(password, salt, now));
      }),
    matches: (password, kept) =>
      inTurn(async () => {
        const [, log, block, parallel, salt = '', key = ''] = pattern.exec(kept ?? nobody) ?? [];
        const cost = { log: Number(log), block: Number(block), parallel: Number(parallel) };
        const found = await derive(password, Buffer.from(salt, 'base64url'), cost);
        return timingSafeEqual(found, Buffer.from(key, 'base64url')) && kept !== undefined;
      }),
  };
}

/** Says what is wrong with a password that somebody chose. BAD_REQUEST. */
export function requireGoodPassword(password: string, user: string): void {
  const fault =
    password.length < leastPassword
      ? `it has ${password.length} characters: at least ${leastPassword}`
      : new Set(password).size < 5
        ? 'it is made of hardly any characters'
        : password.toLowerCase().includes(user.toLowerCase()) && password.length < user.length + leastPassword
          ? 'it is the name of the account, and little more'
          : undefined;
  if (fault !== undefined) {
    const hint = 'without a password oakctl makes one';
    throw new ProblemError(problem('BAD_REQUEST', `the password is too weak: ${fault}`, { subject: 'password', hint }));
  }
}

/** 100 random bits that can be typed. */
export function makePassword(random: Random): string {
  const letters = 'abcdefghijkmnpqrstuvwxyz23456789';
  const text = [...random.bytes(20)].map((byte) => letters[byte % letters.length]).join('');
  return text.replace(/(.{4})(?=.)/g, '$1-');
}

/** What the first account is told whose password was guessed as Oakestra has it. */
export const whereTheFirstLies = `the password of ${firstUser} was made at the first start: \`oakctl up\` printed it, and until it is changed it lies in the file admin-password of the cluster's folder; an admin can set another`;

export interface Cost {
  /** Binary logarithm of N. */
  readonly log: number;
  readonly block: number;
  readonly parallel: number;
}

function derive(password: string, salt: Uint8Array, { log, block, parallel }: Cost): Promise<Buffer> {
  const options = { N: 2 ** log, r: block, p: parallel, maxmem: 256 * 2 ** log * block };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, keyLength, options, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

function formatHash({ log, block, parallel }: Cost, salt: Uint8Array, key: Uint8Array): string {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
  return `scrypt$${log}$${block}$${parallel}$${text(salt)}$${text(key)}`;
}
