/** Nodes of the dialect `seed` come in by one request with four keys, the join token as bearer. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { parseJoinToken } from '../../schemas/join-token.ts';
import type { RegisterAnswer } from '../../schemas/joining.ts';
import type { NodeId } from '../../schemas/names.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { SeedRegistration } from '../../schemas/seed.ts';
import { isNodeId, reservedUsers } from '../../schemas/topics.ts';
import type { Context } from '../context.ts';
import type { NodeRecord } from '../core/model.ts';
import type { TokenRecord } from '../core/records.ts';
import { nextSerial } from '../core/serials.ts';
import type { Admission } from '../enrolment.ts';
import { withEntry } from '../records-keeper.ts';
import type { SeedDesk } from './desk.ts';

export interface Registration {
  /**
   * A new seed node; or a known one again, by the token that made it alone (while that is valid) or by its own MQTT password: its id and
   * credential stay, and it is told again what it should run. TOKEN_INVALID, NAME_TAKEN.
   */
  register(request: SeedRegistration, bearer: string): Promise<RegisterAnswer>;
}

export function createRegistration(
  context: Context,
  admission: Admission,
  seeds: Pick<SeedDesk, 'registered'>,
): Registration {
  const { deps, keeper, journal } = context;

  const knownAs = (name: string): NodeRecord | undefined =>
    Object.values(keeper.now.nodes).find(
      (node) => node.dialect === 'seed' && node.revoked === undefined && node.name === name,
    );
  const isName = (text: string): boolean =>
    Object.values(keeper.now.nodes).some((node) => node.revoked === undefined && node.name.toLowerCase() === text);
  /** Is this what lets the node register again? */
  const proves = (node: NodeRecord, bearer: string): boolean => {
    if (same(bearer, deps.keys.credential(node.id, node.serial))) return true;
    const { id, hash, expires } = node.registered?.token ?? { id: '', hash: '', expires: 0 };
    const isOver = expires <= deps.clock.now().wall || keeper.now.tokens[id]?.revoked !== undefined;
    if (!bearer.startsWith('oak1.') || isOver) return false;
    const parsed = parseJoinToken(bearer);
    return parsed.id === id && same(sha256(parsed.secret), hash);
  };
  const answerFor = ({ id, serial }: NodeRecord): RegisterAnswer => ({
    id,
    MQTT_BROKER_PORT: String(deps.mqtt.port),
    ...(deps.mqtt.url !== undefined && { MQTT_BROKER_URL: deps.mqtt.url }),
    username: id,
    password: deps.keys.credential(id, serial),
  });
  /**
   * The id that was sent, if a topic can have it and nobody has it, as a name neither: a removed seed node gives its id free. `name`:
   * its own.
   */
  const idFor = (sent: string, name: string): NodeId => {
    const had = Object.hasOwn(keeper.now.nodes, sent) ? keeper.now.nodes[sent] : undefined;
    const isFree = had === undefined || (had.dialect === 'seed' && had.removed !== undefined);
    const isGood = isNodeId(sent) && !Object.hasOwn(reservedUsers, sent) && (sent === name || !isName(sent));
    return isGood && isFree ? sent : Buffer.from(deps.random.bytes(8)).toString('hex');
  };

  const recordOf = (id: NodeId): NodeRecord => {
    const known = keeper.now.nodes[id];
    if (known && known.revoked === undefined) return known;
    throw new ProblemError(refused('it was revoked meanwhile'));
  };
  const writePlace = async (id: NodeId, { ip, port }: SeedRegistration): Promise<void> => {
    const { registered, ...known } = recordOf(id);
    if (registered && (registered.ip !== ip || registered.port !== port)) {
      const record: NodeRecord = { ...known, registered: { ...registered, ip, port } };
      keeper.change({ nodes: withEntry(keeper.now.nodes, id, record) });
    }
    await keeper.saved();
  };
  const again = async ({ id, name }: NodeRecord, request: SeedRegistration): Promise<RegisterAnswer> => {
    await writePlace(id, request);
    // Cordoned while it was written: who wrote that may have known nothing of where it is now.
    await writePlace(id, request);
    const record = recordOf(id);
    context.apply({ kind: 'node', record });
    journal.add('node_joined', `node/${name}`, `registered again from ${request.ip}: told again what it should run`);
    seeds.registered(id);
    return answerFor(record);
  };

  return {
    async register(request, bearer) {
      const known = knownAs(request.name);
      if (known && proves(known, bearer)) return again(known, request);
      const { name, ip, port } = request;
      const token = admission.checkToken(bearer, name);
      admission.checkName(name);
      const id = idFor(request.id, name);
      const before = keeper.now.nodes[id];
      const record: NodeRecord = {
        id,
        name,
        ordinal: keeper.now.nextOrdinal,
        // Above that of whoever had the id: its password stays dead.
        serial: nextSerial(before ?? { serial: 0 }, context.world.fence.epoch),
        joined: deps.clock.now().wall,
        dialect: 'seed',
        registered: { ip, port, ...(token.shared ? {} : { token: proofOf(token) }) },
      };
      await admission.enrol(record, token, before);
      seeds.registered(record.id);
      journal.add('node_joined', `node/${name}`, `registered as ${record.id} from ${ip}, on the seeds' wire`);
      return answerFor(record);
    },
  };
}

function proofOf({ id, hash, expires }: TokenRecord) {
  return { id, hash, expires };
}

function refused(why: string) {
  return problem('TOKEN_INVALID', why, { hint: 'oakctl nodes token create' });
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function same(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(sha256(a)), Buffer.from(sha256(b)));
}
