/** Two clients that have one identity, on the real broker with the production adapter. */
import { connect } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Broker } from '../../../reconciler/broker/supervisor.ts';
import { agentFilters, topic } from '../../../schemas/topics.ts';
import { openTestClient, startTestBroker, type TestClient, testPassword } from '../../support/broker.ts';
import { eventually, steadily } from '../../support/eventually.ts';

const node = 'aaaaaaaaaaaaaaaa';
let broker: Broker;
let contests: string[];
const ends: (() => unknown)[] = [];

beforeEach(async () => {
  contests = [];
  broker = await startTestBroker({ onContested: (id, from) => void contests.push(`${id} ${from}`) });
  broker.setNodes([{ id: node, serial: 1 }]);
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await broker.close();
});

const willOf = (session: string) => ({
  topic: topic(node, 'online'),
  payload: JSON.stringify({ v: 1, online: false, boot: 'b', session }),
});
function agent(session: string): TestClient {
  const made = openTestClient(broker, node, { subscribe: agentFilters(node), will: willOf(session) });
  ends.push(() => made.bus.close());
  return made;
}
const isUp = (one: TestClient): boolean => one.events.at(-1) === 'connected';

describe('two agents with one identity', () => {
  it('stop throwing each other out: one stays, and the other is turned away until the first is gone', async () => {
    const two = [agent('s1'), agent('s2')];
    await eventually(() => contests.length > 0, { what: 'a contest', timeout: 60_000 });
    expect(contests[0]).toBe(`${node} 127.0.0.1`);
    await eventually(() => two.filter(isUp).length === 1, { what: 'one that is connected' });
    const [elder, younger] = [...two].sort((one, other) => Number(isUp(other)) - Number(isUp(one)));
    if (!elder || !younger) throw new Error('there are two');
    const before = elder.events.length;
    await steadily(() => elder.events.length === before && !isUp(younger), 4_000, 'peace');
    expect(younger.events.filter((event) => event === 'connected').length).toBeLessThanOrEqual(3);
    await elder.bus.close();
    await eventually(() => isUp(younger), { what: 'the other one', timeout: 60_000 });
  }, 180_000);
});

describe('one agent', () => {
  it('comes back as often as it must before its old connections are known to be dead', async () => {
    const { payload, ...rest } = willOf('s1');
    const options = { clientId: node, username: node, password: testPassword(node), reconnectPeriod: 0 };
    for (let times = 0; times < 8; times += 1) {
      const will = { ...rest, payload: Buffer.from(payload), qos: 1 as const, retain: true };
      const client = connect(broker.url, { ...options, protocolVersion: 4, will });
      ends.push(() => client.end(true));
      await eventually(() => client.connected, { what: `connection ${times}` });
    }
    expect(contests).toEqual([]);
  });
});
