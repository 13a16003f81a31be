/** Which endpoint of its cluster an agent tries next. */
import type { Endpoint } from '../../schemas/endpoints.ts';

/** What an agent knows of where its cluster can be reached. */
export interface KnownEndpoints {
  /** What it joined with, and what its own settings say. */
  readonly joined: Endpoint;
  /** Where it was connected last. */
  readonly last?: Endpoint;
  /** What the cluster published. */
  readonly list: readonly Endpoint[];
}

/** The endpoint that worked is tried so often before any other: a broker that was restarted is back by then. */
const faithful = 2;

/**
 * Each once: the one that worked last (at first the one it joined with), then those of the list, then the one it joined with. So a list that is wrong, or empty, takes
 * none of the others away.
 */
export function candidates({ joined, last, list }: KnownEndpoints): readonly Endpoint[] {
  const all = [last ?? joined, ...list, joined];
  return all.filter((one, at) => all.findIndex((other) => isSame(one, other)) === at);
}

/**
 * Where attempt `attempt` goes (from 0, counted since the last connection): the first candidates in turn, and again from the front. `known`:
 * it was connected there last, and nobody has to be asked who is there.
 */
export function turnOf(
  endpoints: KnownEndpoints,
  attempt: number,
): { readonly endpoint: Endpoint; readonly known: boolean } {
  const all = candidates(endpoints);
  const turn = Math.max(0, attempt - faithful + 1) % all.length;
  const endpoint = all[turn] ?? endpoints.joined;
  return { endpoint, known: isSame(endpoint, endpoints.last ?? endpoints.joined) };
}

export function isSame(a: Endpoint, b: Endpoint): boolean {
  return a.api === b.api && a.mqtt === b.mqtt && a.ca === b.ca && a.external === b.external;
}
