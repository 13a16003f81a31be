/**
 * How a machine becomes a node: once, with a token. Afterwards its identity lies in the state folder, and nothing is asked.
 * Over TLS the agent has nothing but a pin at first: it asks, in the open and without saying anything, for the root of the cluster,
 * keeps it only if its key is the pinned one, and trusts nothing else from then on.
 */
import { type Static, Type } from 'typebox';
import type { IdentityAnswer, JoinAnswer, JoinRequest, TlsAnswer } from '../schemas/api.ts';
import { pinnedCertificate } from '../schemas/io/certificates.ts';
import { fingerprintOf, identityText, keyIdOf, verifyText } from '../schemas/io/signatures.ts';
import { type JoinToken, parseJoinToken, pinOf } from '../schemas/join-token.ts';
import { parseMessage } from '../schemas/parse.ts';
import type { Clock, Files, Random } from '../schemas/ports.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../schemas/problem.ts';
import { isNodeId } from '../schemas/topics.ts';

const fileName = 'identity';
/** The secret of an attempt, until it led to an identity. */
const attemptFile = 'joining';
const attemptPattern = /^[0-9a-f]{64}$/;
const fileVersion = 1;
const firstRetry = 500;
const longestRetry = 30_000;

const IdentityFile = Type.Object({
  v: Type.Literal(fileVersion),
  id: Type.String(),
  name: Type.String(),
  cluster: Type.String(),
  fingerprint: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  ordinal: Type.Integer({ minimum: 0 }),
  mqtt: Type.Object({
    host: Type.String(),
    port: Type.Integer(),
    tls: Type.Optional(Type.Boolean()),
    url: Type.Optional(Type.String()),
    ca: Type.Optional(Type.String()),
    username: Type.String(),
    password: Type.String(),
  }),
  ca: Type.Optional(Type.String()),
  keys: Type.Record(Type.String(), Type.String()),
});
type IdentityFile = Static<typeof IdentityFile>;

/**
 * Who this node is, the cluster's pinned keys, its credential, and the only root that it trusts (`ca`, PEM; absent: no TLS, or
 * public ones). Secret: the file is for its owner only.
 */
export type NodeIdentity = Omit<IdentityFile, 'v'>;

export interface JoinDeps {
  readonly files: Files;
  readonly clock: Clock;
  readonly random: Random;
  /** The reconciler's API (schemas/api.ts), believed only under this root. TLS_REQUIRED with a root and an address without TLS. */
  connect(ca: string | undefined): {
    identity(nonce: string, signal: AbortSignal): Promise<IdentityAnswer>;
    join(request: JoinRequest, signal: AbortSignal): Promise<JoinAnswer>;
  };
  /** What anybody answers who sits at the address, asked without TLS and without a credential. */
  askTls(signal: AbortSignal): Promise<TlsAnswer>;
  /** Told at each try that found nobody. */
  waiting?(found: Problem): void;
}

export interface JoinWish {
  readonly name: string;
  readonly ip: string;
  readonly version: string;
  /** Not needed once joined. */
  readonly token?: string;
}

/**
 * The identity of this node: from its file, or by joining, which waits for a reconciler that is not there yet. Throws
 * FILE_DAMAGED, TOKEN_INVALID, SIGNATURE_INVALID or TLS_INVALID (somebody else answers), NAME_TAKEN, ... and the signal's reason on abort.
 */
export async function loadOrJoin(deps: JoinDeps, wish: JoinWish, signal: AbortSignal): Promise<NodeIdentity> {
  const known = await load(deps.files);
  if (known) return stillThatCluster(known, wish.token);
  if (wish.token === undefined) {
    throw new ProblemError(
      problem('TOKEN_INVALID', 'this machine has not joined a cluster, and agent.yaml holds no token', {
        hint: 'on the cluster: oakctl nodes token create; then write it as `token` into agent.yaml',
      }),
    );
  }
  const token = parseJoinToken(wish.token);
  const { authority } = token;
  const ca =
    authority === undefined ? undefined : await retried(deps, () => checkedAuthority(deps, authority, signal), signal);
  const api = deps.connect(ca);
  const cluster = await retried(deps, () => checkedCluster(deps, api, token, signal), signal);
  const { name, ip, version } = wish;
  // On disk before it is sent: if the answer is lost on its way, the same node is given out again, and only to us.
  const attempt = await rememberedAttempt(deps);
  const request = { token: wish.token.trim(), name, ip, version, attempt };
  const answer = await retried(deps, () => api.join(request, signal), signal);
  const identity = { ...identityOf(answer, cluster), ...(ca !== undefined && { ca }) };
  await deps.files.write(fileName, JSON.stringify({ v: fileVersion, ...identity }));
  await deps.files.remove(attemptFile).catch(() => undefined);
  return identity;
}

