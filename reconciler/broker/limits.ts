/** How much of the broker one client, one address and all of them may take. Pure: time comes in. */

/** `burst` at once, and `rate` per second for ever. */
export interface Allowance {
  readonly rate: number;
  readonly burst: number;
}

/** A token bucket that lets a debt be made: who took too much pays with time. */
export interface Bucket {
  /** Takes; answers for how many milliseconds nothing more should be taken. */
  take(amount: number): number;
}

export function createBucket({ rate, burst }: Allowance, mono: () => number): Bucket {
  let level = burst;
  let last = mono();
  return {
    take(amount) {
      const now = mono();
      level = Math.min(burst, level + ((now - last) * rate) / 1_000) - amount;
      last = now;
      return level >= 0 ? 0 : (-level * 1_000) / rate;
    },
  };
}

export type GateVerdict = 'pass' | 'too_many' | 'too_fast';

/** Counts connections before anything is read from them. */
export interface Gate {
  /** Whoever passes must `leave` once. */
  enter(address: string): GateVerdict;
  leave(): void;
}

export interface GateLimits {
  /** Connections at the same time. */
  readonly connections: number;
  /** New ones of one address: many nodes may stand behind one. */
  readonly perAddress: Allowance;
}

/** Addresses that are remembered. Forgetting all gives each its burst again, and no more. */
const mostAddresses = 10_000;

export function createGate({ connections, perAddress }: GateLimits, mono: () => number): Gate {
  const buckets = new Map<string, Bucket>();
  let open = 0;
  return {
    enter(address) {
      if (open >= connections) return 'too_many';
      const from = networkOf(address);
      if (buckets.size >= mostAddresses && !buckets.has(from)) buckets.clear();
      const bucket = buckets.get(from) ?? createBucket(perAddress, mono);
      buckets.set(from, bucket);
      if (bucket.take(1) > 0) {
        // What is refused costs nothing: a fleet that knocks again and again comes in at the full rate.
        bucket.take(-1);
        return 'too_fast';
      }
      open += 1;
      return 'pass';
    },
    leave() {
      open -= 1;
    },
  };
}

/** One customer has 2^64 addresses of IPv6: they count as one. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const mapped = /^::ffff:([0-9.]+)$/.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = '', tail] = address.split('::');
  const groups = head.split(':').filter((group) => group !== '');
  const missing = tail === undefined ? 0 : Math.max(0, 8 - groups.length - tail.split(':').length);
  return [...groups, ...Array<string>(missing).fill('0')].slice(0, 4).join(':');
}
