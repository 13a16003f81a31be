/** How a reconciler says that it is, to whoever asks: no token is needed. */
import { type Endpoint, exchange } from '../../schemas/io/http.ts';
import { isProblemError, type Problem } from '../../schemas/problem.ts';

/** What it waits for before it can work; throws what it does without (UNAVAILABLE), or UNREACHABLE. */
export async function askHealth(endpoint: Endpoint, signal: AbortSignal): Promise<readonly Problem[]> {
  (await exchange(endpoint, { method: 'GET', path: '/healthz' }, signal)).resume();
  try {
    (await exchange(endpoint, { method: 'GET', path: '/readyz' }, signal)).resume();
    return [];
  } catch (error) {
    if (isProblemError(error) && error.problem.code === 'UNAVAILABLE') return error.problems;
    throw error;
  }
}
