import { afterEach, describe, expect, it } from 'vitest';
import type { Source } from '../../reconciler/context.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

const one = (name: string, more: object = {}, app = 'shop'): string =>
  descriptor([{ microservice_name: name, ...more }], app);
const files = (...names: string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [`${name}.yaml`, one(name)]));

/** What sources say, and who has which name: nothing runs or ends by accident. */
describe('sources', () => {
  let cluster: MemoryCluster;
  const { service, outcome, settled, instancesOf, holds, count, node } = tell(() => cluster);
  const deploy = (...documents: string[]) =>
    cluster.reconciler.control.deploy({ documents: documents.map((text) => ({ file: 'a.yaml', text })) });
  const holdOf = (code: string) => cluster.reconciler.control.holds().find((hold) => hold.code === code);

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-40).join('\n'));
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('are in force again after a restart while the remote hangs', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push(files('web', 'api'));
    await settled('web', 'api');
    const before = cluster.handles();
    cluster.git.hanging = true;
    cluster.killReconciler();
    await cluster.startReconciler();
    await cluster.clock.until(() => outcome('web') === 'settled', 20_000, 'web known again');
    expect(cluster.reconciler.control.vitals()).toEqual({ vital: [], working: [] });
    await cluster.clock.advance(300_000);
    expect(cluster.handles()).toEqual(before);
    expect(cluster.reconciler.control.status().sources[0]?.state).toBe('unreachable');
    cluster.git.hanging = false;
    await cluster.push(files('web', 'api', 'db'));
    await settled('db');
  });

  it('that cannot be read at all after a restart without state/ remove nothing', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push(files('web', 'api'));
    await settled('web', 'api');
    const before = cluster.handles();
    cluster.git.unreachable = true;
    cluster.killReconciler();
    cluster.state.content.clear();
    cluster.git.wipeMirror();
    await cluster.startReconciler();
    await cluster.clock.advance(200_000);
    expect(cluster.handles()).toEqual(before);
    expect(holds()).toContain('ORPHANED');
    await expect(deploy(one('web'))).rejects.toThrow(/git owns it/);
    cluster.git.unreachable = false;
    await cluster.clock.advance(120_000);
    expect(cluster.handles()).toEqual(before);
    expect(outcome('web')).toBe('settled');
  });

  it('ask a quiet remote once per poll, with jitter, and back off from one that fails', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    await cluster.push(files('web'));
    await settled('web');
    await cluster.clock.advance(100_000);
    const quiet = cluster.git.requests;
    await cluster.clock.advance(600_000);
    expect(cluster.git.requests - quiet).toBeGreaterThanOrEqual(8);
    expect(cluster.git.requests - quiet).toBeLessThanOrEqual(13);
    cluster.git.unreachable = true;
    const failing = cluster.git.requests;
    await cluster.clock.advance(600_000);
    expect(cluster.git.requests - failing).toBeGreaterThanOrEqual(10);
    expect(cluster.git.requests - failing).toBeLessThanOrEqual(18);
  });

  it('that move, rename, merge or split files remove, change and restart nothing; what left is counted alone', async () => {
    cluster = await createMemoryCluster({});
    const names = ['a', 'b', 'c', 'd', 'e'];
    await cluster.push(files(...names));
    await settled(...names);
    await cluster.reconciler.control.scale(service('a'), 2, { actor: 'ann', for: 3_600_000 });
    await count('a', 2);
    const before = cluster.handles();
    const together = descriptor(['c', 'd', 'e'].map((name) => ({ microservice_name: name })));
    const layouts: readonly Record<string, string>[] = [
      Object.fromEntries(names.map((name) => [`deep/er/${name}-2.yaml`, one(name)])),
      { 'deep/er/a-2.yaml': one('a'), 'b.yaml': one('b'), 'rest.yaml': together },
      // Each file has the name that another one had.
      { 'b.yaml': one('a'), 'deep/er/a-2.yaml': one('b'), 'more.yaml': together },
    ];
    for (const layout of layouts) {
      await cluster.push(layout);
      await cluster.clock.advance(30_000);
      expect(holds()).toEqual([]);
      expect(cluster.handles()).toEqual(before);
      expect(cluster.reconciler.control.overrides()).toHaveLength(1);
      expect(cluster.reconciler.control.history()[0]?.changes).toEqual({ added: 0, changed: 0, removed: 0 });
    }
    await cluster.restartReconciler();
    await cluster.push({ 'moved/b.yaml': one('b'), 'moved/a.yaml': one('a') });
    expect(holdOf('REMOVAL_GUARD')?.message).toContain('removes 3 of 5 services');
    expect(cluster.handles()).toEqual(before);
    await cluster.push({ 'last/a.yaml': one('a'), 'last/b.yaml': one('b'), 'last/c.yaml': one('c') });
    await cluster.clock.until(() => cluster.running().length === 4, 60_000, 'd and e removed, and nothing else');
    expect(holds()).toEqual(['REMOVED_BY_GIT']);
    expect([...cluster.handles()].every(([copy, handle]) => before.get(copy) === handle)).toBe(true);
  });

  describe('whose commits are to be signed', () => {
    const state = () => cluster.reconciler.control.status().sources[0];
    const push = (names: readonly string[], isForeign = false): string => {
      const commit = cluster.git.push(files(...names), undefined, 'c');
      if (isForeign) cluster.git.foreign.add(commit);
      return commit;
    };
    const seen = (commit: string) => cluster.clock.until(() => state()?.head === commit, 120_000, 'it is seen');

    it('take no head of strangers, not the first one either, until somebody approves just that one', async () => {
      cluster = await createMemoryCluster({ signed: 'head' });
      const first = push(['web'], true);
      await cluster.clock.until(() => holds().includes('COMMIT_UNSIGNED'), 120_000, 'it waits');
      expect(cluster.running()).toEqual([]);
      await cluster.reconciler.control.approve(first, 'ann');
      await settled('web');
      expect(holds()).toEqual([]);
      const good = push(['web', 'api']);
      await settled('api');
      const bad = push(['web', 'api', 'evil'], true);
      await seen(bad);
      await cluster.restartReconciler();
      await cluster.clock.advance(120_000);
      expect(state()).toMatchObject({ state: 'behind', accepted: good, head: bad });
      expect(outcome('evil')).toBeUndefined();
      // Who signs what goes on from there answers for it.
      push(['web', 'api', 'evil', 'db']);
      await settled('db');
    });

    it('all of them: what a signed head brings along waits, too', async () => {
      cluster = await createMemoryCluster({ signed: 'all' });
      const good = push(['web']);
      await settled('web');
      push(['web', 'evil'], true);
      const head = push(['web', 'evil', 'more']);
      await seen(head);
      await cluster.clock.advance(120_000);
      expect(state()).toMatchObject({ state: 'behind', accepted: good, head });
      await cluster.reconciler.control.approve(head, 'ann');
      await settled('more');
    });

    it('an approval of a rewritten history lets no unsigned commit in behind it', async () => {
      cluster = await createMemoryCluster({ signed: 'head' });
      push(['web']);
      await settled('web');
      const forced = cluster.git.push(files('web', 'api'), null, 'c');
      await seen(forced);
      expect(holdOf('HISTORY_REWRITTEN')?.commit).toBe(forced);
      cluster.git.unreachable = true;
      await cluster.reconciler.control.approve(forced, 'ann').catch(() => undefined);
      cluster.git.unreachable = false;
      const evil = push(['web', 'evil'], true);
      await cluster.clock.advance(180_000);
      expect(outcome('evil')).toBeUndefined();
      expect(state()?.accepted).not.toBe(evil);
    });
  });

  describe('that are strict', () => {
    const broken = { ...files('web'), 'api.yaml': 'sla_version: v2.0\napplications: nonsense\n' };
    const state = () => cluster.reconciler.control.status().sources[0];

    it('carry a commit out whole or not at all, over a restart, and take the one that mends it', async () => {
      cluster = await createMemoryCluster({ strict: true });
      await cluster.push(broken);
      expect(holdOf('SOURCE_STRICT')?.message).toContain('api.yaml cannot be read');
      expect(cluster.running()).toEqual([]);
      await cluster.push(files('web', 'api'));
      await settled('web', 'api');
      expect(holds()).toEqual([]);
      const before = cluster.handles();
      const good = state()?.accepted;
      await cluster.push({ ...broken, 'db.yaml': one('db'), 'web.yaml': one('web', { code: 'oakctl/test:2' }) });
      await cluster.clock.advance(300_000);
      expect(state()).toMatchObject({ accepted: good, state: 'invalid' });
      await cluster.restartReconciler();
      await cluster.clock.advance(120_000);
      expect(cluster.handles()).toEqual(before);
      expect(holdOf('SOURCE_STRICT')).toBeDefined();
      expect(outcome('db')).toBeUndefined();
      await cluster.push(files('web', 'api', 'db'));
      await settled('web', 'api', 'db');
      expect(holds()).toEqual([]);
    });

    it('wait as a whole for the approval of a part', async () => {
      cluster = await createMemoryCluster({ strict: true });
      await cluster.push(files('a', 'b', 'c', 'd', 'e'));
      await settled('a', 'b', 'c', 'd', 'e');
      await cluster.push(files('a', 'new'));
      const id = holdOf('REMOVAL_GUARD')?.id ?? '';
      await cluster.clock.advance(120_000);
      expect(state()?.state).toBe('behind');
      expect(outcome('new')).toBeUndefined();
      expect(cluster.running()).toHaveLength(5);
      await cluster.reconciler.control.approve(id, 'test');
      await settled('a', 'new');
      await cluster.clock.until(() => cluster.running().length === 2, 120_000, 'the others removed');
      expect(holds()).toEqual(['REMOVED_BY_GIT']);
      expect(cluster.records.approvals).toEqual([]);
    });

    it('go on at once when the name is free that one of their services claims', async () => {
      cluster = await createMemoryCluster({ strict: true });
      await deploy(one('web', { replicas: 2 }));
      await settled('web');
      await cluster.push(files('web', 'api'));
      expect(holdOf('SOURCE_CONFLICT')?.subject).toBe(service('web'));
      expect(outcome('api')).toBeUndefined();
      await cluster.reconciler.control.remove({ services: [service('web')] }, 'test');
      await cluster.clock.until(() => outcome('api') !== undefined, 5_000, 'the commit is in force long before a poll');
      await settled('web', 'api');
      expect(holdOf('SOURCE_CONFLICT') ?? holdOf('SOURCE_STRICT')).toBeUndefined();
    });

    it('say nothing of a commit that is not the head any more, or not followed', async () => {
      cluster = await createMemoryCluster({ strict: true });
      await cluster.push(files('web'));
      await settled('web');
      const good = state()?.accepted ?? '';
      await cluster.push(broken);
      const waiting = state()?.head ?? '';
      expect(holdOf('SOURCE_STRICT')).toBeDefined();
      const forced = cluster.git.push(files('web', 'other'), null);
      await cluster.clock.until(() => state()?.head === forced, 120_000, 'the rewritten history');
      expect(holds()).toEqual(['HISTORY_REWRITTEN']);
      cluster.git.reset(waiting);
      await cluster.clock.until(() => holdOf('SOURCE_STRICT') !== undefined, 120_000, 'the commit before again');
      await cluster.reconciler.control.rollback({ to: good, actor: 'ann' }, new AbortController().signal);
      expect(holds()).toEqual([]);
      await cluster.reconciler.control.unpin(undefined, 'ann');
      expect(holdOf('SOURCE_STRICT')).toBeDefined();
    });

    it('are read once when a name is free that an older commit claimed, while a newer one waits', async () => {
      let isStrict = false;
      let looks = 0;
      const strictly = (source: Source): Source => ({
        ...source,
        strict: true,
        git: {
          ...source.git,
          head: (signal) => {
            looks += 1;
            // Without end it would leave nobody else a turn.
            if (looks > 100) throw new Error('the source is read without end');
            return source.git.head(signal);
          },
        },
      });
      cluster = await createMemoryCluster({
        wiring: { reconciler: (deps) => (isStrict ? { ...deps, sources: deps.sources.map(strictly) } : deps) },
      });
      await deploy(one('web'));
      await cluster.push(files('web', 'api'));
      await settled('api');
      isStrict = true;
      await cluster.restartReconciler();
      await cluster.push({ ...broken, 'more.yaml': one('more') });
      expect(holds()).toContain('SOURCE_CONFLICT');
      expect(holdOf('SOURCE_STRICT')).toBeDefined();
      looks = 0;
      await cluster.reconciler.control.remove({ services: [service('web')] }, 'test');
      await cluster.clock.advance(1_000);
      expect(cluster.fatal).toEqual([]);
      expect(looks).toBeLessThan(4);
      await cluster.push(files('web', 'api', 'more'));
      await settled('web', 'api', 'more');
    });
  });

  it('hold a removal over a restart and further pushes, and approve it then', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push(files('a', 'b', 'c', 'd', 'e'));
    await settled('a', 'b', 'c', 'd', 'e');
    const before = cluster.handles();
    await cluster.push(files('a'));
    const id = holdOf('REMOVAL_GUARD')?.id ?? '';
    expect(id).not.toBe('');
    await cluster.push({ ...files('a'), 'README.md': 'more' });
    await cluster.restartReconciler();
    cluster.state.content.clear();
    await cluster.restartReconciler();
    await cluster.push({ ...files('a'), 'README.md': 'even more' });
    await cluster.clock.advance(30_000);
    expect(cluster.handles()).toEqual(before);
    expect(holdOf('REMOVAL_GUARD')?.id).toBe(id);
    await cluster.reconciler.control.approve(id, 'test');
    await cluster.clock.until(() => cluster.running().length === 1, 60_000, 'all but a removed');
    expect(cluster.records.approvals).toEqual([]);
    await expect(cluster.reconciler.control.approve(id, 'test')).rejects.toThrow(/no hold/);
    // The same removal again is a new question.
    await cluster.push(files('a', 'b', 'c', 'd', 'e'));
    await settled('b', 'c', 'd', 'e');
    await cluster.push(files('a'));
    await cluster.clock.advance(30_000);
    expect(cluster.running()).toHaveLength(5);
  });

  it('let go what the commits since the accepted one allow by trailer, once', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push(files('a', 'b', 'c', 'd', 'e', 'f'));
    await settled('a', 'b', 'c', 'd', 'e', 'f');
    const push = async (message: string, ...names: string[]) => {
      const commit = cluster.git.push(files(...names), undefined, message);
      const accepted = () => cluster.reconciler.control.status().sources[0]?.accepted === commit;
      await cluster.clock.until(accepted, 120_000, message);
      await cluster.clock.advance(30_000);
    };
    await push('too few\n\nOak-Allow-Prune: 3', 'a', 'b');
    expect(holdOf('REMOVAL_GUARD')?.message).toContain('Oak-Allow-Prune: 4');
    expect(cluster.running()).toHaveLength(6);
    await cluster.restartReconciler();
    await push('that many\n\nOak-Allow-Prune: 4', 'a', 'b');
    await cluster.clock.until(() => cluster.running().length === 2, 60_000, 'four are removed');
    expect(holdOf('REMOVAL_GUARD')).toBeUndefined();
    // What allowed those allows no others.
    await push('back', 'a', 'b', 'c', 'd', 'e', 'f');
    await settled('c', 'd', 'e', 'f');
    await push('without a word', 'a', 'b');
    expect(holdOf('REMOVAL_GUARD')).toBeDefined();
    expect(cluster.running()).toHaveLength(6);
  });

  it('forget an approval when its set is not proposed any more', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push(files('a', 'b', 'c', 'd', 'e'));
    await settled('a');
    await cluster.push(files('a'));
    const id = holdOf('REMOVAL_GUARD')?.id ?? '';
    cluster.git.unreachable = true;
    await cluster.reconciler.control.approve(id, 'test');
    expect(cluster.records.approvals).toEqual([id]);
    cluster.git.push(files('a', 'b', 'c', 'd', 'e'));
    cluster.git.unreachable = false;
    await cluster.clock.advance(120_000);
    expect(cluster.records.approvals).toEqual([]);
    await cluster.push(files('a'));
    await cluster.clock.advance(30_000);
    expect(cluster.running()).toHaveLength(5);
  });

  it('are asked before git takes a direct name over, and keep its copies', async () => {
    cluster = await createMemoryCluster({});
    await deploy(one('web', { replicas: 2 }));
    await settled('web');
    const before = cluster.handles();
    await cluster.push({ 'web.yaml': one('web', { replicas: 3 }), 'api.yaml': one('api') });
    await settled('api');
    const hold = holdOf('SOURCE_CONFLICT');
    expect(hold).toMatchObject({ subject: service('web') });
    expect(hold?.message).toContain('keep 0, 1, start 2');
    expect(instancesOf('web')).toHaveLength(2);
    await cluster.reconciler.control.approve(hold?.id ?? '', 'test');
    await count('web', 3);
    await settled('web');
    for (const [copy, handle] of before) expect(cluster.handles().get(copy)).toBe(handle);
    expect(cluster.records.direct).toEqual({});
    await expect(deploy(one('web'))).rejects.toThrow(/git owns it/);
    await cluster.restartReconciler();
    for (const [copy, handle] of before) expect(cluster.handles().get(copy)).toBe(handle);
    // What was deployed directly once goes with the file, too.
    await cluster.push(files('api'));
    await count('web', 0);
    expect(holds()).toEqual(['REMOVED_BY_GIT']);
  });

  it('take a name at once when its direct deployment is deleted', async () => {
    cluster = await createMemoryCluster({});
    await deploy(one('web', { replicas: 2 }));
    await cluster.push({ 'web.yaml': one('web'), 'api.yaml': one('api') });
    await settled('api');
    await count('web', 2);
    await cluster.reconciler.control.remove({ services: [service('web')] }, 'test');
    await count('web', 1);
    await settled('web');
    expect(holdOf('SOURCE_CONFLICT')).toBeUndefined();
    expect(cluster.reconciler.control.services().find((s) => s.name === service('web'))?.source).toBe('fleet');
  });

  it('keep their names among each other, over restarts, and hand them on when they leave', async () => {
    cluster = await createMemoryCluster({ sources: ['alpha', 'beta'] });
    const alpha = cluster.gits.get('alpha');
    const beta = cluster.gits.get('beta');
    // beta, which is read last after every start, had it first.
    beta?.push({ 'web.yaml': one('web', { code: 'oakctl/test:beta' }), 'b.yaml': one('b') });
    await settled('web', 'b');
    const before = cluster.handles();
    alpha?.push({ 'web.yaml': one('web', { code: 'oakctl/test:alpha' }), 'a.yaml': one('a') });
    await settled('a');
    expect(holdOf('SOURCE_CONFLICT')?.message).toContain('alpha');
    await cluster.restartReconciler();
    await cluster.clock.advance(60_000);
    for (const [copy, handle] of before) expect(cluster.handles().get(copy)).toBe(handle);
    expect(cluster.reconciler.control.services().find((s) => s.name === service('web'))?.source).toBe('beta');
    beta?.push({ 'b.yaml': one('b') });
    await cluster.clock.until(
      () =>
        cluster.reconciler.control.services().find((s) => s.name === service('web'))?.source === 'alpha' &&
        outcome('web') === 'settled',
      120_000,
      'alpha has it',
    );
    expect(holdOf('SOURCE_CONFLICT')).toBeUndefined();
  });

  it('after a forced push remove only what came from the history of the head', async () => {
    cluster = await createMemoryCluster({});
    const first = cluster.git.push(files('a', 'b', 'c', 'd'));
    await settled('a', 'b', 'c', 'd');
    await cluster.push(files('a', 'b', 'c', 'd', 'e'));
    await settled('e');
    const before = cluster.handles();
    // Nothing is known of what was accepted: no head has to go on from it.
    await cluster.restartReconciler({
      between: async () => {
        cluster.records = { ...cluster.records, sources: {} };
        cluster.git.reset(first);
      },
    });
    await cluster.clock.advance(60_000);
    expect(cluster.handles()).toEqual(before);
    expect(holdOf('ANCESTRY_UNKNOWN')?.subject).toBe(service('e'));
    await cluster.reconciler.control.remove({ services: [service('e')] }, 'test');
    await count('e', 0);
    expect(holds()).toEqual([]);
  });

  it('of a service that left while its node was away: the copy goes when the node returns, after a restart too', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push(files('a', 'b', 'c', 'web'));
    await settled('a', 'b', 'c', 'web');
    const [name] = instancesOf('web')[0]?.split(' ') ?? [];
    const away = cluster.nodes.find((one) => one.name === name);
    away?.kill();
    await cluster.push(files('a', 'b', 'c'));
    await cluster.clock.advance(60_000);
    await cluster.restartReconciler();
    await cluster.clock.advance(60_000);
    expect(instancesOf('web')).toHaveLength(1);
    await away?.start();
    await count('web', 0, 30_000);
    await cluster.clock.advance(1_000);
    for (const left of ['a', 'b', 'c']) expect(instancesOf(left)).toHaveLength(1);
  });

  it('cordon a node whose entry left nodes.yaml, whatever crashes, until an entry matches again', async () => {
    cluster = await createMemoryCluster({ workers: 4 });
    const nodes = (...numbers: number[]): string =>
      numbers.map((n) => `- node:\n    hostname: worker-${n}\n    IP: 127.0.0.${n + 1}\n`).join('');
    await cluster.push({ 'nodes.yaml': nodes(1, 2, 3, 4), 'web.yaml': one('web', { replicas: 4 }) });
    await settled('web');
    const before = cluster.handles();
    // The process ends at each write that the push makes, in turn: before it, then after it.
    for (const moment of ['before', 'after'] as const) {
      const at = cluster.disk.saves + 1;
      cluster.disk.onSave = (number, when) => {
        if (number === at && when === moment) cluster.killReconciler();
      };
      cluster.git.push({ 'nodes.yaml': nodes(1, 2, 3), 'web.yaml': one('web', { replicas: 4 }) });
      await cluster.clock.advance(1_000);
      cluster.disk.onSave = () => undefined;
      await cluster.restartReconciler();
      await cluster.clock.advance(5_000);
      expect(cluster.reconciler.control.nodes().find((n) => n.name === 'worker-4')?.cordoned).toBeDefined();
      if (moment === 'before') {
        await cluster.push({ 'nodes.yaml': nodes(1, 2, 3, 4), 'web.yaml': one('web', { replicas: 4 }) });
        await cluster.clock.advance(1_000);
        expect(cluster.reconciler.control.nodes().find((n) => n.name === 'worker-4')?.cordoned).toBeUndefined();
      }
    }
    expect(cluster.handles()).toEqual(before);
    // A rename with the same address is no removal; an emptied file is a question.
    await cluster.push({
      'nodes.yaml': `${nodes(1, 2)}- node:\n    hostname: pi-three\n    IP: 127.0.0.4\n`,
      'web.yaml': one('web', { replicas: 4 }),
    });
    await cluster.clock.advance(1_000);
    expect(cluster.reconciler.control.nodes().find((n) => n.name === 'worker-3')).toMatchObject({
      aliases: ['pi-three'],
    });
    for (let i = 0; i < 3; i += 1) {
      await cluster.push({ 'nodes.yaml': `# nothing ${i}\n`, 'web.yaml': one('web', { replicas: 4 }) });
      await cluster.restartReconciler();
      await cluster.clock.advance(5_000);
      expect(holdOf('REMOVAL_GUARD')?.subjects).toEqual(['node/pi-three', 'node/worker-1', 'node/worker-2']);
    }
    expect(Object.keys(cluster.records.sources['fleet']?.files ?? {}).length).toBeLessThanOrEqual(3);
    expect(cluster.handles()).toEqual(before);
    expect(node(0).running).toBe(true);
  });
});
