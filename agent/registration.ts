/**
 * How a machine whose agent is its own authority becomes a node: by seed 000's registration with four keys, at our reconciler or at
 * any other cluster manager that has it. Once: afterwards what was answered lies in the state folder, and nothing is asked.
 */
import { type Static, Type } from 'typebox';
import { parseJoinToken } from '../schemas/join-token.ts';
import type { IdentityAnswer, RegisterAnswer } from '../schemas/joining.ts';
import { checkMessage, parseMessage } from '../schemas/parse.ts';
import type { Files } from '../schemas/ports.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../schemas/problem.ts';
import { isNodeId } from '../schemas/topics.ts';
import { type MeetingDeps, meetCluster, retried } from './meeting.ts';

const fileName = 'registration';
const fileVersion = 1;

const Answer = Type.Object({
  id: Type.String(),
  MQTT_BROKER_PORT: Type.Union([
    Type.String({ pattern: '^[0-9]{1,5}$' }),
    Type.Integer({ minimum: 1, maximum: 65_535 }),
  ]),
  MQTT_BROKER_URL: Type.Optional(Type.String()),
  username: Type.Optional(Type.String()),
  password: Type.Optional(Type.String()),
});

const RegistrationFile = Type.Object({
  v: Type.Literal(fileVersion),
  id: Type.String(),
  name: Type.String(),
  /** '': whoever answered has no name that is proven. */
  cluster: Type.String(),
  realm: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  port: Type.Integer(),
  url: Type.Optional(Type.String()),
  username: Type.Optional(Type.String()),
  password: Type.Optional(Type.String()),
  ca: Type.Optional(Type.String()),
});
type RegistrationFile = Static<typeof RegistrationFile>;

/**
 * Who this node is, its credential if it was given one, and where the broker is: `url`, or `port` on the host of the API. `realm` marks
 * what is ours in an engine: the cluster's fingerprint where it is known. Secret: the file is for its owner only.
 */
export type Registered = Omit<RegistrationFile, 'v'>;

export interface RegisterApi {
  identity(nonce: string, signal: AbortSignal): Promise<IdentityAnswer>;
  register(request: FourKeys, bearer: string | undefined, signal: AbortSignal): Promise<RegisterAnswer>;
}

export interface FourKeys {
  readonly id: string;
  readonly name: string;
  readonly ip: string;
  readonly port: string;
}

export interface RegisterDeps extends MeetingDeps<RegisterApi> {
  readonly files: Files;
}

export interface RegisterWish {
  readonly name: string;
  readonly ip: string;
  /** A join token of ours. Absent: the manager asks for none, and is believed as it is. */
  readonly token?: string;
}

/**
 * The registration of this node: from its file, or by registering, which waits for a manager that is not there yet. Throws
 * SETTINGS_INVALID when this folder belongs to a node that joined, FILE_DAMAGED, what meeting a cluster throws, what the manager answers,
 * and the signal's reason on abort.
 */
export async function loadOrRegister(
  deps: RegisterDeps,
  wish: RegisterWish,
  signal: AbortSignal,
): Promise<{ readonly registered: Registered; readonly isNew: boolean }> {
  const known = await loadRegistration(deps.files);
  if (known) return { registered: known, isNew: false };
  await refuseOther(
    deps.files,
    'identity',
    'it has joined a cluster',
    'remove `authority` from agent.yaml to stay there',
  );
  const token = wish.token === undefined ? undefined : parseJoinToken(wish.token);
  const met = token && (await meetCluster(deps, token, signal));
  const api = met?.api ?? deps.connect(undefined);
  const { name, ip } = wish;
  const request = { id: '', name, ip, port: '0' };
  const bearer = wish.token?.trim();
  const answer = checked(await retried(deps, () => api.register(request, bearer, signal), signal));
  const { id, MQTT_BROKER_PORT: port, MQTT_BROKER_URL: url, username, password } = answer;
  const registered: Registered = {
    id,
    name,
    cluster: met?.cluster.cluster ?? '',
    realm: met?.cluster.first ?? Buffer.from(deps.random.bytes(32)).toString('hex'),
    port: Number(port),
    ...(url !== undefined && { url }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(met?.ca !== undefined && { ca: met.ca }),
  };
  await deps.files.write(fileName, JSON.stringify({ v: fileVersion, ...registered }));
  return { registered, isNew: true };
}

/**
 * Registers again, to be called at each connection: a control is said once, and who was not connected then has missed it. The manager
 * says everything anew; what is here already does not change. `failed` is told why it did not work, once it gave up.
 */
export function createRenewal(
  deps: Pick<RegisterDeps, 'clock' | 'random' | 'connect' | 'waiting'> & { failed(why: Problem): void },
  { id, name, password, ca }: Registered,
  { ip }: Pick<RegisterWish, 'ip'>,
  signal: AbortSignal,
): () => void {
  let isUnderWay = false;
  let asked = 0;
  const renew = async (): Promise<void> => {
    isUnderWay = true;
    for (let answered = 0; answered !== asked; ) {
      const now = asked;
      const ask = () => deps.connect(ca).register({ id, name, ip, port: '0' }, password, signal);
      const answer = checked(await retried(deps, ask, signal));
      if (answer.id !== id)
        deps.failed(problem('BAD_REQUEST', `the manager calls this node ${answer.id} now, not ${id}`));
      answered = now;
    }
  };
  return () => {
    asked += 1;
    if (isUnderWay || signal.aborted) return;
    renew()
      .catch((error: unknown) => {
        if (signal.aborted) return;
        if (!isProblemError(error)) throw error;
        deps.failed(error.problem);
      })
      .finally(() => {
        isUnderWay = false;
      });
  };
}

/** SETTINGS_INVALID when the folder belongs to a node that is its own authority. */
export function refuseRegistered(files: Files): Promise<void> {
  return refuseOther(files, fileName, 'it registered as its own authority', 'authority: local in agent.yaml');
}

/** Two kinds of node in one folder would share a ledger that only one of them may write. */
async function refuseOther(files: Files, file: string, what: string, stay: string): Promise<void> {
  if ((await files.read(file)) === undefined) return;
  const hint = `${stay}, or take another folder for this agent`;
  throw new ProblemError(
    problem('SETTINGS_INVALID', `this folder belongs to a node of another kind: ${what}`, { hint }),
  );
}

/** What a node that is its own authority was answered. FILE_DAMAGED. */
export async function loadRegistration(files: Files): Promise<Registered | undefined> {
  const text = await files.read(fileName);
  if (text === undefined) return undefined;
  const parsed = parseMessage<RegistrationFile>(RegistrationFile, text);
  if (parsed.ok) {
    const { v: _version, ...registered } = parsed.value;
    return registered;
  }
  throw new ProblemError(
    problem('FILE_DAMAGED', `the registration of this node is not readable (${parsed.problem.message})`, {
      subject: fileName,
      hint: 'restore the state folder, or remove this file to register again',
    }),
  );
}

function checked(answer: unknown): Static<typeof Answer> {
  const parsed = checkMessage<Static<typeof Answer>>(Answer, answer);
  const why = parsed.ok
    ? isNodeId(parsed.value.id)
      ? undefined
      : 'its id is none that a topic can have'
    : parsed.problem.message;
  if (parsed.ok && why === undefined) return parsed.value;
  throw new ProblemError(problem('BAD_REQUEST', `the answer to the registration cannot be used: ${why}`));
}
