/** Log streams of the engine: frames of both streams in one, cut into lines. */
import type { LogLine } from '../runtime.ts';

/** Longest line that is handed on in one piece, in bytes; a longer one comes in several. */
const longestLine = 64 * 1024;
const headerBytes = 8;

/** Lines of a multiplexed stream: a header of 8 bytes (stream, 0, 0, 0, length) before each piece. */
export async function* demultiplex(chunks: AsyncIterable<Buffer>): AsyncGenerator<LogLine> {
  const cutters = { stdout: createCutter('stdout'), stderr: createCutter('stderr') };
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    while (rest.length >= headerBytes) {
      const end = headerBytes + rest.readUInt32BE(4);
      if (rest.length < end) break;
      const stream = rest[0] === 2 ? 'stderr' : 'stdout';
      yield* cutters[stream].cut(rest.subarray(headerBytes, end));
      rest = rest.subarray(end);
    }
  }
  yield* cutters.stdout.end();
  yield* cutters.stderr.end();
}

/** Cuts pieces of one stream into lines without their end. What has no end yet waits for the next piece. */
export function createCutter(stream: LogLine['stream']) {
  let open: Buffer = Buffer.alloc(0);
  const line = (bytes: Buffer): LogLine => ({ stream, text: bytes.toString('utf8').replace(/\r$/, '') });
  return {
    *cut(piece: Buffer): Generator<LogLine> {
      let bytes = open.length > 0 ? Buffer.concat([open, piece]) : piece;
      for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10)) {
        yield line(bytes.subarray(0, at));
        bytes = bytes.subarray(at + 1);
      }
      while (bytes.length >= longestLine) {
        yield line(bytes.subarray(0, longestLine));
        bytes = bytes.subarray(longestLine);
      }
      open = bytes;
    },
    *end(): Generator<LogLine> {
      if (open.length > 0) yield line(open);
      open = Buffer.alloc(0);
    },
  };
}
