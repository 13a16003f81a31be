/**
 * How many passwords may be tried: per account and per address, each a bucket that fills again by and by. An address alone never
 * empties the bucket of an account for long, so that whoever guesses does not lock its owner out.
 */
import { createBuckets, type Limit } from './allowance.ts';

/** In any hour 60. */
export const accountLimit: Limit = { most: 10, every: 72_000 };
/** In any hour 40: an account gets one back every 72 s, of which one address can take one every 120 s. */
export const addressLimit: Limit = { most: 10, every: 120_000 };

export interface Guesses {
  /** ms to wait, or 0: one was taken of both. */
  take(account: string, address: string, now: number): number;
  /** It was no guess: the password was right. */
  giveBack(account: string, address: string): void;
}

/** Times are monotonic, in ms. */
export function createGuesses(): Guesses {
  const accounts = createBuckets(accountLimit);
  const addresses = createBuckets(addressLimit);
  return {
    take(account, address, now) {
      const wait = Math.max(accounts.wait(account, now), addresses.wait(address, now));
      if (wait > 0) return wait;
      accounts.take(account, now);
      addresses.take(address, now);
      return 0;
    },
    giveBack(account, address) {
      accounts.giveBack(account);
      addresses.giveBack(address);
    },
  };
}

/** Whose guesses count together: an IPv6 network of 64 bits is one house. */
export function houseOf(address: string): string {
  const plain = address.replace(/^::ffff:/, '');
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.split('::', 2);
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros =
    tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => '0');
  return [...front, ...zeros, ...back].slice(0, 4).join(':');
}
