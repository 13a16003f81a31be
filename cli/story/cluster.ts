/** A cluster as the stories need it. */
import { fileURLToPath } from 'node:url';
import { type ApiClient, createApiClient } from '../../schemas/io/api-client.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { ServiceView } from '../../schemas/views.ts';
import { endpointOf, resolveTarget } from '../contexts.ts';
import { isFree } from '../local/addresses.ts';
import type { Missing } from './until.ts';

/** The compiled command line. */
export const program = fileURLToPath(new URL('../bin/oakctl.js', import.meta.url));

export async function openApi(home: string, name: string): Promise<ApiClient> {
  return createApiClient(endpointOf(await resolveTarget({ context: name }, {}, home)));
}

/** The first port from `wanted` on that is free on all the addresses. */
export async function commonPort(wanted: number, addresses: readonly string[]): Promise<number> {
  for (let port = wanted; port < wanted + 500; port += 1) {
    const free = await Promise.all(addresses.map((address) => isFree(port, address)));
    if (free.every(Boolean)) return port;
  }
  throw new ProblemError(problem('PORT_TAKEN', `ports ${wanted} to ${wanted + 499} are in use on ${addresses}`));
}

/** What keeps a service from having `count` healthy instances of its wanted digest, all outside of `avoid`. */
export function unsettled(
  services: readonly ServiceView[],
  wanted: { readonly name: string; readonly count: number; readonly commit?: string; readonly avoid?: string },
): Missing {
  const { name, count, commit, avoid } = wanted;
  const view = services.find((service) => service.name === name);
  if (!view) return `${name} is not known`;
  if (commit !== undefined && view.commit !== commit) return `${name} is still at commit ${view.commit?.slice(0, 7)}`;
  const well = view.instances.filter((one) => one.healthy && one.digest === view.digest && one.node !== avoid);
  if (view.outcome === 'settled' && well.length === count && view.slots === count) return undefined;
  const reasons = view.instances.flatMap(({ reason }) => (reason ? [`${reason.code} ${reason.message}`] : []));
  const holds = view.holds.map((hold) => `${hold.code} ${hold.message}`);
  return `${name}: ${well.length} of ${count} healthy, ${view.outcome}: ${[view.message, ...holds, ...reasons].join('; ')}`;
}

/** `http://...` of every healthy instance of a service, sorted. */
export function urlsOf(services: readonly ServiceView[], name: string): readonly string[] {
  const view = services.find((service) => service.name === name);
  const addresses = view?.instances.filter(({ healthy }) => healthy).flatMap((instance) => instance.addresses);
  return [...new Set(addresses)].sort().map((address) => `http://${address}/`);
}

/** What keeps a URL from answering with a text. */
export async function unanswered(url: string, text: string, signal: AbortSignal): Promise<Missing> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(2000)]);
    const answer = await (await fetch(url, { signal: limit })).text();
    return answer.includes(text) ? undefined : `${url} says: ${answer.slice(0, 80).replaceAll('\n', ' ')}`;
  } catch (error) {
    signal.throwIfAborted();
    return `${url} does not answer (${(error as Error).message})`;
  }
}
