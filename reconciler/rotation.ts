/**
 * Rotations of the signing key, of the root and of credentials. What a key is for decides the order: a signing key is announced,
 * signed by the one before it, and signs once all nodes in reach have it on disk; a root signs at once, because what it signs leads
 * to the one before it, too. Both old ones count until the overlap ends, and not before those nodes have the new one.
 */
import { authorityPin, keyFingerprint, parseCertificates } from '../schemas/io/certificates.ts';
import { keysOf } from '../schemas/io/chain.ts';
import { keyIdOf } from '../schemas/io/signatures.ts';
import type { CredentialAnswer } from '../schemas/joining.ts';
import type { KeyView, RotateAnswer, RotateBody } from '../schemas/keys.ts';
import type { NodeId } from '../schemas/names.ts';
import type { Wall } from '../schemas/ports.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../schemas/problem.ts';
import type { Context } from './context.ts';
import { type KeyFacts, type KeyInput, keyConditions, keyViews, laggards } from './core/key-views.ts';
import type { NodeRecord } from './core/model.ts';
import { isMember } from './core/replace.ts';
import { type Credentials, createCredentials } from './credentials.ts';
import type { Dispatcher } from './dispatch.ts';
import type { Enrolment } from './enrolment.ts';

export interface Rotation {
  views(): readonly KeyView[];
  /**
   * Recorded durably when it resolves; nothing waits for nodes. `nodes`: their ids. REFUSED while a rotation of that kind is under way,
   * and for a root that is not ours; NOT_FOUND, BAD_REQUEST.
   */
  rotate(wish: RotateBody): Promise<RotateAnswer>;
  /** UNAUTHORIZED. */
  renewCredential(node: NodeId, password: string): Promise<CredentialAnswer>;
  /** See {@link Credentials.shown}. */
  readonly shown: Credentials['shown'];
  conditions(): readonly Problem[];
  /** Looks, each second or so, whether a rotation can go on. */
  tick(): void;
}

const usualOverlap = 7 * 86_400_000;
/** Long enough to reach a machine by hand. */
const tokenLife = 86_400_000;

const refuse = (code: 'REFUSED' | 'NOT_FOUND' | 'BAD_REQUEST', message: string, hint?: string): never => {
  throw new ProblemError(problem(code, message, hint === undefined ? {} : { hint }));
};

