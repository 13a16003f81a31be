import { afterAll, describe, expect, it } from 'vitest';
import { agentFilters, reconcilerFilters } from '../../../schemas/topics.ts';
import {
  type Action,
  a,
  actions,
  b,
  expected,
  isAdmitted,
  keepable,
  listeners,
  type PrincipalName,
  principals,
  revoked,
  topics,
  userOf,
  writerBeside,
} from '../../support/access-matrix.ts';
import { type BareClient, bareMqtt } from '../../support/bare-mqtt.ts';
import { startTestBroker, testPassword } from '../../support/broker.ts';
import { eventually } from '../../support/eventually.ts';
import { hasMosquitto, startMosquitto } from '../../support/mosquitto.ts';

/** A broker under test: where it listens, and with which passwords. */
interface Target {
  readonly port: number;
  readonly passwords: Readonly<Record<string, string>>;
}
type Deliveries = Map<string, Set<string>>;

const nodePasswords = { [a]: testPassword(a), [b]: testPassword(b), [revoked]: testPassword(revoked) };
const caseId = (who: PrincipalName, action: Action, index: number): string => `${who} ${action} ${index}`;
const closing: (() => Promise<void>)[] = [];

const targets: Record<string, () => Promise<Target>> = {
  aedes: async () => {
    const limits = { connections: 100, perAddress: { rate: 1e6, burst: 1e6 }, packets: { rate: 1e6, burst: 1e6 } };
    const broker = await startTestBroker({ limits });
    closing.push(() => broker.close());
    // Revoked: it was there, and is no more.
    broker.setNodes([a, b, revoked].map((id) => ({ id, serial: 1 })));
    broker.setNodes([a, b].map((id) => ({ id, serial: 1 })));
    return { port: broker.port, passwords: { ...nodePasswords, reconciler: broker.password } };
  },
  mosquitto: async () => {
    const users = { reconciler: 'a password for the reconciler', [a]: testPassword(a), [b]: testPassword(b) };
    const mosquitto = await startMosquitto({ users: { ...users, [revoked]: testPassword(revoked) } });
    closing.push(() => mosquitto.close());
    await mosquitto.setUsers(users);
    return { port: mosquitto.port, passwords: { ...nodePasswords, ...users } };
  },
};

afterAll(async () => {
  for (const close of closing.splice(0)) await close();
});

describe.each(Object.keys(targets))('6 principals, 40 topics, 5 actions on %s', (name) => {
  const isThere = name !== 'mosquitto' || hasMosquitto();
  if (!isThere) process.stderr.write('access matrix: Mosquitto is not installed, its 1,200 cases are skipped\n');

  it.skipIf(!isThere)(
    'give the deliveries of the oracle, in each of the 1,200 cases',
    { timeout: 300_000 },
    async () => {
      const target = await targets[name]?.();
      if (!target) throw new Error(`no target ${name}`);
      const wrong: string[] = [];
      let cases = 0;
      let deliveries = 0;
      for (const who of principals) {
        for (const action of actions) {
          const seen: Deliveries = new Map();
          await carryOut(target, who, action, seen);
          topics.forEach((topic, index) => {
            const found = [...(seen.get(caseId(who, action, index)) ?? [])].sort();
            const wanted = expected(who, action, topic);
            cases += 1;
            deliveries += found.length;
            if (found.join() !== wanted.join())
              wrong.push(`${who} ${action} ${topic}: delivered to [${found.join()}], should be [${wanted.join()}]`);
          });
        }
      }
      expect(wrong).toEqual([]);
      expect([cases, deliveries]).toEqual([1_200, totalExpected()]);
    },
  );
});

it('the oracle lets something pass in every action, and more is refused than let through', () => {
  for (const action of actions) {
    const passed = principals.flatMap((who) => topics.filter((topic) => expected(who, action, topic).length > 0));
    expect(passed.length).toBeGreaterThan(5);
    expect(passed.length).toBeLessThan((principals.length * topics.length) / 2);
  }
});

function totalExpected(): number {
  return principals
    .flatMap((who) => actions.flatMap((action) => topics.map((topic) => expected(who, action, topic).length)))
    .reduce((sum, count) => sum + count, 0);
}

const filtersOf = (user: string): string[] =>
  (user === 'reconciler' ? reconcilerFilters() : agentFilters(user)).map(({ filter }) => filter);

