/** Log text cut into lines. */
import type { LogLine } from './runtime.ts';

/** Longest line that is handed on in one piece, in bytes; a longer one comes in several. */
const longestLine = 64 * 1024;

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
