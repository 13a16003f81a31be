import { afterEach, describe, expect, it } from 'vitest';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { topic } from '../../schemas/topics.ts';
import { createMemoryCluster, descriptor, type MemoryCluster, type Wiring } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

const one = (name: string, more: object = {}): string => descriptor([{ microservice_name: name, ...more }]);

/** Processes that end at any moment, records that were lost or are old, nodes that come back: nothing restarts without a cause. */
describe('after a crash', () => {
  let cluster: MemoryCluster;
  let fatal = 0;
  const { service, outcome, settled, instancesOf, holds, count, node } = tell(() => cluster);
  const deploy = (...documents: string[]) =>
    cluster.reconciler.control.deploy({ documents: documents.map((text) => ({ file: 'a.yaml', text })) });
  const expectUnchanged = (before: ReadonlyMap<string, string>): void => {
    for (const [copy, handle] of before) expect(cluster.handles().get(copy), copy).toBe(handle);
  };

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-40).join('\n'));
    expect(cluster.fatal).toHaveLength(fatal);
    fatal = 0;
    cluster.disk.onSave = () => undefined;
    cluster.disk.full = false;
    await cluster.close();
  });

  it('a node that beats, and whose report was lost, has its ledger read before anything of it is taken for missing', async () => {
    cluster = await createMemoryCluster({ workers: 3 });
    await deploy(one('web', { replicas: 3 }));
    await settled('web');
    const before = cluster.handles();
    const { retained } = cluster.broker;
    const row = topic(cluster.nodes[0]?.id ?? '', 'instances');
    await cluster.restartReconciler({ between: async () => void retained.delete(row) });
    await settled('web');
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
    expect(cluster.log.filter((line) => line.includes('instance_started'))).toHaveLength(3);
  });

  it.each(['direct', 'git'])(
    'a node that lost its ledger keeps the copies that %s explains, and no others',
    async (how) => {
      cluster = await createMemoryCluster({ workers: 2 });
      const gone = (copies: number) =>
        cluster.clock.until(() => instancesOf('gone', 'old').length === copies, 60_000, `${copies} copies of gone`);
      const both = {
        'web.yaml': one('web', { replicas: 2 }),
        'gone.yaml': descriptor([{ microservice_name: 'gone' }], 'old'),
      };
      if (how === 'git') await cluster.push(both);
      else await deploy(...Object.values(both));
      await settled('web');
      await gone(1);
      const before = new Map([...cluster.handles()].filter(([copy]) => copy.includes('web')));
      cluster.killReconciler();
      for (const machine of cluster.nodes) {
        machine.kill();
        machine.files.content.clear();
      }
      cluster.broker.restart(10);
      for (const machine of cluster.nodes) await machine.start();
      await cluster.startReconciler();
      if (how === 'git') await cluster.push({ 'web.yaml': both['web.yaml'] });
      else await cluster.reconciler.control.remove({ services: [service('gone', 'old')] }, 'ann');
      await settled('web');
      await gone(0);
      await cluster.clock.advance(60_000);
      expect(cluster.handles()).toEqual(before);
      expect(cluster.log.filter((line) => line.includes('instance_started'))).toHaveLength(3);
    },
  );

  it('at any write, what was acknowledged holds and what was not is done whole or not at all', async () => {
    cluster = await createMemoryCluster({});
    await deploy(one('base', { replicas: 2 }));
    await settled('base');
    const base = cluster.handles();
    for (const moment of ['before', 'after'] as const) {
      for (let nth = 1; nth <= 4; nth += 1) {
        const name = `web-${moment}-${nth}`;
        const at = cluster.disk.saves + nth;
        cluster.disk.onSave = (number, when) => {
          if (number === at && when === moment) cluster.killReconciler();
        };
        const deployed = { acknowledged: false };
        void deploy(one(name)).then(() => (deployed.acknowledged = true));
        await cluster.clock.advance(12_000);
        cluster.disk.onSave = () => undefined;
        const told = deployed.acknowledged;
        await cluster.restartReconciler();
        await cluster.clock.advance(30_000);
        const isThere = instancesOf(name).length === 1 && outcome(name) === 'settled';
        const isAbsent = instancesOf(name).length === 0 && outcome(name) === undefined;
        expect(told ? isThere : isThere || isAbsent, name).toBe(true);
        expectUnchanged(base);
        if (!isThere) continue;

        const deleteAt = cluster.disk.saves + nth;
        cluster.disk.onSave = (number, when) => {
          if (number === deleteAt && when === moment) cluster.killReconciler();
        };
        const deleted = { acknowledged: false };
        void cluster.reconciler.control
          .remove({ services: [service(name)] }, 'test')
          .then(() => (deleted.acknowledged = true));
        await cluster.clock.advance(3_000);
        cluster.disk.onSave = () => undefined;
        const gone = deleted.acknowledged;
        await cluster.restartReconciler();
        await cluster.clock.advance(30_000);
        if (gone) expect(instancesOf(name)).toEqual([]);
        expect(outcome(name) === 'settled').toBe(instancesOf(name).length === 1);
        expectUnchanged(base);
      }
    }
    expect(holds()).toEqual([]);
  });

  it('between the steps of an update it goes on, and restarts nothing that was updated', async () => {
    cluster = await createMemoryCluster({});
    const files = (code: string) => ({
      'web.yaml': one('web', { replicas: 3, code, port: '8080:80', update: { settle: '1s' } }),
      'other.yaml': one('other', { replicas: 2 }),
    });
    await cluster.push(files('oakctl/test:1'));
    await settled('web', 'other');
    for (let wait = 100; wait <= 1_500; wait += 350) {
      const others = new Map([...cluster.handles()].filter(([copy]) => copy.includes('.other.')));
      await cluster.push(files(`oakctl/test:${wait}`));
      await cluster.clock.advance(wait);
      await cluster.restartReconciler();
      await settled('web', 'other');
      expect(instancesOf('web')).toHaveLength(3);
      expect(cluster.running()).toHaveLength(5);
      expectUnchanged(others);
    }
  });

  it('with a full disk nothing is promised, and nothing refused comes true later', async () => {
    cluster = await createMemoryCluster({});
    await deploy(one('web'));
    await settled('web');
    const before = cluster.handles();
    cluster.disk.full = true;
    await expect(deploy(one('api'))).rejects.toThrow(/no space/);
    await expect(cluster.reconciler.control.remove({ services: [service('web')] }, 'test')).rejects.toThrow(/no space/);
    const { token } = await cluster.reconciler.control.createToken({}).catch(() => ({ token: '' }));
    expect(token).toBe('');
    await cluster.push({ 'git.yaml': one('git') }).catch(() => undefined);
    expect(instancesOf('git')).toEqual([]);
    cluster.disk.full = false;
    await cluster.clock.advance(120_000);
    expect(instancesOf('git')).toHaveLength(1);
    expect(instancesOf('api')).toEqual([]);
    expect(outcome('api')).toBeUndefined();
    expectUnchanged(before);
    await cluster.restartReconciler();
    await cluster.clock.advance(30_000);
    expect(outcome('api')).toBeUndefined();
    expect(outcome('web')).toBe('settled');
    expectUnchanged(before);
  });

  it.each(['is back', 'is away'])(
    'what was decided while the disk was full is decided anew: a lost node %s by then',
    async (fate) => {
      cluster = await createMemoryCluster({});
      await deploy(one('web', { on_disconnect: { replace_after: '20s' } }));
      await settled('web');
      const [before, home] = [
        cluster.handles(),
        cluster.nodes.find(({ name }) => instancesOf('web')[0]?.startsWith(name)),
      ];
      const id = home?.id ?? '';
      const begun = () =>
        cluster.nodes.flatMap(({ runtime }) => runtime.calls.filter((call) => call.startsWith('start ')));
      cluster.disk.full = true;
      cluster.broker.cut(id);
      await cluster.clock.advance(120_000);
      expect(begun()).toHaveLength(1);
      if (fate === 'is back') cluster.broker.heal(id);
      await cluster.clock.advance(30_000);
      cluster.disk.full = false;
      await cluster.clock.advance(60_000);
      expect(outcome('web')).toBe('settled');
      expect(begun()).toHaveLength(fate === 'is back' ? 1 : 2);
      expect(cluster.records.homes[`${service('web')}.instance.0`] === id).toBe(fate === 'is back');
      if (fate === 'is back') expectUnchanged(before);
    },
  );

  it('a delete covers copies that the planner begins while it is written', async () => {
    cluster = await createMemoryCluster({});
    await deploy(one('web', { replicas: 2 }));
    await settled('web');
    const victim = cluster.nodes.find((each) => instancesOf('web')[0]?.startsWith(each.name));
    // An instance is lost; its replacement is due while the delete is on its way to the disk.
    let removing: Promise<unknown> | undefined;
    cluster.disk.onSave = (_number, when) => {
      if (when !== 'before' || removing === undefined) return;
      cluster.disk.onSave = () => undefined;
      const spec = one('web', { replicas: 5 });
      void deploy(spec).catch(() => undefined);
    };
    removing = cluster.reconciler.control.remove({ services: [service('web')] }, 'test');
    await cluster.clock.advance(100);
    await removing;
    victim?.kill(true);
    await cluster.clock.advance(60_000);
    const wanted = cluster.records.direct[service('web')]?.slots.length ?? 0;
    expect(instancesOf('web')).toHaveLength(wanted);
    expect(holds().filter((code) => code === 'ORPHANED')).toEqual([]);
  });

  it('a tombstone outlives restarts and meets copies that return much later', async () => {
    cluster = await createMemoryCluster({});
    await deploy(one('web', { replicas: 3 }));
    await settled('web');
    node(2).kill();
    await cluster.clock.advance(30_000);
    await cluster.reconciler.control.remove({ services: [service('web')] }, 'test');
    await count('web', 1);
    for (let i = 0; i < 3; i += 1) {
      await cluster.restartReconciler();
      await cluster.clock.advance(3_600_000);
    }
    expect(instancesOf('web')).toHaveLength(1);
    await node(2).start();
    await count('web', 0, 30_000);
    expect(holds()).toEqual([]);
  });

  it('a node with a damaged ledger keeps its copies and is told nothing', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'web.yaml': one('web', { replicas: 3 }) });
    await settled('web');
    const before = cluster.handles();
    cluster.killReconciler();
    node(1).kill();
    node(1).files.content.set('ledger-0', '{"v":1,"fence":');
    cluster.broker.restart(10);
    await node(1).start();
    const told = cluster.broker.log.length;
    await cluster.startReconciler();
    await cluster.clock.advance(120_000);
    expect(cluster.reconciler.control.status().phase).toBe('running');
    expect(cluster.handles()).toEqual(before);
    expect(holds()).toContain('LEDGER_UNREAD');
    const since = cluster.broker.log.slice(told).map((entry) => entry.topic);
    expect(since).not.toContain(topic(node(1).id, 'assignment'));
    expect(since).not.toContain(topic(node(1).id, 'controls'));
    expect(since.filter((text) => text === topic(node(1).id, 'requests')).length).toBeLessThan(12);
  });

  it('a stale retained report of an empty node is not believed', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    // What the broker keeps of the node is from before it got its copies.
    const row = topic(node(0).id, 'instances');
    const empty = cluster.broker.retained.get(row) ?? '';
    await cluster.push({ 'web.yaml': one('web', { replicas: 2 }) });
    await settled('web');
    const before = cluster.handles();
    expect(before.size).toBe(2);
    cluster.killReconciler();
    cluster.broker.cut(node(0).id);
    await cluster.clock.advance(100);
    cluster.broker.retained.set(row, empty);
    await cluster.startReconciler();
    await cluster.clock.advance(5_000);
    cluster.broker.heal(node(0).id);
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
    expect(outcome('web')).toBe('settled');
  });

  it('older records: the epoch rises above all that agents have, and nothing restarts', async () => {
    cluster = await createMemoryCluster({});
    const backup = structuredClone(cluster.records);
    await cluster.push({ 'web.yaml': one('web', { replicas: 3 }) });
    await settled('web');
    for (let i = 0; i < 4; i += 1) await cluster.restartReconciler();
    await deploy(descriptor([{ microservice_name: 'side', replicas: 3 }], 'side'));
    await cluster.clock.until(() => cluster.running().length === 6, 60_000, 'six copies');
    const before = cluster.handles();
    await cluster.restartReconciler({
      between: async () => {
        cluster.records = backup;
        cluster.state.content.clear();
      },
    });
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
    expect(cluster.reconciler.control.status().epoch).toBeGreaterThan(5);
    expect(outcome('web')).toBe('settled');
    // Nobody knows of the direct deployment any more: kept, shown, and adopted by the same descriptor.
    expect(outcome('side', 'side')).toBe('orphaned');
    await deploy(descriptor([{ microservice_name: 'side', replicas: 3 }], 'side'));
    await cluster.clock.until(() => outcome('side', 'side') === 'settled', 60_000, 'adopted');
    expect(cluster.handles()).toEqual(before);
    await cluster.push({ 'web.yaml': one('web', { replicas: 4 }) });
    await settled('web');
    expectUnchanged(before);
  });

  it('lost records of deployments: orphans with any slots are adopted as they are', async () => {
    cluster = await createMemoryCluster({});
    await deploy(one('web', { replicas: 4 }));
    await settled('web');
    const before = cluster.handles();
    await cluster.restartReconciler({
      between: async () => {
        const { nodes, nextOrdinal, tokens, epoch } = cluster.records;
        cluster.records = {
          ...cluster.records,
          ...{ nodes, nextOrdinal, tokens, epoch, direct: {}, rollouts: {}, sources: {} },
        };
      },
    });
    await cluster.clock.advance(120_000);
    expect(cluster.handles()).toEqual(before);
    expect(holds()).toEqual(['ORPHANED']);
    await deploy(one('web', { replicas: 4 }));
    await settled('web');
    expect(cluster.handles()).toEqual(before);
    expect(holds()).toEqual([]);
  });

  it('an orphan that nobody wants goes by delete', async () => {
    cluster = await createMemoryCluster({});
    await deploy(one('web', { replicas: 2 }));
    await settled('web');
    await cluster.restartReconciler({
      between: async () => {
        cluster.records = { ...cluster.records, direct: {}, rollouts: {} };
      },
    });
    await cluster.clock.advance(30_000);
    expect(outcome('web')).toBe('orphaned');
    await cluster.reconciler.control.remove({ services: [service('web')] }, 'test');
    await count('web', 0);
  });

  it('a rival: one of the two ends, and no copy with it', async () => {
    cluster = await createMemoryCluster({});
    await deploy(one('web', { replicas: 3 }));
    await settled('web');
    const before = cluster.handles();
    const rival = await cluster.startRival({ ...structuredClone(cluster.records), epoch: cluster.records.epoch + 10 });
    await cluster.clock.advance(60_000);
    expect(cluster.fatal.length + rival.fatal.length).toBeGreaterThan(0);
    expect([...cluster.fatal, ...rival.fatal].join()).toContain('RIVAL_RECONCILER');
    expect(cluster.handles()).toEqual(before);
    fatal = cluster.fatal.length;
    if (rival.fatal.length === 0) await rival.reconciler.stop();
  });

  it('an epoch that was raised for a rival is on disk before anybody hears of it', async () => {
    cluster = await createMemoryCluster({});
    await deploy(one('web', { replicas: 3 }));
    await settled('web');
    const records = { ...structuredClone(cluster.records), epoch: cluster.records.epoch + 10 };
    cluster.disk.full = true;
    const rival = await cluster.startRival(records);
    await cluster.clock.advance(20_000);
    const epochs = (): number[] =>
      cluster.broker.log
        .filter(({ from, topic }) => from === 'reconciler' && topic.includes('/assignment/'))
        .map(({ payload }) => JSON.parse(payload).epoch);
    expect(Math.max(...epochs())).toBeLessThanOrEqual(cluster.records.epoch);
    expect(cluster.fatal).toEqual([]);
    cluster.disk.full = false;
    await cluster.clock.until(() => cluster.fatal.length + rival.fatal.length > 0, 60_000, 'the end of one of them');
    expect(Math.max(...epochs())).toBeGreaterThan(records.epoch);
    fatal = cluster.fatal.length;
    if (rival.fatal.length === 0) await rival.reconciler.stop();
  });

  it('a revoked node stays out, also over restarts, and leaves no row behind', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'web.yaml': one('web', { replicas: 3 }) });
    await settled('web');
    const out = node(0);
    // Of parts that it has not, but may write.
    for (const part of [1, 63]) cluster.broker.retained.set(topic(out.id, 'instances', part), '{}');
    await cluster.reconciler.control.revoke(out.name);
    await cluster.clock.until(
      () => instancesOf('web').filter((line) => !line.startsWith(out.name)).length === 3,
      60_000,
      'replaced',
    );
    const rowsOf = () => [...cluster.broker.retained.keys()].filter((key) => key.includes(out.id));
    expect(rowsOf()).toEqual([]);
    // A will that the broker sends late.
    cluster.broker.retained.set(topic(out.id, 'online'), '{"v":1,"online":false,"boot":"b","session":"s"}');
    await cluster.restartReconciler();
    out.kill();
    await out.start();
    await cluster.clock.advance(60_000);
    expect(rowsOf()).toEqual([]);
    expect(cluster.reconciler.control.nodes().find((each) => each.name === out.name)?.state).toBe('revoked');
    expect(instancesOf('web').filter((line) => !line.startsWith(out.name))).toHaveLength(3);
    await expect(cluster.reconciler.control.revoke(out.name)).rejects.toThrow(/no node/);
  });

  it('revoking the node that recovery waits for ends the wait', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'web.yaml': one('web', { replicas: 3 }) });
    await settled('web');
    cluster.killReconciler();
    node(0).kill(true);
    await cluster.startReconciler();
    await cluster.clock.advance(1_000);
    expect(cluster.reconciler.control.status().phase).toBe('recovering');
    await cluster.reconciler.control.revoke(node(0).name);
    await cluster.clock.advance(100);
    expect(cluster.reconciler.control.status().phase).toBe('running');
  });

  it('a broker that is away at the start makes nobody lost, and is waited for', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'web.yaml': one('web', { replicas: 6 }) });
    await settled('web');
    const before = cluster.handles();
    cluster.killReconciler();
    const { admits } = cluster.broker;
    cluster.broker.admits = () => false;
    cluster.broker.restart(10);
    await cluster.startReconciler();
    await cluster.clock.advance(300_000);
    expect(cluster.reconciler.control.status().phase).toBe('recovering');
    cluster.broker.admits = admits;
    cluster.broker.restart(10);
    await cluster.clock.until(
      () => cluster.reconciler.control.status().phase === 'running',
      30_000,
      'recovered once it hears',
    );
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
  });

  it('a long outage of the link to the broker makes nobody lost, nor does a restart during it', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    await cluster.push({ 'web.yaml': one('web', { replicas: 4 }) });
    await settled('web');
    const before = cluster.handles();
    cluster.broker.cut('reconciler');
    await cluster.clock.advance(300_000);
    expect(cluster.reconciler.control.nodes().filter((each) => each.state === 'lost')).toEqual([]);
    expect(JSON.parse(cluster.state.content.get('lost-nodes.json') ?? '[]')).toEqual([]);
    cluster.broker.heal('reconciler');
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
    expect(outcome('web')).toBe('settled');
  });

  it('a node whose disk was full when its ledger was read is read again, and keeps what it began since', async () => {
    let isFull = false;
    const wiring: Wiring = {
      agent: (deps) => ({
        ...deps,
        files: {
          ...deps.files,
          async write(name, text) {
            if (isFull) throw new ProblemError(problem('FILE_UNWRITABLE', 'no space left', { disposition: 'retry' }));
            await deps.files.write(name, text);
          },
        },
      }),
    };
    cluster = await createMemoryCluster({ workers: 2, wiring });
    await deploy(one('web', { replicas: 2 }));
    await settled('web');
    isFull = true;
    await deploy(one('api', { replicas: 2 }));
    await cluster.clock.advance(10_000);
    // One that does not come keeps the window open.
    node(1).kill();
    cluster.killReconciler();
    await cluster.startReconciler();
    await cluster.clock.advance(2_000);
    expect(instancesOf('api')).toEqual([]);
    isFull = false;
    await cluster.clock.until(() => instancesOf('api').length === 1, 10_000, 'what it was told before is on its disk');
    expect(cluster.reconciler.control.status().phase).toBe('recovering');
    const before = new Map([...cluster.handles()].filter(([copy]) => copy.startsWith(service('api'))));
    expect(before.size).toBe(1);
    await cluster.clock.until(() => cluster.reconciler.control.status().phase === 'running', 60_000, 'recovered');
    await node(1).start();
    await settled('api');
    expectUnchanged(before);
  });

  it('a node that came back before the link to the broker did is known a moment after that', async () => {
    cluster = await createMemoryCluster({ workers: 3 });
    await cluster.push({ 'web.yaml': one('web', { replicas: 3 }) });
    await settled('web');
    cluster.broker.cut(node(0).id);
    await cluster.clock.until(() => cluster.running().length === 4, 120_000, 'replaced');
    await settled('web');
    cluster.broker.cut('reconciler');
    await cluster.clock.advance(1_000);
    cluster.broker.heal(node(0).id);
    await cluster.clock.advance(15_000);
    cluster.broker.heal('reconciler');
    await cluster.clock.until(() => cluster.running().length === 3, 10_000, 'the surplus is gone');
  });

  it('a node that was lost and came back is waited for after the next restart', async () => {
    cluster = await createMemoryCluster({});
    node(0).kill();
    await cluster.clock.advance(40_000);
    expect(JSON.parse(cluster.state.content.get('lost-nodes.json') ?? '')).toEqual([node(0).id]);
    await cluster.restartReconciler();
    await node(0).start();
    await cluster.clock.advance(40_000);
    expect(JSON.parse(cluster.state.content.get('lost-nodes.json') ?? '')).toEqual([]);
  });

  it('messages that are lost, doubled and late change nothing about the end', async () => {
    cluster = await createMemoryCluster({ seed: 7 });
    let random = 12345;
    const next = (): number => {
      random = (Math.imul(random, 1103515245) + 12345) >>> 0;
      return random / 2 ** 32;
    };
    cluster.broker.fate = () => {
      const throwOf = next();
      if (throwOf < 0.2) return [];
      if (throwOf < 0.4) return [1 + next() * 400, 1 + next() * 400];
      return [1 + next() * 100];
    };
    cluster.git.push({ 'web.yaml': one('web', { replicas: 5 }), 'api.yaml': one('api', { replicas: 2 }) });
    await cluster.clock.advance(120_000);
    cluster.git.push({ 'web.yaml': one('web', { replicas: 3, code: 'oakctl/test:2' }), 'api.yaml': one('api') });
    await cluster.clock.advance(180_000);
    cluster.broker.fate = () => [1];
    await settled('web', 'api');
    await cluster.clock.advance(60_000);
    expect(instancesOf('web')).toHaveLength(3);
    expect(instancesOf('api')).toHaveLength(1);
    const quiet = cluster.handles();
    await cluster.clock.advance(120_000);
    expect(cluster.handles()).toEqual(quiet);
  });

  it('of most nodes while the reconciler was away replaces nothing until one more is heard', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'web.yaml': one('web', { replicas: 3 }) });
    await settled('web');
    cluster.killReconciler();
    node(1).kill(true);
    node(2).kill(true);
    await cluster.restartReconciler();
    await cluster.clock.advance(60_000);
    expect(instancesOf('web')).toHaveLength(1);
    expect(holds()).toContain('MASS_LOSS');
    await node(1).start();
    await settled('web');
    expect(instancesOf('web')).toHaveLength(3);
  });
});