async function carryOut(target: Target, who: PrincipalName, action: Action, seen: Deliveries): Promise<void> {
  const connect = (user: string, extra: { will?: { topic: string; payload: string } } = {}): BareClient =>
    bareMqtt({ port: target.port, user, password: target.passwords[user] ?? 'guessed', ...extra });
  const password = who === 'wrong-password' ? 'wrong' : (target.passwords[userOf[who]] ?? 'guessed');
  const asSubject = (will?: { topic: string; payload: string }): BareClient =>
    bareMqtt({ port: target.port, user: userOf[who], password, ...(will && { will }) });
  const note = (by: string, client: BareClient): void => {
    for (const { payload } of client.messages)
      if (payload !== '') seen.set(payload, (seen.get(payload) ?? new Set()).add(by));
  };
  const listen = async (users: readonly string[]): Promise<Map<string, BareClient>> => {
    const all = new Map(users.map((user) => [user, connect(user)]));
    for (const [user, client] of all) {
      if (!(await client.admitted())) throw new Error(`${user} is not admitted`);
      await client.subscribe(filtersOf(user));
    }
    return all;
  };
  const standing = await listen(listeners.filter((listener) => listener !== userOf[who] || !isAdmitted(who)));
  const subjects: BareClient[] = [];
  const subject = async (): Promise<BareClient> => {
    const last = subjects.at(-1);
    if (last && !last.isClosed) return last;
    const next = asSubject();
    subjects.push(next);
    await next.admitted();
    if (action === 'publish' || action === 'retained') await next.subscribe(filtersOf(userOf[who]));
    return next;
  };

  if (action === 'publish' || action === 'retained') {
    if (isAdmitted(who)) {
      for (const [index, topic] of topics.entries())
        await (await subject()).publish(topic, caseId(who, action, index), action === 'retained');
    } else {
      // It does not wait to be admitted.
      const rude = asSubject();
      subjects.push(rude);
      topics.forEach((topic, index) => void rude.publish(topic, caseId(who, action, index), action === 'retained'));
      await rude.closed();
    }
  } else if (action === 'will') {
    for (const [index, topic] of topics.entries()) {
      const mortal = asSubject({ topic, payload: caseId(who, action, index) });
      await mortal.admitted();
      mortal.destroy();
      await mortal.closed();
    }
  } else {
    const own = userOf[who] === 'reconciler' ? 'nodes/+/online' : `nodes/${userOf[who]}/requests`;
    const filtersFor = (topic: string): string[] => (action === 'batch' ? [own, topic] : [topic]);
    const say = async (topic: string, index: number): Promise<void> => {
      const writer = writerBeside(who, topic);
      if (writer) await standing.get(writer)?.publish(topic, caseId(who, action, index));
    };
    if (isAdmitted(who)) {
      for (const [index, topic] of topics.entries()) {
        await (await subject()).subscribe(filtersFor(topic));
        await say(topic, index);
        await (await subject()).ping();
      }
    } else {
      const rude = asSubject();
      subjects.push(rude);
      for (const topic of topics) void rude.subscribe(filtersFor(topic));
      for (const [index, topic] of topics.entries()) await say(topic, index);
      await rude.closed();
    }
  }

  const collect = (): void => {
    if (action === 'subscribe' || action === 'batch') for (const client of subjects) note('subject', client);
    else {
      for (const client of subjects) note(userOf[who], client);
      for (const [user, client] of standing) note(user, client);
    }
  };
  const live = topics.flatMap((topic, index) =>
    expected(who, action, topic).flatMap((by) => (by.startsWith('late:') ? [] : [[caseId(who, action, index), by]])),
  );
  const isComplete = (): boolean => {
    collect();
    return live.every(([id = '', by = '']) => seen.get(id)?.has(by));
  };
  await eventually(isComplete, { timeout: 20_000, interval: 10 }).catch(() => undefined);
  await lastWords([...standing, ...subjects.map((client) => [userOf[who], client] as const)]);
  collect();
  for (const client of [...standing.values(), ...subjects]) await client.end();
  if (action === 'retained' || action === 'will') await late();

  /**
   * What should not come has had every chance to come: after all that was said before, each client hears one more message on a
   * row of its own, and messages of one connection keep their order.
   */
  async function lastWords(clients: Iterable<readonly [user: string, client: BareClient]>): Promise<void> {
    const open = [...clients].filter(([, client]) => !client.isClosed);
    const speakers = new Map(open);
    for (const [, client] of open) await client.ping();
    for (const [user, client] of open) {
      if (client.isClosed) continue;
      const isNode = user !== 'reconciler';
      const word = `last word ${user} ${performance.now()}`;
      const speaker = isNode ? 'reconciler' : a;
      const extra = speakers.get(speaker)?.isClosed === false ? undefined : await listen([speaker]);
      await client.subscribe([isNode ? `nodes/${user}/requests` : 'nodes/+/information']);
      await (extra ?? speakers)
        .get(speaker)
        ?.publish(`nodes/${isNode ? user : a}/${isNode ? 'requests' : 'information'}`, word);
      const isHeard = (): boolean => client.isClosed || client.messages.some(({ payload }) => payload === word);
      await eventually(isHeard, { what: word, interval: 2 });
      for (const one of extra?.values() ?? []) await one.end();
    }
  }

  async function late(): Promise<void> {
    // As the reconciler does at each connect: what is kept on a row that keeps nothing goes.
    const janitors = await listen(['reconciler']);
    const janitor = janitors.get('reconciler');
    await lastWords(janitors);
    for (const { topic, retained } of janitor?.messages ?? [])
      if (retained && topic.endsWith('/information')) await janitor?.publish(topic, '', true);
    await janitor?.end();
    const after = await listen(listeners);
    await lastWords(after);
    for (const [user, client] of after) note(`late:${user}`, client);
    for (const topic of keepable()) await after.get('reconciler')?.publish(topic, '', true);
    for (const client of after.values()) await client.end();
  }
}
