/** Log streams of the engine: frames of both streams in one. */
import { createCutter } from '../lines.ts';
import type { LogLine } from '../runtime.ts';

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
