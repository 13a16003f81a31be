/** How a machine becomes a node: once, with a token. Afterwards its identity lies in the state folder, and nothing is asked. */
import { fingerprintOf } from '../schemas/io/signatures.ts';
import { parseJoinToken, pinOf } from '../schemas/join-token.ts';
import type { IdentityAnswer, JoinAnswer, JoinRequest } from '../schemas/joining.ts';
import type { Files, Random } from '../schemas/ports.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import { isNodeId } from '../schemas/topics.ts';
import { loadIdentity, type NodeIdentity, saveIdentity } from './identity.ts';
import { type MeetingDeps, meetCluster, type ProvenCluster, retried } from './meeting.ts';

/** The secret of an attempt, until it led to an identity. */
const attemptFile = 'joining';
const attemptPattern = /^[0-9a-f]{64}$/;
export interface JoinApi {
  identity(nonce: string, signal: AbortSignal): Promise<IdentityAnswer>;
  join(request: JoinRequest, signal: AbortSignal): Promise<JoinAnswer>;
}

export interface JoinDeps extends MeetingDeps<JoinApi> {
  readonly files: Files;
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
  const known = await loadIdentity(deps.files);
  if (known) return stillThatCluster(known, wish.token);
  if (wish.token === undefined) {
    throw new ProblemError(
      problem('TOKEN_INVALID', 'this machine has not joined a cluster, and agent.yaml holds no token', {
        hint: 'on the cluster: oakctl nodes token create; then write it as `token` into agent.yaml',
      }),
    );
  }
  const { api, cluster, ca } = await meetCluster(deps, parseJoinToken(wish.token), signal);
  const { name, ip, version } = wish;
  // On disk before it is sent: if the answer is lost on its way, the same node is given out again, and only to us.
  const attempt = await rememberedAttempt(deps);
  const request = { token: wish.token.trim(), name, ip, version, attempt };
  const answer = await retried(deps, () => api.join(request, signal), signal);
  const identity = { ...identityOf(answer, cluster), ...(ca !== undefined && { ca }) };
  await saveIdentity(deps.files, identity);
  await deps.files.remove(attemptFile).catch(() => undefined);
  return identity;
}

/** A damaged one is worth nothing, and costs at most a new token. */
async function rememberedAttempt({
  files,
  random,
}: {
  readonly files: Files;
  readonly random: Random;
}): Promise<string> {
  const known = await files.read(attemptFile).catch(() => undefined);
  if (known !== undefined && attemptPattern.test(known)) return known;
  const made = Buffer.from(random.bytes(32)).toString('hex');
  await files.write(attemptFile, made);
  return made;
}

/**
 * A token of another cluster is a mistake of its writer; one of the same cluster, or a broken one, is simply not needed. Of a cluster
 * whose signing key was rotated it pins any of its keys, also one that has ended.
 */
function stillThatCluster(identity: NodeIdentity, token: string | undefined): NodeIdentity {
  const pin = token === undefined ? undefined : pinIn(token);
  const own = [identity.fingerprint, ...Object.values(identity.keys).map(fingerprintOf)].map(pinOf);
  if (pin === undefined || own.includes(pin) || identity.pins?.includes(pin)) return identity;
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

/** Only the key that was checked is pinned, whatever else the answer names. */
function identityOf(answer: JoinAnswer, checked: ProvenCluster): NodeIdentity {
  const { id, name, ordinal, mqtt } = answer;
  const { cluster, kid, key } = checked;
  const isSame = answer.cluster === cluster && answer.fingerprint === checked.fingerprint;
  if (!isSame || answer.keys[kid] !== key || !isNodeId(id)) {
    throw new ProblemError(
      problem('SIGNATURE_INVALID', 'the answer to the join request contradicts the cluster itself'),
    );
  }
  return { id, name, cluster, fingerprint: checked.first, ordinal, mqtt, keys: { [kid]: key } };
}
