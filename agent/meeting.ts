/**
 * How an agent finds the cluster that its join token names, and proves it, before it says a secret. Over TLS it has nothing but a pin
 * at first: it asks, in the open and without saying anything, for the root of the cluster, keeps it only if its key is the pinned
 * one, and trusts nothing else from then on.
 */

import { pinnedCertificate } from '../schemas/io/certificates.ts';
import { keysAfter, keysOf } from '../schemas/io/chain.ts';
import { fingerprintOf, identityText, keyIdOf, lineageText, verifyText } from '../schemas/io/signatures.ts';
import { type JoinToken, pinOf } from '../schemas/join-token.ts';
import type { IdentityAnswer, TlsAnswer } from '../schemas/joining.ts';
import { messageVersion } from '../schemas/messages.ts';
import type { Clock, Random } from '../schemas/ports.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../schemas/problem.ts';
import { type WireVersions, wireProblem, wireVersions } from '../schemas/skew.ts';
import { pause } from './pause.ts';

const firstRetry = 500;
const longestRetry = 30_000;

export interface PatientDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Told at each try that found nobody. */
  waiting?(found: Problem): void;
}

interface IdentityApi {
  identity(nonce: string, signal: AbortSignal): Promise<IdentityAnswer>;
}

export interface MeetingDeps<Api extends IdentityApi> extends PatientDeps {
  /** The reconciler's API (schemas/api.ts), believed only under this root. TLS_REQUIRED with a root and an address without TLS. */
  connect(ca: string | undefined): Api;
  /** What anybody answers who sits at the address, asked without TLS and without a credential. */
  askTls(signal: AbortSignal): Promise<TlsAnswer>;
}

/** What holds the key that it shows. */
export interface ProvenCluster extends IdentityAnswer {
  /** Fingerprint of its first key, which names it. */
  readonly first: string;
}

/** What is proven of the cluster that a token names. */
export interface Met<Api> {
  readonly api: Api;
  readonly cluster: ProvenCluster;
  /** Its root, PEM; absent: no TLS, or public ones. */
  readonly ca?: string;
}

/** Waits until it answers. SIGNATURE_INVALID or TLS_INVALID: somebody else does. */
export async function meetCluster<Api extends IdentityApi>(
  deps: MeetingDeps<Api>,
  token: JoinToken,
  signal: AbortSignal,
): Promise<Met<Api>> {
  const { authority } = token;
  const ca =
    authority === undefined ? undefined : await retried(deps, () => checkedAuthority(deps, authority, signal), signal);
  const api = deps.connect(ca);
  const cluster = await retried(deps, () => checkedCluster(deps, api, token, signal), signal);
  requireWire(cluster.wire);
  return { api, cluster, ...(ca !== undefined && { ca }) };
}

/** VERSION_SKEW before anything is asked of a reconciler that would not understand this agent, or it the reconciler. */
function requireWire({ least, most }: WireVersions = { least: 1, most: 1 }): void {
  const foreign = most < messageVersion ? most : least > wireVersions.most ? least : undefined;
  if (foreign !== undefined) throw new ProblemError(wireProblem('the reconciler', foreign, 'this agent'));
}

/** The root of the cluster, by its pin. Everything was asked in the open, and nothing was told. */
async function checkedAuthority(
  deps: { askTls(signal: AbortSignal): Promise<TlsAnswer> },
  pin: string,
  signal: AbortSignal,
): Promise<string> {
  const { authority } = await deps.askTls(signal);
  const pinned = authority && pinnedCertificate(authority.certificate + (authority.former ?? ''), pin);
  if (pinned !== undefined) return pinned;
  throw new ProblemError(
    problem('TLS_INVALID', 'the authority that answers is not the one that the join token names', {
      hint: 'check `api` in agent.yaml, and who else is on this network; the token was not sent',
    }),
  );
}

/** Asks who is there, and believes only who holds the key that the token pins. The secret was not sent yet. */
async function checkedCluster(
  deps: PatientDeps,
  api: IdentityApi,
  token: JoinToken,
  signal: AbortSignal,
): Promise<ProvenCluster> {
  const nonce = Buffer.from(deps.random.bytes(32)).toString('hex');
  const answer = await api.identity(nonce, signal);
  const { cluster, key, kid, fingerprint, sig } = answer;
  const first = firstKey(answer, nonce, token.pin);
  const isWhole = fingerprintOf(key) === fingerprint && keyIdOf(key) === kid;
  if (first !== undefined && isWhole && verifyText(key, identityText(cluster, nonce), sig)) {
    return { ...answer, first: fingerprintOf(first) };
  }
  throw new ProblemError(
    problem('SIGNATURE_INVALID', `the cluster that answers (${cluster}) is not the one that made the join token`, {
      hint: 'check `api` in agent.yaml; the token was not sent',
    }),
  );
}

/** The first key of the cluster, if the pinned one is the one that it shows or leads to it; both must say so. */
function firstKey({ cluster, key, since }: IdentityAnswer, nonce: string, pin: string): string | undefined {
  if (!since) return pinOf(fingerprintOf(key)) === pin ? key : undefined;
  const { chain, sig } = since;
  const keys = keysOf(chain);
  const pinned = keys.find((one) => pinOf(fingerprintOf(one)) === pin);
  if (pinned === undefined || keys.at(-1) !== key || !keysAfter(cluster, chain, pinned)) return undefined;
  return verifyText(key, lineageText(cluster, nonce, chain), sig) ? chain.first : undefined;
}

/** Tries again, slower and slower, while nobody answers. Rejects with the signal's reason on abort. */
export async function retried<T>(deps: PatientDeps, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      const isAway =
        isProblemError(error) && (error.problem.code === 'UNREACHABLE' || error.problem.code === 'UNAVAILABLE');
      if (!isAway || signal.aborted) throw error;
      deps.waiting?.(error.problem);
    }
    const delay = Math.min(longestRetry, firstRetry * 2 ** Math.min(attempt, 10));
    await pause(deps.clock, delay * (0.5 + deps.random.number() / 2), signal);
  }
}
