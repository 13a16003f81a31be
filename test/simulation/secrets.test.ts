import { afterEach, describe, expect, it } from 'vitest';
import { sealSecret } from '../../cli/services/sealed-secret.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';
import { sealedFile } from '../support/secrets.ts';

const recipients: Readonly<Record<string, string>> = {
  'worker-1': 'age1je6kjhzuhdjy3fqptpttxjh5k8q46vygzlgtpuq3030c947pc5tqz9dqvr',
  'worker-2': 'age19j4d6v9j7rx5fs629fu387qz4zmlpsqjexa4s08tkfrrmfdl5cwqjlaupd',
};
const [first = '', second = ''] = Object.values(recipients);

const start = (workers: number) =>
  createMemoryCluster({
    workers,
    wiring: {
      agent: (deps, { name }) => {
        const recipient = recipients[name];
        return recipient === undefined ? deps : { ...deps, profile: { ...deps.profile, recipient } };
      },
    },
  });

describe('recipients of nodes', () => {
  let cluster: MemoryCluster;

  afterEach(async () => {
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('are on record: whoever encrypts for a node need not wait until it is there', async () => {
    cluster = await start(3);
    await cluster.clock.advance(10_000);
    const shown = () =>
      Object.fromEntries(cluster.reconciler.control.nodes().map(({ name, recipient }) => [name, recipient]));
    expect(shown()).toEqual({ ...recipients, 'worker-3': undefined });
    for (const node of cluster.nodes) node.kill();
    await cluster.restartReconciler();
    expect(shown()).toEqual({ ...recipients, 'worker-3': undefined });
  });
});

const nodeIn = (line = ''): string => line.split(' ')[0] ?? '';

describe('secrets', () => {
  let cluster: MemoryCluster;
  const { settled, outcome, instancesOf, holds } = tell(() => cluster);
  const shop = (secrets: readonly unknown[] = ['db'], more: object = {}) =>
    descriptor([{ microservice_name: 'web', secrets, ...more }]);
  const problems = () => cluster.reconciler.control.status().sources[0]?.problems ?? [];
  const ledgers = () =>
    cluster.nodes.flatMap(({ name, files }) => {
      const { jobs = [] } = JSON.parse(files.content.get('ledger-0') ?? '{}') as { jobs?: { secrets?: unknown[] }[] };
      return jobs.map((job) => ({ node: name, ...job }));
    });

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-40).join('\n'));
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('go to nodes that can read them, and to each only what is for it', async () => {
    cluster = await start(3);
    const text = await sealedFile('db', 'hunter2', [first, second]);
    await cluster.push({ 'shop.yaml': shop(['db'], { replicas: 4 }), 'secrets/db.yaml': text });
    await settled('web');
    expect(new Set(instancesOf('web').map(nodeIn))).toEqual(new Set(['worker-1', 'worker-2']));
    const armors = new Set(ledgers().map(({ node, secrets }) => `${node} ${JSON.stringify(secrets)}`));
    expect(armors.size).toBe(2);
    for (const { secrets } of ledgers()) expect(secrets).toEqual([expect.objectContaining({ name: 'db' })]);
    expect(
      ledgers()
        .map(({ secrets }) => JSON.stringify(secrets))
        .join(),
    ).not.toContain('age1');
  });

  it('hold a service that no node can read, with the way out, until somebody encrypts it for one', async () => {
    cluster = await start(3);
    await cluster.push({ 'shop.yaml': shop(), 'secrets/db.yaml': await sealedFile('db', 'x', [second]) });
    await settled('web');
    cluster.nodes[1]?.kill(true);
    await cluster.clock.advance(300_000);
    expect(holds()).toEqual(['NODES_AWAY']);
    const why = JSON.stringify(cluster.reconciler.control.holds());
    expect(why).toContain('2 nodes that cannot read db (worker-1, worker-3): oakctl secret rekey --commit');
    const before = cluster.reconciler.control.services()[0]?.digest;
    await cluster.push({ 'shop.yaml': shop(), 'secrets/db.yaml': await sealedFile('db', 'x', [first, second]) });
    await settled('web');
    expect(nodeIn(instancesOf('web')[0])).toBe('worker-1');
    expect(cluster.reconciler.control.services()[0]?.digest).toBe(before);
  });

  it('restart nothing when they are encrypted for others, and what uses them when their value changes', async () => {
    cluster = await start(2);
    await cluster.push({ 'shop.yaml': shop(), 'secrets/db.yaml': await sealedFile('db', 'one', [first]) });
    await settled('web');
    const before = cluster.handles();
    await cluster.push({ 'shop.yaml': shop(), 'secrets/db.yaml': await sealedFile('db', 'one', [first, second]) });
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
    await cluster.restartReconciler();
    await cluster.clock.advance(120_000);
    expect(cluster.handles()).toEqual(before);
    await cluster.push({ 'shop.yaml': shop(), 'secrets/db.yaml': await sealedFile('db', 'two', [first, second], 2) });
    await cluster.clock.advance(30_000);
    await settled('web');
    expect(cluster.handles()).not.toEqual(before);
  });

  it('restart nothing when oakctl encrypts the same values anew, for fewer and with another data key', async () => {
    cluster = await start(2);
    const seal = (value: string, version: string, recipients: readonly string[]) =>
      sealSecret(
        { name: 'db', file: 'secrets/db.yaml' },
        {
          values: [['db:', value]],
          beside: [],
          version,
          readers: { nodes: ['worker-1'], labels: [], others: [second] },
        },
        recipients,
        new Date(0),
      );
    await cluster.push({
      'shop.yaml': shop(),
      'secrets/db.yaml': await seal('one', '20261121200000', [first, second]),
    });
    await settled('web');
    const before = cluster.handles();
    expect(cluster.reconciler.control.services()[0]?.secrets).toEqual(['db']);
    await cluster.push({ 'shop.yaml': shop(), 'secrets/db.yaml': await seal('one', '20261121200000', [first]) });
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
    await cluster.push({ 'shop.yaml': shop(), 'secrets/db.yaml': await seal('two', '20261121200001', [first]) });
    await cluster.clock.advance(30_000);
    await settled('web');
    expect(cluster.handles()).not.toEqual(before);
  });

  it('that are files of nodes go where the file is, wait for it, and stay when it goes', async () => {
    const own = new Map<string, readonly string[]>([['worker-2', ['modem', 'other']]]);
    cluster = await createMemoryCluster({
      workers: 3,
      wiring: { agent: (deps, { name }) => ({ ...deps, ownSecrets: () => own.get(name) ?? [] }) },
    });
    await cluster.push({ 'shop.yaml': shop([{ name: 'modem', source: 'node' }], { replicas: 2 }) });
    await settled('web');
    expect(instancesOf('web').map(nodeIn)).toEqual(['worker-2', 'worker-2']);
    expect(cluster.reconciler.control.services()[0]).toMatchObject({ node_secrets: ['modem'] });
    expect(cluster.reconciler.control.services()[0]).not.toHaveProperty('secrets');
    expect(ledgers().every(({ secrets }) => secrets === undefined)).toBe(true);
    const before = cluster.handles();
    await cluster.push({ 'shop.yaml': shop([{ name: 'sim', source: 'node' }], { replicas: 2 }) });
    await cluster.clock.advance(60_000);
    expect(holds()).toEqual(['SECRET_NOT_FOR_NODE']);
    const why = JSON.stringify(cluster.reconciler.control.holds());
    expect(why).toContain(
      '3 nodes without the file sim (worker-1, worker-2, worker-3): its agent.yaml names the folder',
    );
    expect(cluster.handles()).toEqual(before);
    own.set('worker-3', ['sim']);
    await settled('web');
    expect(instancesOf('web').map(nodeIn)).toEqual(['worker-3', 'worker-3']);
    const after = cluster.handles();
    own.clear();
    await cluster.clock.advance(120_000);
    expect(cluster.handles()).toEqual(after);
    expect(outcome('web')).toBe('settled');
  });

  it('that are gone, damaged, or of another name leave the last good version', async () => {
    cluster = await start(1);
    const good = await sealedFile('db', 'one', [first]);
    await cluster.push({ 'shop.yaml': shop(), 'secrets/db.yaml': good });
    await settled('web');
    const before = cluster.handles();
    const other = await sealedFile('other', 'one', [first]);
    for (const [files, message] of [
      [{}, /there is no secret db/],
      [{ 'secrets/db.yaml': other }, /secrets\/db.yaml:1: its values stand below `other`/],
      [{ 'secrets/db.yaml': 'db: plain\n' }, /secrets\/db.yaml:\d+: the file is not encrypted/],
    ] as const) {
      await cluster.push({ 'shop.yaml': shop(), ...files });
      expect(problems()).toMatchObject([
        {
          code: 'SECRET_INVALID',
          file: 'shop.yaml',
          line: expect.any(Number),
          message: expect.stringMatching(message),
        },
      ]);
      await cluster.clock.advance(60_000);
      expect(cluster.handles()).toEqual(before);
    }
    await cluster.restartReconciler();
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
    expect(outcome('web')).toBe('settled');
    await cluster.push({ 'shop.yaml': shop(), 'secrets/db.yaml': good });
    expect(problems()).toEqual([]);
  });

  it('go back with the version that was good, also to another node', async () => {
    cluster = await start(2);
    await cluster.push({ 'shop.yaml': shop(), 'secrets/db.yaml': await sealedFile('db', 'one', [first, second]) });
    await settled('web');
    const digest = cluster.reconciler.control.services()[0]?.digest;
    const undo = cluster.nodes.map(({ runtime }) => runtime.script('start', 'web', { fail: 'START_FAILED' }));
    await cluster.push({ 'shop.yaml': shop(), 'secrets/db.yaml': await sealedFile('db', 'bad', [first, second], 2) });
    await cluster.clock.advance(400_000);
    for (const one of undo) one();
    await cluster.clock.advance(60_000);
    expect(outcome('web')).toBe('rolled_back');
    const node = cluster.nodes.find(({ name }) => name === nodeIn(instancesOf('web')[0]));
    node?.kill(true);
    await cluster.clock.advance(300_000);
    const views = cluster.reconciler.control.instances();
    expect(views.filter(({ status }) => status === 'running')).toMatchObject([{ digest }]);
    expect(nodeIn(instancesOf('web')[0])).not.toBe(node?.name);
  });

  it('go back with the version that was good, also past others that were not, and to one that has no name for it', async () => {
    cluster = await start(2);
    const file = (value: string, version: number) => sealedFile('db', value, [first, second], version);
    await cluster.push({ 'shop.yaml': shop(), 'secrets/db.yaml': await file('one', 1) });
    await settled('web');
    const digest = cluster.reconciler.control.services()[0]?.digest;
    const undo = cluster.nodes.map(({ runtime }) => runtime.script('start', 'web', { fail: 'START_FAILED' }));
    await cluster.push({ 'shop.yaml': shop(), 'secrets/db.yaml': await file('bad', 2) });
    await cluster.clock.advance(400_000);
    await cluster.push({ 'shop.yaml': shop(), 'secrets/db.yaml': await file('worse', 3) });
    await cluster.clock.advance(400_000);
    await cluster.push({ 'shop.yaml': shop([]), 'secrets/db.yaml': await file('worse', 3) });
    await cluster.clock.advance(400_000);
    for (const one of undo) one();
    expect(outcome('web')).toBe('rolled_back');
    cluster.nodes.find(({ name }) => name === nodeIn(instancesOf('web')[0]))?.kill(true);
    await cluster.clock.advance(300_000);
    const views = cluster.reconciler.control.instances();
    expect(views.filter(({ status }) => status === 'running')).toMatchObject([{ digest }]);
  });

  it('are known by name in a direct deployment, which brings them along', async () => {
    cluster = await start(1);
    const { control } = cluster.reconciler;
    await expect(control.deploy({ documents: [{ file: 'a.yaml', text: shop() }] })).rejects.toThrow(/no secret db/);
    const files = { 'secret:db': await sealedFile('db', 'one', [first]) };
    await control.deploy({ documents: [{ file: 'a.yaml', text: shop(), files }] });
    await settled('web');
    await cluster.restartReconciler();
    await cluster.clock.advance(60_000);
    expect(outcome('web')).toBe('settled');
  });
});
