/** Long answers: an iterable becomes a response that waits for slow readers and ends when the reader leaves. */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/**
 * Sends what `open` yields. The signal that `open` gets aborts when the client goes away or the server closes. Headers follow
 * the first piece, so that a failure before it is answered with its status; a later one cuts the connection.
 */
export async function sendFlow(
  reply: FastifyReply,
  contentType: string,
  open: (signal: AbortSignal) => AsyncIterable<string>,
): Promise<FastifyReply> {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  if (reply.raw.destroyed) gone.abort();
  const pieces = open(gone.signal)[Symbol.asyncIterator]();
  const first = await pieces.next();
  const flow = Readable.from(joined(first, pieces), { objectMode: true, highWaterMark: 1 });
  return reply.type(contentType).header('cache-control', 'no-store').header('x-accel-buffering', 'no').send(flow);
}

async function* joined(
  first: IteratorResult<string, unknown>,
  rest: AsyncIterator<string>,
): AsyncGenerator<string, void, undefined> {
  try {
    for (let next = first; !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
