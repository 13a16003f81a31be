/**
 * Where this agent finds its cluster: the signed list that it was given last and the place that worked last, on disk; and the question,
 * before a credential goes to a place where it was not before, whether the cluster is there.
 */
import { type Static, Type } from 'typebox';
import { Endpoint, EndpointList, endpointsTopic, eraOf } from '../schemas/endpoints.ts';
import { withEither } from '../schemas/io/either-signal.ts';
import { identityText, verifyMessage, verifyText } from '../schemas/io/signatures.ts';
import type { IdentityAnswer } from '../schemas/joining.ts';
import { checkMessage, parseMessage } from '../schemas/parse.ts';
import type { Files, Random } from '../schemas/ports.ts';
import { isProblemError, type Problem, problem } from '../schemas/problem.ts';
import { isSame, type KnownEndpoints, turnOf } from './core/endpoints.ts';
import type { Keychain } from './keychain.ts';

const file = 'endpoints';
/** ms for which a place may leave the question unanswered. */
const patience = 5_000;

const EndpointsFile = Type.Object({
  v: Type.Literal(1),
  list: Type.Optional(EndpointList),
  last: Type.Optional(Endpoint),
});
type EndpointsFile = Static<typeof EndpointsFile>;

export interface EndpointsDeps {
  readonly files: Files;
  readonly random: Random;
  /** Whom this node believes. */
  readonly trusted: Pick<Keychain, 'cluster' | 'keys' | 'keyOf'>;
  readonly joined: Endpoint;
  /** As GET /v1/identity there. Rejects with a ProblemError when it is not answered, or by somebody else. */
  ask(endpoint: Endpoint, nonce: string, signal: AbortSignal): Promise<IdentityAnswer>;
  /** Something is not as it should be; the agent goes on. */
  trouble(found: Problem): void;
}

export interface Endpoints {
  /** Reads what an earlier life kept. */
  load(): Promise<void>;
  /** Where the next attempt to connect goes; undefined: the cluster is not at the place whose turn it was. */
  next(signal: AbortSignal): Promise<Endpoint | undefined>;
  /** The attempt came to a connection. */
  reached(): void;
  /** A list that came with an assignment. One that is not ours, or older, changes nothing. */
  take(list: unknown): void;
  /** Where it is connected, or was last. */
  current(): Endpoint;
  /** The list, for whoever wants a proof of it. */
  list(): EndpointList | undefined;
}

export function createEndpoints(deps: EndpointsDeps): Endpoints {
  const { files, trusted, joined } = deps;
  let list: EndpointList | undefined;
  let last: Endpoint | undefined;
  let attempt = 0;
  let tried: Endpoint | undefined;
  let writing = Promise.resolve();

  const known = (): KnownEndpoints => ({ joined, list: list?.endpoints ?? [], ...(last && { last }) });
  const save = (): void => {
    const kept: EndpointsFile = { v: 1, ...(list && { list }), ...(last && { last }) };
    writing = writing
      .then(() => files.write(file, JSON.stringify(kept)))
      .catch((error: unknown) => {
        if (!isProblemError(error)) throw error;
        deps.trouble(error.problem);
      });
  };
  const isOurs = (found: EndpointList): boolean =>
    found.cluster === trusted.cluster && verifyMessage(trusted, endpointsTopic(trusted.cluster), found);
  /** As the list says. A key that was given up may have signed any: its word counts no more. */
  const heardEpoch = (): number => (list && isOurs(list) ? list.epoch : 0);
  const take = (found: unknown): void => {
    const parsed = checkMessage<EndpointList>(EndpointList, found);
    if (!parsed.ok || !isOurs(parsed.value) || parsed.value.epoch < heardEpoch()) return;
    if (parsed.value.sig === list?.sig) return;
    list = parsed.value;
    save();
  };
  /** Is our cluster there, and not one that was replaced by the one that we heard last? */
  const isThere = async (endpoint: Endpoint, signal: AbortSignal): Promise<boolean> => {
    const nonce = Buffer.from(deps.random.bytes(32)).toString('hex');
    const answer = await withEither([signal, AbortSignal.timeout(patience)], (limit) =>
      deps.ask(endpoint, nonce, limit),
    );
    const key = trusted.keyOf(answer);
    if (key === undefined || !verifyText(key, identityText(trusted.cluster, nonce), answer.sig)) {
      deps.trouble(problem('SIGNATURE_INVALID', `${endpoint.api} answers, and is not the cluster ${trusted.cluster}`));
      return false;
    }
    // Whoever was restored has a list to show.
    if (eraOf(answer.endpoints?.epoch ?? 0) >= eraOf(heardEpoch())) return true;
    deps.trouble(problem('RIVAL_RECONCILER', `${endpoint.api} was replaced by a restored reconciler: not followed`));
    return false;
  };

  return {
    async load() {
      const text = await files.read(file).catch(() => undefined);
      const parsed = text === undefined ? undefined : parseMessage<EndpointsFile>(EndpointsFile, text);
      // What cannot be read is learned again: at the place where it joined.
      if (!parsed?.ok) return;
      last = parsed.value.last;
      if (parsed.value.list) take(parsed.value.list);
    },
    async next(signal) {
      const { endpoint, known: isKnown } = turnOf(known(), attempt);
      attempt += 1;
      tried = endpoint;
      if (isKnown) return endpoint;
      try {
        return (await isThere(endpoint, signal)) ? endpoint : undefined;
      } catch (error) {
        if (isProblemError(error) || error instanceof DOMException) return undefined;
        throw error;
      }
    },
    reached() {
      attempt = 0;
      if (!tried || (last && isSame(last, tried))) return;
      last = tried;
      save();
    },
    take,
    current: () => last ?? joined,
    list: () => list,
  };
}
