/** A WebSocket as a connection of frames, the same on all three sides of a session. */
import { createWebSocketStream, WebSocket } from 'ws';
import type { ExecConnection } from '../exec.ts';
import { ProblemError, problem } from '../problem.ts';

/** Frames that are held for a slow reader. */
const heldFrames = 4;

/** To be called before the socket gets its first message. `signal` cuts it. */
export function execConnection(socket: WebSocket, signal: AbortSignal): ExecConnection {
  const gone = new AbortController();
  const frames = createWebSocketStream(socket, { readableObjectMode: true, readableHighWaterMark: heldFrames });
  // The end of the frames tells it.
  frames.on('error', () => {});
  const cut = () => socket.terminate();
  socket.once('close', () => {
    signal.removeEventListener('abort', cut);
    gone.abort();
  });
  signal.addEventListener('abort', cut, { once: true });
  if (signal.aborted) cut();
  return {
    frames: read(frames),
    send: (frame) =>
      new Promise((resolve, reject) => {
        if (socket.readyState !== WebSocket.OPEN) return reject(broken());
        socket.send(frame, { binary: true }, (error) => (error ? reject(broken(error)) : resolve()));
      }),
    close: () => socket.close(1000),
    gone: gone.signal,
  };
}

async function* read(frames: AsyncIterable<unknown>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const frame of frames) yield frame instanceof Uint8Array ? frame : Buffer.from(String(frame));
  } catch {
    // Broken off: whoever waits for the last word of a session sees that it did not come.
  }
}

function broken(cause?: Error): ProblemError {
  return new ProblemError(problem('UNAVAILABLE', 'the session broke off', { disposition: 'retry' }), { cause });
}
