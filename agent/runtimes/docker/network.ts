/** The cluster's network on an engine: made on demand, shared by all agents of the cluster that use this engine. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { type Engine, limits, statusOf } from './engine.ts';
import { labels } from './labels.ts';

/** The bridge that every engine has. */
export const defaultNetwork = 'bridge';

/** Name of the network of a cluster. */
export function networkName(cluster: string): string {
  return `oakctl-${cluster.slice(0, 12)}`;
}

interface FoundNetwork {
  readonly Id: string;
  readonly Created?: string;
  readonly Labels?: Record<string, string>;
}

/** How long two makers of the same network may take to agree on one. ms. */
const agreement = { tries: 40, pause: 50 } as const;

/**
 * Makes sure that the network is there, once. A network of that name that is not ours is a NAME_CONFLICT and stays as it is.
 * The engine checks for duplicates only half-heartedly: of two that were made at once, every caller keeps the same one and
 * removes the other, whoever made it, so that a maker who died in between leaves nothing that blocks the name.
 */
export async function ensureNetwork(engine: Engine, cluster: string, signal: AbortSignal): Promise<void> {
  const name = networkName(cluster);
  const before = await findOurs(engine, name, cluster, signal);
  if (before.length === 0) await createNetwork(engine, name, cluster, signal);
  for (let rest: number = agreement.tries; rest > 0; rest -= 1) {
    const found = await findOurs(engine, name, cluster, signal);
    if (found.length < 2) return;
    await removeLosers(engine, found, signal);
    await sleep(agreement.pause, undefined, { signal });
  }
}

/** Gives a container that does not run the network of today: once started, it asks for the very one that it had, by its id. */
export async function joinAgain(engine: Engine, name: string, container: string, signal: AbortSignal): Promise<void> {
  const inNetwork = (action: 'disconnect' | 'connect', how: object) =>
    engine.call(limits.change, signal, (docker) => docker.getNetwork(name)[action]({ Container: container, ...how }));
  await inNetwork('disconnect', { Force: true });
  await inNetwork('connect', {});
}

/** Removes all but one: the one that containers use stays, else the oldest. The engine itself refuses to remove one in use. */
async function removeLosers(engine: Engine, found: readonly FoundNetwork[], signal: AbortSignal): Promise<void> {
  const used = await Promise.all(found.map((network) => isUsed(engine, network.Id, signal)));
  const kept = Math.max(0, used.indexOf(true));
  for (const [index, network] of found.entries()) {
    if (index === kept) continue;
    await engine.call(limits.change, signal, (docker) => docker.getNetwork(network.Id).remove()).catch(ignoreRefused);
  }
}

async function isUsed(engine: Engine, id: string, signal: AbortSignal): Promise<boolean> {
  try {
    const network = await engine.call(limits.read, signal, (docker) => docker.getNetwork(id).inspect());
    return Object.keys((network as { Containers?: object }).Containers ?? {}).length > 0;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw error;
  }
}

/** Networks of exactly this name, oldest first. */
async function findOurs(engine: Engine, name: string, cluster: string, signal: AbortSignal): Promise<FoundNetwork[]> {
  const listed = await engine.call(limits.read, signal, (docker) =>
    docker.listNetworks({ filters: { name: [`^${name}$`] } }),
  );
  const named = (listed as (FoundNetwork & { Name: string })[]).filter((network) => network.Name === name);
  const foreign = named.find((network) => network.Labels?.[labels.cluster] !== cluster);
  if (foreign) {
    const text = `a network named ${name} exists and is not of this cluster`;
    throw new ProblemError(
      problem('NAME_CONFLICT', text, { subject: name, hint: `look at it with \`docker network inspect ${name}\`` }),
    );
  }
  const age = (network: FoundNetwork) => `${network.Created ?? ''} ${network.Id}`;
  return named.sort((a, b) => (age(a) < age(b) ? -1 : 1));
}

/** Makes the network, unless somebody else was first. */
async function createNetwork(engine: Engine, name: string, cluster: string, signal: AbortSignal): Promise<void> {
  try {
    await engine.call(limits.change, signal, (docker) =>
      docker.createNetwork({
        Name: name,
        Driver: 'bridge',
        CheckDuplicate: true,
        Labels: { [labels.cluster]: cluster },
      }),
    );
  } catch (error) {
    if (statusOf(error) !== 409) throw error;
  }
}

/** 404: somebody else removed it; 403 and 409: a container uses it by now. */
function ignoreRefused(error: unknown): void {
  if (![403, 404, 409].includes(statusOf(error) ?? 0)) throw error;
}