/** A damaged one is worth nothing, and costs at most a new token. */
async function rememberedAttempt({ files, random }: JoinDeps): Promise<string> {
  const known = await files.read(attemptFile).catch(() => undefined);
  if (known !== undefined && attemptPattern.test(known)) return known;
  const made = Buffer.from(random.bytes(32)).toString('hex');
  await files.write(attemptFile, made);
  return made;
}

async function load(files: Files): Promise<NodeIdentity | undefined> {
  const text = await files.read(fileName);
  if (text === undefined) return undefined;
  const parsed = parseMessage<IdentityFile>(IdentityFile, text);
  if (parsed.ok) {
    const { v: _version, ...identity } = parsed.value;
    return identity;
  }
  throw new ProblemError(
    problem('FILE_DAMAGED', `the identity of this node is not readable (${parsed.problem.message})`, {
      subject: fileName,
      hint: 'restore the state folder, or remove it and join again as a new node',
    }),
  );
}

/** A token of another cluster is a mistake of its writer; one of the same cluster, or a broken one, is simply not needed. */
function stillThatCluster(identity: NodeIdentity, token: string | undefined): NodeIdentity {
  const pin = token === undefined ? undefined : pinIn(token);
  if (pin === undefined || pin === pinOf(identity.fingerprint)) return identity;
  throw new ProblemError(
    problem('TOKEN_INVALID', `this node has joined ${identity.cluster}, and its token is for another cluster`, {
      hint: 'remove the token to stay, or the state folder to join the other cluster',
    }),
  );
}

function pinIn(token: string): string | undefined {
  try {
    return parseJoinToken(token).pin;
  } catch {
    return undefined;
  }
}

/** The root of the cluster, by its pin. Everything was asked in the open, and nothing was told. */
async function checkedAuthority(deps: JoinDeps, pin: string, signal: AbortSignal): Promise<string> {
  const { authority } = await deps.askTls(signal);
  const pinned = authority && pinnedCertificate(authority.certificate, pin);
  if (pinned !== undefined) return pinned;
  throw new ProblemError(
    problem('TLS_INVALID', 'the authority that answers is not the one that the join token names', {
      hint: 'check `api` in agent.yaml, and who else is on this network; the token was not sent',
    }),
  );
}

/** Asks who is there, and believes only who holds the key that the token pins. The secret was not sent yet. */
async function checkedCluster(
  deps: JoinDeps,
  api: ReturnType<JoinDeps['connect']>,
  token: JoinToken,
  signal: AbortSignal,
): Promise<IdentityAnswer> {
  const nonce = Buffer.from(deps.random.bytes(32)).toString('hex');
  const answer = await api.identity(nonce, signal);
  const { cluster, key, kid, fingerprint, sig } = answer;
  const isPinned = fingerprintOf(key) === fingerprint && pinOf(fingerprint) === token.pin && keyIdOf(key) === kid;
  if (isPinned && verifyText(key, identityText(cluster, nonce), sig)) return answer;
  throw new ProblemError(
    problem('SIGNATURE_INVALID', `the cluster that answers (${cluster}) is not the one that made the join token`, {
      hint: 'check `api` in agent.yaml; the token was not sent',
    }),
  );
}

/** Only the key that was checked is pinned, whatever else the answer names. */
function identityOf(answer: JoinAnswer, checked: IdentityAnswer): NodeIdentity {
  const { id, name, ordinal, mqtt } = answer;
  const { cluster, fingerprint, kid, key } = checked;
  if (answer.cluster !== cluster || answer.fingerprint !== fingerprint || answer.keys[kid] !== key || !isNodeId(id)) {
    throw new ProblemError(
      problem('SIGNATURE_INVALID', 'the answer to the join request contradicts the cluster itself'),
    );
  }
  return { id, name, cluster, fingerprint, ordinal, mqtt, keys: { [kid]: key } };
}

/** Tries again, slower and slower, while nobody answers. */
async function retried<T>(deps: JoinDeps, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
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

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => {
      cancel();
      reject(signal.reason as Error);
    };
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', aborted);
      resolve();
    });
    signal.addEventListener('abort', aborted, { once: true });
  });
}
