/** Long answers: an iterable becomes a response that waits for slow readers and ends when the reader leaves. */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/**
 * Sends what `open` yields. The signal that `open` gets aborts when the client goes away or the server closes. Headers follow
 * the first piece, so that a failure before it is answered with its status; a later one cuts the connection. A reader that takes
 * nothing for `patience` ms while there is something for it is cut off; without it, it is waited for.
 */
export async function sendFlow(
  reply: FastifyReply,
  contentType: string,
  open: (signal: AbortSignal) => AsyncIterable<string>,
  { patience, onStalled }: { readonly patience?: number; readonly onStalled?: () => void } = {},
): Promise<FastifyReply> {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  if (reply.raw.destroyed) gone.abort();
  const pieces = open(gone.signal)[Symbol.asyncIterator]();
  const first = await pieces.next();
  const stalled = (): void => {
    onStalled?.();
    reply.raw.destroy();
  };
  const limit = patience === undefined ? undefined : { patience, stalled };
  const flow = Readable.from(joined(first, pieces, limit), { objectMode: true, highWaterMark: 1 });
  return reply.type(contentType).header('cache-control', 'no-store').header('x-accel-buffering', 'no').send(flow);
}

async function* joined(
  first: IteratorResult<string, unknown>,
  rest: AsyncIterator<string>,
  limit: { readonly patience: number; readonly stalled: () => void } | undefined,
): AsyncGenerator<string, void, undefined> {
  let timer: NodeJS.Timeout | undefined;
  try {
    for (let next = first; !next.done; next = await rest.next()) {
      timer = limit && setTimeout(limit.stalled, limit.patience);
      yield next.value;
      clearTimeout(timer);
    }
  } finally {
    clearTimeout(timer);
    await rest.return?.();
  }
}
