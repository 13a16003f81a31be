/** Nodes that repeat what another reconciler is to have said to them: one that lies, or is broken, stops nobody but itself. */
import { afterEach, describe, expect, it } from 'vitest';
import type { AgentDeps } from '../../agent/ports.ts';
import type { Reign } from '../../reconciler/core/rivals.ts';
import { type EndpointList, endpointsTopic } from '../../schemas/endpoints.ts';
import { signMessage } from '../../schemas/io/signatures.ts';
import type { Bus } from '../../schemas/ports.ts';
import { createMemoryCluster, descriptor, type MemoryCluster, type Wiring } from '../support/memory-cluster.ts';
import { createMemoryKeys } from '../support/memory-keys.ts';

let cluster: MemoryCluster;
afterEach(() => cluster.close());

/** What a node makes of a pair that it should report; counts its messages from 1. */
type Lie = (count: number, node?: string) => Reign;

/** The agent says other pairs than it has, in its reports and, unless `only`, as its ledger; `shows`: the list that it gives for a proof. */
function lying(
  deps: AgentDeps,
  lie: Lie,
  { only, shows }: { only?: 'reports'; shows?: (pair: Reign) => unknown },
): AgentDeps {
  let count = 0;
  let last = lie(0);
  const bus: Bus = {
    ...deps.bus,
    publish(topic, payload, how) {
      const said = JSON.parse(payload) as { epoch?: number };
      if (said.epoch === undefined) return deps.bus.publish(topic, payload, how);
      count += 1;
      last = lie(count);
      deps.bus.publish(topic, JSON.stringify({ ...said, ...last, gen: 1_000_000 }), how);
    },
  };
  if (only) return { ...deps, bus };
  const change = (text: string): string => {
    if (!text.startsWith('{"parts":')) return text;
    const { parts, endpoints } = JSON.parse(text) as { parts: object[]; endpoints?: unknown };
    const forged = parts.map((part) => ({ ...part, fence: { ...last, gen: 1_000_000 } }));
    return JSON.stringify({ parts: forged, endpoints: shows ? shows(last) : endpoints });
  };
  const open: AgentDeps['streams']['open'] = async (id, signal) => {
    const stream = await deps.streams.open(id, signal);
    return { ...stream, write: (text) => stream.write(change(text)) };
  };
  return { ...deps, bus, streams: { ...deps.streams, open } };
}

const control = () => cluster.reconciler.control;
const conditions = () =>
  control()
    .status()
    .conditions.flatMap(({ code, subject }) => (subject?.startsWith('node/') ? [`${code} ${subject}`] : []));
const epoch = () => control().status().epoch;
async function deploy(name: string, replicas: number): Promise<void> {
  const before = control().status().instances.healthy;
  await control().deploy({
    documents: [{ file: 'a.yaml', text: descriptor([{ microservice_name: name, replicas }], name) }],
  });
  await cluster.clock.until(
    () => control().status().instances.healthy === before + replicas,
    120_000,
    `${name} healthy`,
  );
}

/** `liars` begin to lie once `web` runs; `mend` ends it. */
async function start(liars: readonly string[], lie: Lie, how: Parameters<typeof lying>[2] = {}) {
  let lies = false;
  const wiring: Wiring = {
    agent: (deps, { name }) => (lies && liars.includes(name) ? lying(deps, (count) => lie(count, name), how) : deps),
  };
  cluster = await createMemoryCluster({ workers: 3, wiring });
  await deploy('web', 3);
  const was = epoch();
  const turn = async (): Promise<void> => {
    lies = !lies;
    for (const node of cluster.nodes.filter(({ name }) => liars.includes(name))) {
      node.kill();
      await node.start();
    }
  };
  await turn();
  return { was, mend: turn };
}

const kinds: Readonly<Record<string, Lie>> = {
  'the same pair for ever': () => ({ epoch: 40, by: 'ghost' }),
  'a higher one at each message': (count) => ({ epoch: 40 + count, by: 'ghost' }),
  'somebody else at each message': (count) => ({ epoch: 40 + count, by: `ghost-${count}` }),
};

describe('a node that says', () => {
  it.each(Object.entries(kinds))('%s stops nobody, moves the epoch once, and is named', async (_what, lie) => {
    const { was } = await start(['worker-1'], lie);
    const before = cluster.handles();
    await cluster.clock.advance(60_000);
    const then = epoch();
    expect(then).toBeGreaterThan(was);
    // It is asked for a proof again.
    await cluster.clock.advance(320_000);
    expect(epoch()).toBe(then);
    expect(cluster.fatal).toEqual([]);
    expect(cluster.log.filter((line) => line.includes('epoch_raised'))).toHaveLength(1);
    expect(cluster.handles()).toEqual(before);
    if (lie(900).epoch < then) return;
    expect(conditions()).toEqual(['PAIR_UNPROVEN node/worker-1']);
    const troubled = control()
      .nodes()
      .filter(({ problems }) => problems.length > 0);
    expect(troubled.map(({ name, problems }) => [name, problems[0]?.code])).toEqual([['worker-1', 'PAIR_UNPROVEN']]);
    expect(JSON.stringify(control().why('worker-1'))).toContain('oakctl nodes revoke worker-1');
    await deploy('more', 3);
  });

  it('so in its reports, and something else in its ledger, moves nothing; it is forgotten when that ends', async () => {
    const lie: Lie = (count) => ({ epoch: 40 + count, by: 'ghost' });
    const { was, mend } = await start(['worker-1'], lie, { only: 'reports' });
    await cluster.clock.advance(60_000);
    expect([epoch(), cluster.fatal]).toEqual([was, []]);
    expect(conditions()).toEqual(['PAIR_UNPROVEN node/worker-1']);
    await mend();
    await cluster.clock.advance(120_000);
    expect(conditions()).toEqual([]);
  });
});

