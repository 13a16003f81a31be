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

/** Names that are remembered. */
const mostNames = 20_000;

export type GateVerdict = 'pass' | 'too_many' | 'too_fast';

/** Counts connections before anything is read from them. */
export interface Gate {
  /** Whoever passes must `leave` once. */
  enter(address: string): GateVerdict;
  leave(): void;
}

export interface BrokerLimits {
  /** Connections at the same time. */
  readonly connections: number;
  /** New ones of one address: many nodes may stand behind one. */
  readonly perAddress: Allowance;
  /** Packets that one client may send, however often it connects. */
  readonly packets: Allowance;
}

/** A cluster has 10,000 nodes at most. Thousands of them may stand behind one address, and all come back at once after a restart. */
export const brokerLimits: BrokerLimits = {
  connections: 16_384,
  perAddress: { rate: 200, burst: 1_000 },
  packets: { rate: 20, burst: 100 },
};

/** The bucket of each name, made when it is first asked for. Forgetting all gives each its burst again, and no more. */
export function createBuckets(allowance: Allowance, mono: () => number): (name: string) => Bucket {
  const buckets = new Map<string, Bucket>();
  return (name) => {
    const known = buckets.get(name);
    if (known) return known;
    if (buckets.size >= mostNames) buckets.clear();
    const bucket = createBucket(allowance, mono);
    buckets.set(name, bucket);
    return bucket;
  };
}

export function createGate({ connections, perAddress }: BrokerLimits, mono: () => number): Gate {
  const bucketOf = createBuckets(perAddress, mono);
  let open = 0;
  return {
    enter(address) {
      if (open >= connections) return 'too_many';
      const bucket = bucketOf(networkOf(address));
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
