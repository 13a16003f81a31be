import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFrameReader, maxPacket, maxPacketBeforeLogin } from '../../../../reconciler/broker/frame-guard.ts';

/** A packet with a body of zeros. */
function packet(type: number, length: number): Buffer {
  const header = [type << 4];
  let rest = length;
  do {
    const digit = rest % 128;
    rest = Math.floor(rest / 128);
    header.push(rest > 0 ? digit | 0x80 : digit);
  } while (rest > 0);
  return Buffer.concat([Buffer.from(header), Buffer.alloc(length)]);
}

describe('the frame guard', () => {
  it('gives the same verdict however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(maxPacketBeforeLogin + 200), { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 50 }),
        (lengths, cuts) => {
          const stream = Buffer.concat(lengths.map((length, index) => packet(index === 0 ? 1 : 3, length)));
          const wanted = lengths.some((length) => length > maxPacketBeforeLogin) ? 'too_long' : 'pass';
          const reader = createFrameReader();
          let verdict = 'pass';
          for (let at = 0, n = 0; at < stream.length && verdict === 'pass'; n += 1) {
            const step = cuts[n % cuts.length] ?? 1;
            verdict = reader.read(stream.subarray(at, at + step));
            at += step;
          }
          expect(verdict).toBe(wanted);
          expect(createFrameReader().read(stream)).toBe(wanted);
        },
      ),
    );
  });

  it('judges a long packet by its header, before the body', () => {
    expect(createFrameReader().read(packet(1, maxPacketBeforeLogin))).toBe('pass');
    expect(createFrameReader().read(packet(1, maxPacketBeforeLogin + 1).subarray(0, 3))).toBe('too_long');
    expect(createFrameReader().read(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]))).toBe('too_long');
    expect(createFrameReader().read(Buffer.from([0x10, 0x80, 0x80, 0x80, 0x80]))).toBe('malformed');
  });

  it('allows more once the client is admitted', () => {
    const reader = createFrameReader();
    expect(reader.read(packet(1, 10))).toBe('pass');
    reader.allow(maxPacket);
    expect(reader.read(packet(3, maxPacket))).toBe('pass');
    expect(reader.read(packet(3, maxPacket + 1))).toBe('too_long');
  });

  it('takes only CONNECT as first packet', () => {
    for (let type = 0; type < 16; type += 1) {
      expect(createFrameReader().read(packet(type, 0))).toBe(type === 1 ? 'pass' : 'no_connect');
    }
  });
});
