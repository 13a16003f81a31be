import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { guardFrames, longestQueue } from '../../../../reconciler/broker/frame-guard.ts';
import {
  brokerLimits,
  createBucket,
  createBuckets,
  createGate,
  networkOf,
} from '../../../../reconciler/broker/limits.ts';

const { packets } = brokerLimits;

describe('a bucket', () => {
  it('gives its burst at once, and then its rate', () => {
    let now = 0;
    const bucket = createBucket({ rate: 20, burst: 100 }, () => now);
    for (let n = 0; n < 100; n += 1) expect(bucket.take(1)).toBe(0);
    expect(bucket.take(1)).toBe(50);
    now = 50;
    expect(bucket.take(0)).toBe(0);
    expect(bucket.take(2)).toBe(100);
    now = 3_600_000;
    expect(bucket.take(100)).toBe(0);
    expect(bucket.take(1)).toBe(50);
  });

  it('is the same for the same name', () => {
    const bucketOf = createBuckets({ rate: 1, burst: 2 }, () => 0);
    expect([bucketOf('a').take(2), bucketOf('a').take(1), bucketOf('b').take(2)]).toEqual([0, 1_000, 0]);
  });

  it('whoever waits as it is told never gets more than burst plus rate times time', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ pause: fc.nat(500), amount: fc.nat(30) }), { maxLength: 100 }), (steps) => {
        let now = 0;
        let total = 0;
        const bucket = createBucket({ rate: 10, burst: 20 }, () => now);
        for (const { pause, amount } of steps) {
          now += pause;
          total += amount;
          now += bucket.take(amount);
          expect(total).toBeLessThanOrEqual(20 + (now * 10) / 1_000 + 1e-6);
        }
      }),
    );
  });
});

describe('the gate', () => {
  const limits = { ...brokerLimits, connections: 3, perAddress: { rate: 1, burst: 2 } };

  it('counts the connections that stand', () => {
    const gate = createGate(limits, () => 0);
    expect(['a', 'b', 'c', 'd'].map((address) => gate.enter(address))).toEqual(['pass', 'pass', 'pass', 'too_many']);
    gate.leave();
    expect(gate.enter('d')).toBe('pass');
  });

  it('slows one address down and no other, and what it refuses costs nothing', () => {
    let now = 0;
    const gate = createGate({ ...limits, connections: 100 }, () => now);
    const times = (address: string, count: number) => Array.from({ length: count }, () => gate.enter(address));
    expect(times('10.0.0.1', 5)).toEqual(['pass', 'pass', 'too_fast', 'too_fast', 'too_fast']);
    expect(gate.enter('10.0.0.2')).toBe('pass');
    now = 1_000;
    expect(times('10.0.0.1', 2)).toEqual(['pass', 'too_fast']);
  });

  it('takes a /64 of IPv6 for one address, and a mapped one for what it maps', () => {
    expect(networkOf('2001:db8:1:2:aaaa::1')).toBe(networkOf('2001:db8:1:2:bbbb:c:d:e'));
    expect(networkOf('2001:db8:1:2::1')).not.toBe(networkOf('2001:db8:1:3::1'));
    expect(networkOf('2001:db8::1')).toBe(networkOf('2001:db8::2'));
    expect(networkOf('::1')).toBe('0:0:0:0');
    expect(networkOf('::ffff:10.0.0.1')).toBe('10.0.0.1');
  });
});

describe('one connection', () => {
  /** A socket whose other side is in our hand; it never sends what is written to it. */
  function connection() {
    const pass = new PassThrough();
    const sent: Uint8Array[] = [];
    const socket = Object.assign(pass, { write: (bytes: Uint8Array) => sent.push(bytes) > 0 }) as unknown as Socket;
    const cuts: string[] = [];
    const share = createBucket(packets, () => Date.now());
    const guarded = guardFrames(
      socket,
      createBucket(packets, () => Date.now()),
      (verdict) => cuts.push(verdict),
    );
    let read = 0;
    guarded.stream.on('data', (bytes: Buffer) => {
      read += bytes.length;
    });
    return { guarded, share, socket, cuts, feed: (bytes: Buffer) => void socket.emit('data', bytes), read: () => read };
  }
  const connect = Buffer.from([0x10, 0]);
  const pings = (count: number) => Buffer.concat(Array<Buffer>(count).fill(Buffer.from([0xc0, 0])));
  const acknowledgements = (count: number) => Buffer.concat(Array<Buffer>(count).fill(Buffer.from([0x40, 2, 0, 1])));

  it('is not read for a while when it sends more than its share, and is cut when it floods', () => {
    vi.useFakeTimers();
    try {
      const { guarded, share, socket, cuts, feed } = connection();
      feed(connect);
      guarded.admitted(share);
      feed(pings(packets.burst - 1));
      expect(socket.isPaused()).toBe(false);
      feed(pings(41));
      expect(socket.isPaused()).toBe(true);
      vi.advanceTimersByTime(1_900);
      expect(socket.isPaused()).toBe(true);
      vi.advanceTimersByTime(200);
      expect(socket.isPaused()).toBe(false);
      expect(cuts).toEqual([]);
      feed(pings(packets.rate * 11));
      expect(cuts).toEqual(['flood']);
      expect(guarded.stream.destroyed).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });

  it('may acknowledge a burst of what it got, and a trusted one may send what it likes', () => {
    const node = connection();
    node.feed(connect);
    node.guarded.admitted(node.share);
    node.feed(acknowledgements(2_000));
    expect([node.socket.isPaused(), node.cuts]).toEqual([false, []]);
    const reconciler = connection();
    reconciler.feed(connect);
    reconciler.guarded.admitted();
    reconciler.feed(pings(100_000));
    expect(reconciler.cuts).toEqual([]);
  });

  it('has a queue of so many bytes when it does not read, and is cut beyond it; a trusted one is waited for', () => {
    const block = Buffer.alloc(64 * 1024);
    for (const isTrusted of [false, true]) {
      const { guarded, share, cuts } = connection();
      guarded.admitted(isTrusted ? undefined : share);
      let taken = 0;
      while (guarded.stream.write(block)) taken += block.length;
      expect(taken).toBeLessThan(longestQueue);
      expect(taken).toBeGreaterThanOrEqual(longestQueue - 2 * block.length);
      expect(cuts).toEqual(isTrusted ? [] : ['reads_nothing']);
      expect(guarded.stream.destroyed).toBe(!isTrusted);
    }
  });
});
