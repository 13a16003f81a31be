/**
 * Stands between a socket and the broker, which buffers a packet of any length: reads the fixed header of each MQTT packet and cuts
 * the connection at the first one that is too long, before its body is buffered.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** Longest packet before the client is admitted, and after. */
export const maxPacketBeforeLogin = 4 * 1024;
export const maxPacket = 256 * 1024;

export type Verdict = 'pass' | 'malformed' | 'too_long' | 'no_connect';

/** Follows the packets of one stream. Pure: bytes in, verdict out. */
export interface FrameReader {
  /** Judges the next bytes. After anything but `pass` the stream is to be cut. */
  read(bytes: Uint8Array): Verdict;
  /** From now on packets of this length are allowed. */
  allow(longest: number): void;
}

const connectType = 1;
const longestLengthField = 4;

export function createFrameReader(): FrameReader {
  let limit = maxPacketBeforeLogin;
  let first = true;
  /** Bytes of the body that are still to come. */
  let body = 0;
  let inHeader = false;
  let length = 0;
  let lengthBytes = 0;

  const headerByte = (byte: number): Verdict => {
    if (!inHeader) {
      if (first && byte >> 4 !== connectType) return 'no_connect';
      first = false;
      inHeader = true;
      length = 0;
      lengthBytes = 0;
      return 'pass';
    }
    length += (byte & 0x7f) * 128 ** lengthBytes;
    lengthBytes += 1;
    if (length > limit) return 'too_long';
    if ((byte & 0x80) === 0) {
      inHeader = false;
      body = length;
      return 'pass';
    }
    return lengthBytes < longestLengthField ? 'pass' : 'malformed';
  };

  return {
    read(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const skip = Math.min(body, bytes.length - at);
        body -= skip;
        at += skip;
        if (at >= bytes.length) break;
        const verdict = headerByte(bytes[at] ?? 0);
        if (verdict !== 'pass') return verdict;
        at += 1;
      }
      return 'pass';
    },
    allow(longest) {
      limit = longest;
    },
  };
}

export interface Guarded {
  /** What the broker gets in place of the socket. */
  readonly stream: Duplex;
  /** The client is admitted: longer packets are allowed. */
  admitted(): void;
}

/** Wraps a socket. Back-pressure goes through in both directions. */
export function guardFrames(socket: Socket, cut: (verdict: Verdict) => void): Guarded {
  const reader = createFrameReader();
  const stream = new Duplex({
    read() {
      socket.resume();
    },
    write(chunk: Uint8Array, _encoding, done) {
      socket.write(chunk, done);
    },
    writev(chunks, done) {
      // One segment for what was written in one go: header and body of a packet belong together.
      socket.write(Buffer.concat(chunks.map(({ chunk }) => chunk as Uint8Array)), done);
    },
    final(done) {
      socket.end(done);
    },
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', (bytes: Buffer) => {
    const verdict = reader.read(bytes);
    if (verdict !== 'pass') {
      cut(verdict);
      stream.destroy();
    } else if (!stream.push(bytes)) {
      socket.pause();
    }
  });
  socket.on('end', () => stream.push(null));
  socket.on('error', (error) => stream.destroy(error));
  socket.on('close', () => stream.destroy());
  return { stream, admitted: () => reader.allow(maxPacket) };
}
