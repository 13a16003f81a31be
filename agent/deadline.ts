import type { Clock } from '../schemas/ports.ts';
import { ProblemError, problem } from '../schemas/problem.ts';

/**
 * Does `work` with a time limit: after `ms` it is aborted, and the answer is RUNTIME_UNAVAILABLE even if the work ignores its
 * signal. An abort of `signal` rejects at once with its reason.
 */
export function withDeadline<T>(
  clock: Clock,
  ms: number,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const inner = new AbortController();
  return new Promise<T>((resolve, reject) => {
    const giveUp = (reason: unknown): void => {
      finish();
      inner.abort(reason);
      reject(reason as Error);
    };
    const aborted = (): void => giveUp(signal.reason);
    const cancel = clock.after(ms, () => giveUp(new ProblemError(tooLate(what, ms))));
    const finish = (): void => {
      cancel();
      signal.removeEventListener('abort', aborted);
    };
    if (signal.aborted) {
      aborted();
      return;
    }
    signal.addEventListener('abort', aborted, { once: true });
    work(inner.signal).then(resolve, reject).finally(finish);
  });
}

function tooLate(what: string, ms: number) {
  return problem('RUNTIME_UNAVAILABLE', `${what} was not answered within ${ms / 1000} s`, { disposition: 'retry' });
}
