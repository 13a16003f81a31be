/**
 * Asks, at the other endpoints of the cluster, whether another reconciler of it runs there. On a broker that is shared nobody asks: there
 * the office decides (office.ts).
 */
import type { EndpointList } from '../schemas/endpoints.ts';
import { endpointsTopic, EndpointList as ListSchema } from '../schemas/endpoints.ts';
import { shownKey } from '../schemas/io/chain.ts';
import { withEither } from '../schemas/io/either-signal.ts';
import { identityText, type Verifier, verifyMessage, verifyText } from '../schemas/io/signatures.ts';
import type { IdentityAnswer } from '../schemas/joining.ts';
import { checkMessage } from '../schemas/parse.ts';
import type { Clock, Random } from '../schemas/ports.ts';
import { isProblemError, type Problem, ProblemError } from '../schemas/problem.ts';
import { outdated, type Reign, replaced, yieldsTo } from './core/rivals.ts';
import type { Keys } from './ports.ts';

export interface Rivals {
  start(): void;
  stop(): void;
  /** Older ones that do not end. */
  conditions(): readonly Problem[];
}

/** Other places where the cluster may be reached. */
export interface Peers {
  readonly apis: readonly string[];
  /** As GET /v1/identity of that API. Rejects with a ProblemError when it does not answer, or is not to be trusted. */
  ask(api: string, nonce: string, signal: AbortSignal): Promise<IdentityAnswer>;
}

export interface RivalsDeps {
  readonly peers: Peers;
  readonly keys: Pick<Keys, 'cluster' | 'publicKey' | 'trusted'>;
  readonly random: Random;
}

const askEvery = 5_000;
const patience = 3_000;

/** Before an epoch is raised, and anything is said: RIVAL_RECONCILER when another one replaced these records. */
export async function refuseReplaced(deps: RivalsDeps, epoch: number, signal: AbortSignal): Promise<void> {
  const found = await Promise.all(deps.peers.apis.map(async (api) => ({ api, list: await askOne(deps, api, signal) })));
  for (const { api, list } of found) {
    if (list && list.epoch > epoch) throw new ProblemError(replaced({ epoch }, list, `it answers at ${api}`));
  }
}

/** `own`: who we are now; `fatal`: we are the one to end. */
export function createRivals(
  deps: RivalsDeps & { readonly clock: Pick<Clock, 'after'>; own(): Reign; fatal(error: ProblemError): void },
): Rivals {
  const life = new AbortController();
  const older = new Map<string, Problem>();
  let cancel = (): void => undefined;

  const look = async (api: string): Promise<void> => {
    const list = await askOne(deps, api, life.signal);
    const own = deps.own();
    older.delete(api);
    if (!list || list.by === own.by || life.signal.aborted) return;
    if (yieldsTo(own, list)) deps.fatal(new ProblemError(replaced(own, list, `it answers at ${api}`)));
    else older.set(api, outdated(list, api));
  };
  const lookAll = async (): Promise<void> => {
    await Promise.all(deps.peers.apis.map(look));
    if (life.signal.aborted) return;
    cancel = deps.clock.after(askEvery * (0.75 + deps.random.number() / 2), () => void lookAll());
  };

  return {
    start() {
      if (deps.peers.apis.length > 0) void lookAll();
    },
    stop() {
      life.abort();
      cancel();
    },
    conditions: () => [...older.values()],
  };
}

/** What whoever holds the key of this cluster says there; undefined: nobody does, or says nothing. */
async function askOne(
  { peers, keys, random }: RivalsDeps,
  api: string,
  signal: AbortSignal,
): Promise<EndpointList | undefined> {
  const nonce = Buffer.from(random.bytes(32)).toString('hex');
  try {
    const answer = await withEither([signal, AbortSignal.timeout(patience)], (limit) => peers.ask(api, nonce, limit));
    const { cluster } = keys;
    // It may have another key by now: one that ours leads to.
    const key = shownKey(cluster, { keys: keys.trusted(), newest: keys.publicKey }, answer);
    if (key === undefined || !verifyText(key, identityText(cluster, nonce), answer.sig)) return undefined;
    return listBy({ cluster, keys: { ...keys.trusted(), [answer.kid]: key } }, answer.endpoints);
  } catch (error) {
    if (isProblemError(error) || signal.aborted || isTimeout(error)) return undefined;
    throw error;
  }
}

/** A list that was signed by this cluster; undefined for everything else. */
export function checkedList(keys: RivalsDeps['keys'], list: unknown): EndpointList | undefined {
  return listBy({ cluster: keys.cluster, keys: keys.trusted() }, list);
}

function listBy(verifier: Verifier, list: unknown): EndpointList | undefined {
  const { cluster } = verifier;
  const parsed = checkMessage<EndpointList>(ListSchema, list);
  if (!parsed.ok || parsed.value.cluster !== cluster) return undefined;
  return verifyMessage(verifier, endpointsTopic(cluster), parsed.value) ? parsed.value : undefined;
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError';
}