it('of several each moves the epoch once, and not far', async () => {
  const lie: Lie = (count) => ({ epoch: 900 + count, by: `ghost-${count}` });
  const { was } = await start(['worker-1', 'worker-2'], lie);
  await cluster.clock.advance(60_000);
  const raised = cluster.log.filter((line) => line.includes('epoch_raised'));
  expect(raised.length).toBeLessThanOrEqual(2);
  expect(epoch() - was).toBeLessThanOrEqual(2_002);
  expect(cluster.fatal).toEqual([]);
  await deploy('more', 1);
});

it('at a start: what is far above us, and unproven, is not followed, and not waited for', async () => {
  const { was } = await start(['worker-1'], () => ({ epoch: 900_000, by: 'ghost' }));
  await cluster.restartReconciler();
  await cluster.clock.advance(60_000);
  expect([epoch(), cluster.fatal]).toEqual([was + 1, []]);
  expect(conditions()).toContain('PAIR_UNPROVEN node/worker-1');
  await deploy('more', 3);
});

describe('a proof is a list that', () => {
  const rising: Lie = (count) => ({ epoch: 40 + count, by: 'ghost' });
  const list = (pair: Reign, told: boolean, seed = 7): EndpointList =>
    signMessage(createMemoryKeys('test', seed), endpointsTopic('test'), {
      v: 1 as const,
      cluster: 'test',
      ...pair,
      endpoints: [],
      ...(told && { told: true as const }),
    });

  it('the cluster signed for its nodes: who counts up with it is a rival, and we end', async () => {
    await start(['worker-1'], rising, { shows: (pair) => list(pair, true) });
    await cluster.clock.until(() => cluster.fatal.length > 0, 120_000, 'the end');
    expect(cluster.fatal.join()).toMatch(/RIVAL_RECONCILER.*\(ghost, epoch \d+\).*node worker-1 follows it/);
  });

  it('leads us on at two nodes: what one of them says later is looked at as soon as it is said', async () => {
    let isBack = false;
    const lie: Lie = (_count, node) => ({ epoch: isBack && node === 'worker-2' ? 50 : 40, by: 'ghost' });
    await start(['worker-1', 'worker-2'], lie, { shows: (pair) => list(pair, true) });
    await cluster.clock.advance(60_000);
    expect([epoch(), cluster.fatal]).toEqual([41, []]);
    isBack = true;
    await cluster.clock.until(() => cluster.fatal.length > 0, 60_000, 'the end');
  });

  it.each([
    ['another key signed', (pair: Reign) => list(pair, true, 9)],
    ['was given to whoever asked', (pair: Reign) => list(pair, false)],
    ['says a lower epoch', ({ by }: Reign) => list({ epoch: 1, by }, true)],
    ['is of another process', ({ epoch }: Reign) => list({ epoch, by: 'somebody' }, true)],
  ])('%s: none', async (_what, shows) => {
    await start(['worker-1'], rising, { shows });
    await cluster.clock.advance(60_000);
    expect(cluster.fatal).toEqual([]);
    expect(cluster.log.filter((line) => line.includes('epoch_raised'))).toHaveLength(1);
    expect(conditions()).toEqual(['PAIR_UNPROVEN node/worker-1']);
  });
});

describe('records from before, copied back by hand', () => {
  async function goBack(wiring: Wiring): Promise<void> {
    cluster = await createMemoryCluster({ workers: 3, wiring });
    const old = structuredClone(cluster.records);
    await deploy('web', 3);
    for (let i = 0; i < 3; i += 1) await cluster.restartReconciler();
    const before = cluster.handles();
    await cluster.restartReconciler({
      between: async () => {
        cluster.records = { ...old, direct: cluster.records.direct };
      },
    });
    await cluster.clock.advance(60_000);
    expect([cluster.fatal, conditions(), cluster.handles()]).toEqual([[], [], before]);
    await deploy('more', 3);
  }

  it('nodes show who was there, and are taken over', () => goBack({}));
  it('nodes of an agent that keeps no list are believed once', () =>
    goBack({ agent: ({ endpoints: _kept, ...deps }) => deps }));
});