export function createRotation(
  context: Context,
  dispatcher: Dispatcher,
  { tokens, tellBroker }: Pick<Enrolment, 'tokens' | 'tellBroker'>,
): Rotation {
  const { deps, world, keeper, journal } = context;
  const { keys } = deps;
  const credentials = createCredentials(context, dispatcher, tellBroker);
  const isOurRoot = deps.settings.tls?.kind === 'auto';
  let turn = Promise.resolve();
  let stepping = false;

  const facts = (): KeyFacts => ({
    ring: keys.ring,
    begun: keys.begun,
    kids: keysOf(keys.news().chain).map(keyIdOf),
    pins: isOurRoot ? [...keys.root().former, keys.root().authority.certificate].flatMap(pinsIn) : [],
  });
  const input = (): KeyInput => ({ view: world, policy: context.policy(), now: deps.clock.now(), facts: facts() });

  /** The keyring was written: records say so, and all nodes are told. */
  const spread = async (): Promise<void> => {
    keeper.change({ keyring: keys.ring.revision });
    for (const [id, node] of world.nodes) if (node.adopted) dispatcher.republish(id);
    await keeper.saved();
  };

  const rotateKey = async (kind: 'cluster' | 'ca', wish: RotateBody): Promise<RotateAnswer> => {
    const { ring } = keys;
    if (kind === 'ca' && !isOurRoot) {
      const why = deps.settings.tls ? 'certificates come from files' : 'this cluster speaks no TLS';
      refuse('REFUSED', `there is no root of its own to rotate: ${why}`, '`tls: auto` in cluster.yaml makes one');
    }
    const under = kind === 'cluster' ? ring.ends : ring.rootEnds;
    if (under !== undefined && !wish.now) {
      const until = new Date(under).toISOString();
      const hint = `\`oakctl keys ls\`; \`oakctl keys rotate ${kind} --now\` makes another one and gives up all older ones at once`;
      refuse('REFUSED', `a rotation of this key is under way: its overlap ends at ${until}, or later`, hint);
    }
    const since = deps.clock.now().wall;
    const begin = { since, ...(!wish.now && { ends: since + (wish.overlap ?? usualOverlap) }) };
    await (kind === 'cluster' ? keys.rotateSigning(begin) : keys.rotateRoot(begin));
    const { kids, pins } = facts();
    const id = (kind === 'cluster' ? kids : pins).at(-1) ?? '';
    const what = kind === 'cluster' ? `signing key ${id}` : `root ${id}`;
    const how = wish.now ? 'in use at once, older ones are not trusted any more' : 'announced to all nodes';
    journal.add('key_rotated', 'cluster', `${what} is ${how}; by ${wish.actor ?? 'somebody'}`);
    await spread();
    const revoked = wish.now ? await tokens.revokeAll('the key that it pins is not trusted any more') : [];
    return { ...emptyAnswer(kind), id, ...(begin.ends !== undefined && { ends: begin.ends }), revoked: [...revoked] };
  };

  const meant = ({ nodes, all, now }: RotateBody): readonly NodeRecord[] => {
    const valid = Object.values(keeper.now.nodes).filter(isMember);
    if (all && now) refuse('BAD_REQUEST', '--now cuts nodes off until they join again: name them', 'without --all');
    if (all) return valid;
    if (!nodes) return refuse('BAD_REQUEST', 'no node is named', 'names of nodes, or --all');
    return nodes.map(
      (id) => valid.find((one) => one.id === id) ?? refuse('NOT_FOUND', `no node is named ${id}`, 'oakctl nodes ls'),
    );
  };
  const rotateNodes = async (wish: RotateBody): Promise<RotateAnswer> => {
    const found = meant(wish).map((record) => ({ record, why: wish.now ? seedReason(record) : reason(record) }));
    const wanted = found.flatMap(({ record, why }) => (why === undefined ? [record] : []));
    const skipped = found.flatMap(({ record, why }) => (why === undefined ? [] : [{ node: record.name, why }]));
    const answer = { ...emptyAnswer('node'), nodes: wanted.map(({ name }) => name), skipped };
    if (!wish.now) {
      const until = wish.overlap === undefined ? undefined : ((deps.clock.now().wall + wish.overlap) as Wall);
      await credentials.begin(wanted, until);
      for (const { name } of wanted) journal.add('key_rotated', `node/${name}`, 'it is to take another credential');
      return answer;
    }
    for (const record of wanted) {
      await credentials.cut(record);
      const how = { name: record.name, ttl: tokenLife, ...(wish.actor !== undefined && { actor: wish.actor }) };
      answer.tokens.push({ node: record.name, token: (await tokens.create(how)).token });
    }
    return answer;
  };
  /** Why the credential of this node cannot be exchanged while it runs. */
  const reason = (record: NodeRecord): string | undefined => {
    const information = world.nodes.get(record.id)?.information;
    if (information && !information.trusts)
      return `its agent is of version ${information.version}, which cannot: update it`;
    return seedReason(record);
  };

  /** One after the other: each looks at what the one before it left. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work);
    turn = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  };

  const step = async (): Promise<void> => {
    const { ring } = keys;
    const now = input();
    const { wall } = now.now;
    const taken = (kind: 'cluster' | 'ca'): boolean => laggards(now, kind).length === 0;
    if (ring.used < ring.signing.length && taken('cluster')) {
      await keys.step('use');
      journal.add('key_rotated', 'cluster', `signing key ${keys.kid} is in use: all nodes in reach have it`);
    } else if (ring.ends !== undefined && ring.ends <= wall && taken('cluster')) {
      await keys.step('end');
      journal.add('key_rotated', 'cluster', 'older signing keys are not trusted any more');
    } else if (ring.rootEnds !== undefined && ring.rootEnds <= wall && taken('ca')) {
      await keys.step('end_roots');
      journal.add('key_rotated', 'cluster', 'older roots are not trusted any more');
    } else return;
    await spread();
  };

  return {
    views: () => keyViews(input()),
    rotate: (wish) => inTurn(() => (wish.kind === 'node' ? rotateNodes(wish) : rotateKey(wish.kind, wish))),
    renewCredential: credentials.renew,
    shown: credentials.shown,
    conditions: () => (keys.ring.revision === 0 ? [] : keyConditions(input())),
    tick() {
      credentials.tick();
      const { ring } = keys;
      if (stepping || world.recovering || (ring.ends === undefined && ring.rootEnds === undefined)) return;
      stepping = true;
      inTurn(step)
        .catch((error: unknown) => {
          if (!isProblemError(error)) return deps.fatal(error instanceof Error ? error : new Error(String(error)));
          deps.log('error', 'rotation_waits', { problem: error.problem });
        })
        .finally(() => {
          stepping = false;
        });
    },
  };
}

function emptyAnswer(kind: RotateAnswer['kind']): RotateAnswer {
  return { kind, nodes: [], skipped: [], tokens: [], revoked: [] };
}

function seedReason({ dialect }: NodeRecord): string | undefined {
  if (dialect !== 'seed') return undefined;
  return 'it registered, and was told its password then: revoke it, and register it again';
}

function pinsIn(pem: string): readonly string[] {
  return parseCertificates(pem).map((one) => authorityPin(keyFingerprint(one)));
}
