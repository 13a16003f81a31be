/** How a machine becomes a node: once, with a token. Afterwards its identity lies in the state folder, and nothing is asked. */
import { type Static, Type } from 'typebox';
import { parseJoinToken, pinOf } from '../schemas/join-token.ts';
import type { IdentityAnswer, JoinAnswer, JoinRequest } from '../schemas/joining.ts';
import { parseMessage } from '../schemas/parse.ts';
import type { Files, Random } from '../schemas/ports.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import { laterFile } from '../schemas/skew.ts';
import { isNodeId } from '../schemas/topics.ts';
import { type MeetingDeps, meetCluster, retried } from './meeting.ts';

const fileName = 'identity';
/** The secret of an attempt, until it led to an identity. */
const attemptFile = 'joining';
const attemptPattern = /^[0-9a-f]{64}$/;
const fileVersion = 1;

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
  const known = await load(deps.files);
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
  await deps.files.write(fileName, JSON.stringify({ v: fileVersion, ...identity }));
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

async function load(files: Files): Promise<NodeIdentity | undefined> {
  const text = await files.read(fileName);
  if (text === undefined) return undefined;
  const parsed = parseMessage<IdentityFile>(IdentityFile, text);
  if (parsed.ok) {
    const { v: _version, ...identity } = parsed.value;
    return identity;
  }
  const later = laterFile(fileName, text, fileVersion);
  if (later) throw new ProblemError(later);
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
