/** How far the clock of a reconciler is from ours. */

import type { Endpoint } from '../../schemas/io/http.ts';
import { exchange } from '../../schemas/io/http.ts';
import { isProblemError } from '../../schemas/problem.ts';

/** ms that it is ahead, to the second; undefined when it does not say. */
export async function clockSkew(endpoint: Endpoint, signal: AbortSignal): Promise<number | undefined> {
  try {
    const response = await exchange(endpoint, { method: 'GET', path: '/livez' }, signal);
    response.resume();
    const time = Date.parse(response.headers.date ?? '');
    return Number.isNaN(time) ? undefined : time - Date.now();
  } catch (error) {
    if (isProblemError(error)) return undefined;
    throw error;
  }
}
