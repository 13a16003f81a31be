/**
 * Stands between a socket and the broker, which buffers a packet of any length: reads the fixed header of each MQTT packet and cuts
 * the connection at the first one that is too long, before its body is buffered. Who sends more than its share is not read for a
 * while; what waits to be sent is bounded.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Bucket } from './limits.ts';

/** Longest packet before the client is admitted, and after. */
export const maxPacketBeforeLogin = 4 * 1024;
export const maxPacket = 256 * 1024;
/** Bytes that wait for one client, e.g. assignments on a slow link. Beyond them it is cut: others would have to wait for it. */
export const longestQueue = 2 * 1024 * 1024;
/** Who would have to wait longer than this (ms) for its next packet is flooding, and is cut. */
const longestWait = 10_000;
/** So many bytes count as one packet more, and acknowledgements hardly. */
const bytesPerPacket = 16 * 1024;
const acknowledgementWeight = 0.02;

export type Verdict = 'pass' | 'malformed' | 'too_long' | 'no_connect' | 'flood' | 'reads_nothing';

/** Follows the packets of one stream. Pure: bytes in, verdict out. */
export interface FrameReader {
  /** Judges the next bytes. After anything but `pass` the stream is to be cut. */
  read(bytes: Uint8Array): Verdict;
  /** From now on packets of this length are allowed. */
  allow(longest: number): void;
  /** The weight of the packets that began since it was last asked. */
  taken(): number;
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
  let weight = 0;

  const headerByte = (byte: number): Verdict => {
    if (!inHeader) {
      if (first && byte >> 4 !== connectType) return 'no_connect';
      first = false;
      weight += isAcknowledgement(byte >> 4) ? acknowledgementWeight : 1;
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
    taken() {
      const since = weight;
      weight = 0;
      return since;
    },
  };
}

/** PUBACK to PUBCOMP: what a client must send because of what it got. */
function isAcknowledgement(type: number): boolean {
  return type >= 4 && type <= 7;
}

export interface Guarded {
  /** What the broker gets in place of the socket. */
  readonly stream: Duplex;
  /**
   * The client is admitted: longer packets are allowed. `share` is what it may send from now on; without one it is trusted: it may
   * send what it likes, and is waited for.
   */
  admitted(share?: Bucket): void;
}

/** Wraps a socket. Back-pressure goes through, to the client always and from it while it is trusted. */
export function guardFrames(socket: Socket, share: Bucket, cut: (verdict: Verdict) => void): Guarded {
  const reader = createFrameReader();
  let bucket: Bucket | undefined = share;
  let held: NodeJS.Timeout | undefined;
  const stream = new Duplex({
    writableHighWaterMark: longestQueue,
    read() {
      if (!held) socket.resume();
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
      clearTimeout(held);
      socket.destroy();
      done(error);
    },
  });
  const end = (verdict: Verdict): void => {
    if (stream.destroyed) return;
    cut(verdict);
    stream.destroy();
  };
  const write = stream.write.bind(stream) as (chunk: Uint8Array) => boolean;
  stream.write = (chunk: Uint8Array): boolean => {
    const hasRoom = write(chunk);
    if (!hasRoom && bucket) end('reads_nothing');
    return hasRoom;
  };
  const hold = (wait: number): void => {
    socket.pause();
    clearTimeout(held);
    held = setTimeout(() => {
      held = undefined;
      socket.resume();
    }, wait);
  };
  socket.on('data', (bytes: Buffer) => {
    const verdict = reader.read(bytes);
    const wait = bucket?.take(reader.taken() + bytes.length / bytesPerPacket) ?? 0;
    if (verdict !== 'pass' || wait > longestWait) {
      end(verdict === 'pass' ? 'flood' : verdict);
      return;
    }
    if (!stream.push(bytes)) socket.pause();
    if (wait > 0) hold(wait);
  });
  socket.on('end', () => stream.push(null));
  socket.on('error', (error) => stream.destroy(error));
  socket.on('close', () => stream.destroy());
  return {
    stream,
    admitted(next) {
      reader.allow(maxPacket);
      bucket = next;
    },
  };
}
