import type { Streams } from '../../reconciler/ports.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';

interface Pipe {
  readonly node: string;
  readonly chunks: string[];
  ended: boolean;
  wake: () => void;
}

/** Both ends of the streams between agents and API, without a network. */
export function createMemoryStreams(): {
  readonly reconciler: Streams;
  /** The opener of one node. A stream that is not expected, or is expected from another node, is refused. */
  opener(node: string): {
    open(id: string, signal: AbortSignal): Promise<{ write(text: string): Promise<void>; close(): Promise<void> }>;
  };
} {
  const pipes = new Map<string, Pipe>();
  let count = 0;

  async function* read(id: string, pipe: Pipe, signal: AbortSignal): AsyncIterable<string> {
    const onAbort = (): void => pipe.wake();
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted) {
        const next = pipe.chunks.shift();
        if (next !== undefined) yield next;
        else if (pipe.ended) return;
        else await new Promise<void>((resolve) => (pipe.wake = resolve));
      }
      throw new ProblemError(problem('TIMED_OUT', 'the stream was not served', { disposition: 'retry' }));
    } finally {
      signal.removeEventListener('abort', onAbort);
      pipes.delete(id);
    }
  }

  return {
    reconciler: {
      expect(node, signal) {
        count += 1;
        const id = `stream-${count}`;
        const pipe: Pipe = { node, chunks: [], ended: false, wake: () => {} };
        pipes.set(id, pipe);
        return { id, chunks: read(id, pipe, signal) };
      },
    },
    opener: (node) => ({
      async open(id) {
        const pipe = pipes.get(id);
        if (!pipe || pipe.node !== node)
          throw new ProblemError(problem('NOT_FOUND', `nobody expects the stream ${id}`));
        return {
          async write(text) {
            pipe.chunks.push(text);
            pipe.wake();
          },
          async close() {
            pipe.ended = true;
            pipe.wake();
          },
        };
      },
    }),
  };
}
