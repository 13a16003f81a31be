import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

const one = (name: string, more: object = {}): string => descriptor([{ microservice_name: name, ...more }]);

/** What a source removes is stopped for ten minutes, can be brought back, and only then is gone. */
describe('what git removed', () => {
  let cluster: MemoryCluster;
  const { service, settled, outcome, instancesOf, count, holds } = tell(() => cluster);
  const control = () => cluster.reconciler.control;
  const web = service('web');
  const ann = { actor: 'ann' };
  const minutes = (n: number): Promise<void> => cluster.clock.advance(n * 60_000);
  const kept = (name: string): number =>
    cluster.nodes.reduce(
      (sum, { runtime }) =>
        sum + [...runtime.copies.values()].filter(({ instance }) => instance.includes(service(name))).length,
      0,
    );
  const gone = () => cluster.clock.until(() => kept('web') === 0, 120_000, 'web is gone');
  const removed = async (): Promise<void> => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'web.yaml': one('web', { replicas: 2 }), 'api.yaml': one('api') });
    await settled('web', 'api');
    await cluster.push({ 'api.yaml': one('api') });
    await count('web', 0);
  };

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-60).join('\n'));
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('is stopped, shown, over restarts, and gone ten minutes later', async () => {
    await removed();
    expect(outcome('web')).toBe('removing');
    expect(control().service(web)?.holds).toMatchObject([{ code: 'REMOVED_BY_GIT', hint: `oakctl undelete ${web}` }]);
    expect(control().history()[0]?.changes).toEqual({ added: 0, changed: 0, removed: 1 });
    await minutes(5);
    await cluster.restartReconciler();
    await cluster.push({ 'api.yaml': one('api'), 'README.md': 'more' });
    expect(kept('web')).toBe(2);
    expect(outcome('web')).toBe('removing');
    for (const verb of [control().start(web, 'bob'), control().restart(web, undefined, 'bob')])
      await expect(verb).rejects.toThrow(/removed by git/);
    await minutes(5);
    await gone();
    expect(outcome('web')).toBeUndefined();
    expect(cluster.records.retired).toEqual({});
    await expect(control().undelete(web, ann)).rejects.toThrow(/gone/);
  });

  it('runs again with undelete, from the copies that were kept, until git says it again', async () => {
    await removed();
    const before = cluster.nodes
      .flatMap(({ runtime }) => [...runtime.copies.values()].map(({ handle }) => handle))
      .sort();
    expect(await control().undelete(web, { ...ann, reason: 'still used' })).toMatchObject({
      changed: true,
      override: { kind: 'undelete', actor: 'ann', reason: 'still used' },
    });
    await settled('web');
    expect(
      cluster.nodes.flatMap(({ runtime }) => [...runtime.copies.values()].map(({ handle }) => handle)).sort(),
    ).toEqual(before);
    expect(await control().undelete(web, ann)).toMatchObject({ changed: false });
    await minutes(60);
    await cluster.restartReconciler();
    await minutes(60);
    expect(instancesOf('web')).toHaveLength(2);
    expect(control().overrides()).toHaveLength(1);
    await cluster.push({ 'web.yaml': one('web', { replicas: 2 }), 'api.yaml': one('api') });
    await minutes(1);
    expect(control().overrides()).toEqual([]);
    expect(cluster.records.retired).toEqual({});
    expect(instancesOf('web')).toHaveLength(2);
    await cluster.push({ 'api.yaml': one('api') });
    await count('web', 0);
    expect(kept('web')).toBe(2);
  });

  it('has its ten minutes again when what brought it back ends', async () => {
    await removed();
    const { override } = await control().undelete(web, ann);
    await settled('web');
    await minutes(30);
    await control().removeOverride(override?.id ?? '', 'ann');
    await count('web', 0);
    await minutes(5);
    expect(kept('web')).toBe(2);
    await minutes(6);
    await gone();
  });

  it('goes at once with delete, and may be deployed by anybody', async () => {
    await removed();
    await control().remove({ services: [web] }, 'ann');
    await gone();
    await cluster.restartReconciler();
    expect(outcome('web')).toBeUndefined();
    await control().deploy({ documents: [{ file: 'a.yaml', text: one('web') }] });
    await settled('web');
    await minutes(15);
    expect(instancesOf('web')).toHaveLength(1);
    expect(holds()).toEqual([]);
  });

  it('blocks no successor: not its port, not its room, and comes back only where there is some', async () => {
    cluster = await createMemoryCluster({ workers: 1 });
    const more = { port: '8080:80', memory: 700 };
    await cluster.push({ 'web.yaml': one('web', more), 'api.yaml': one('api') });
    await settled('web', 'api');
    await cluster.push({ 'web.yaml': one('shop', more), 'api.yaml': one('api') });
    await settled('shop');
    expect(kept('web')).toBe(1);
    const before = cluster.handles();
    await control().undelete(web, ann);
    await minutes(2);
    expect(outcome('web')).not.toBe('settled');
    expect(
      control()
        .why(web)
        .because.map(({ code }) => code),
    ).not.toEqual([]);
    expect(outcome('shop')).toBe('settled');
    expect(instancesOf('shop')).toHaveLength(1);
    expect(
      [...cluster.handles()]
        .filter(([copy]) => before.has(copy))
        .every(([copy, handle]) => before.get(copy) === handle),
    ).toBe(true);
    await cluster.push({ 'web.yaml': one('shop', { memory: 10 }), 'api.yaml': one('api') });
    await settled('shop', 'web');
  });

  it('is what a rollback left out, too: unpinned in time it is the same copies', async () => {
    cluster = await createMemoryCluster({});
    const first = cluster.git.push({ 'api.yaml': one('api') });
    await settled('api');
    await cluster.push({ 'api.yaml': one('api'), 'web.yaml': one('web', { replicas: 2 }) });
    await settled('web');
    const before = cluster.handles();
    await control().rollback({ to: first, actor: 'ann', for: 3_600_000 }, AbortSignal.timeout(10_000));
    await count('web', 0);
    expect(kept('web')).toBe(2);
    await minutes(5);
    await control().unpin(undefined, 'ann');
    await settled('web');
    expect(cluster.handles()).toEqual(before);
    await control().rollback({ to: first, actor: 'ann', for: 3_600_000 }, AbortSignal.timeout(10_000));
    await minutes(11);
    await gone();
  });

  it('goes although git does not answer, or begins anew, meanwhile; on a node that was away as soon as that is back', async () => {
    await removed();
    const away = cluster.nodes.find(({ runtime }) =>
      [...runtime.copies.values()].some(({ instance }) => instance.includes(web)),
    );
    away?.kill();
    const other = cluster.git.push({ 'api.yaml': one('api') }, null, 'c');
    await cluster.clock.until(() => holds().includes('HISTORY_REWRITTEN'), 120_000, 'the rewritten head is seen');
    await control().approve(other, 'ann');
    cluster.git.unreachable = true;
    await minutes(15);
    expect(kept('web')).toBe(1);
    expect(outcome('web')).not.toBe('orphaned');
    await away?.start();
    await gone();
  });

  it('has its ten minutes after it was left alone', async () => {
    cluster = await createMemoryCluster({});
    await cluster.push({ 'web.yaml': one('web', { replicas: 2 }), 'api.yaml': one('api') });
    await settled('web', 'api');
    await control().suspend('shop.default', { ...ann, for: 1_800_000 });
    await cluster.push({ 'api.yaml': one('api') });
    await minutes(20);
    expect(instancesOf('web')).toHaveLength(2);
    await control().resume('shop.default', 'ann');
    await count('web', 0);
    await minutes(5);
    await cluster.restartReconciler();
    expect(kept('web')).toBe(2);
    await minutes(6);
    await gone();
  });

  it('is nobody else that comes back in a commit before its time is over', async () => {
    await removed();
    await cluster.push({ 'other.yaml': one('web', { replicas: 2 }), 'api.yaml': one('api') });
    await settled('web');
    await minutes(15);
    expect(instancesOf('web')).toHaveLength(2);
    expect(cluster.records.retired).toEqual({});
  });
});
