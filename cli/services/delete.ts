/** Deleting direct deployments. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { parseServiceName } from '../../schemas/names.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';

/** Full service names have four parts; all else is an application (`app.appns`, or `app` in the namespace default). */
export function splitNames(names: readonly string[]): { services: readonly string[]; apps: readonly string[] } {
  const services = names.filter((name) => parseServiceName(name) !== undefined);
  const apps = names
    .filter((name) => parseServiceName(name) === undefined)
    .map((name) => (name.includes('.') ? name : `${name}.default`));
  return { services, apps };
}

/** OWNED_BY_GIT, NOT_FOUND as the reconciler says them. Answers the services that go. */
export async function deleteByName(
  api: Pick<ApiClient, 'remove'>,
  names: readonly string[],
  actor: string,
  signal: AbortSignal,
): Promise<{ readonly services: readonly string[] }> {
  return api.remove({ ...splitNames(names), actor }, signal);
}

/** Longest wait for copies to go: stop grace and a busy engine. ms. */
const patience = 120_000;

/** Returns when no copy of the services is left that somebody could still reach. TIMED_OUT names what remains. */
export async function waitUntilGone(
  api: Pick<ApiClient, 'services'>,
  names: readonly string[],
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const end = performance.now() + patience;
  let told = '';
  for (;;) {
    const left = (await api.services([], signal)).filter(({ name }) => names.includes(name));
    const unreachable = left.flatMap(({ instances }) => instances).filter(({ status }) => status === 'lost');
    if (left.every(({ instances }) => instances.length > 0 && instances.every(({ status }) => status === 'lost'))) {
      for (const { name, node } of unreachable)
        say(`${name} is on ${node ?? 'a node'}, which is lost: it goes when that returns`);
      return;
    }
    const text = left.map(({ name, instances }) => `${name}  removing  ${instances.length} left`).join('\n');
    if (text !== told) say(text);
    told = text;
    if (performance.now() > end) {
      throw new ProblemError(
        problem('TIMED_OUT', `not gone after ${patience / 1000} s: ${left.map((view) => view.name)}`),
      );
    }
    await sleep(100, undefined, { signal });
  }
}
