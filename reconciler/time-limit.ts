import { withEither } from '../schemas/io/either-signal.ts';
import type { Clock } from '../schemas/ports.ts';

/** Does `work` with a signal that aborts when `outer` does, or after `ms` on the given clock. */
export async function within<T>(
  clock: Clock,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  const limit = new AbortController();
  const stop = clock.after(ms, () => limit.abort(new DOMException(`no end within ${ms} ms`, 'TimeoutError')));
  try {
    return await (outer ? withEither([outer, limit.signal], work) : work(limit.signal));
  } finally {
    stop();
  }
}
