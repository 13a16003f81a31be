import { afterEach, describe, expect, it } from 'vitest';
import type { Runnable } from '../../agent/core/copy.ts';
import type { RegistryDesk } from '../../reconciler/registries.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { noRegistries } from '../../schemas/registries.ts';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';

const content = (digit: string): string => `sha256:${digit.repeat(64)}`;

/** A registry whose tags move, and that answers, is away, or says nothing. */
function createFakeRegistry() {
  const registry = {
    tags: new Map([['r.org/web:1', content('1')]]),
    mood: 'answers' as 'answers' | 'is away' | 'is silent',
    /** Reconcilers from now on ask it. */
    isKnown: true,
    asked: 0,
  };
  const desk: RegistryDesk = {
    read: () => Promise.resolve({ registries: noRegistries, problems: [] }),
    change: () => Promise.resolve(false),
    check: () => Promise.resolve(),
    resolve(image) {
      registry.asked += 1;
      const found = registry.tags.get(image);
      if (registry.mood === 'is silent') return new Promise(() => undefined);
      const code = registry.mood === 'is away' ? 'REGISTRY_UNREACHABLE' : 'IMAGE_NOT_FOUND';
      if (registry.mood === 'is away' || found === undefined)
        return Promise.reject(new ProblemError(problem(code, `the fake ${registry.mood}`)));
      return Promise.resolve(found);
    },
  };
  return Object.assign(registry, { desk });
}

describe('tags', () => {
  let cluster: MemoryCluster;
  let registry: ReturnType<typeof createFakeRegistry>;
  const { service, settled, count, outcome, refuseOnce } = tell(() => cluster);
  const control = () => cluster.reconciler.control;
  const web = service('web');
  const view = () =>
    control()
      .services()
      .find(({ name }) => name === web);
  const begin = async (isKnown = true): Promise<void> => {
    registry = Object.assign(createFakeRegistry(), { isKnown });
    cluster = await createMemoryCluster({
      wiring: { reconciler: (deps) => (registry.isKnown ? { ...deps, registries: registry.desk } : deps) },
    });
  };
  const push = (more: object = {}) =>
    cluster.push({ 'web.yaml': descriptor([{ microservice_name: 'web', replicas: 2, code: 'r.org/web:1', ...more }]) });
  /** What running copies were made of, by the engines. */
  const contents = (): (string | undefined)[] =>
    cluster.nodes.flatMap(({ runtime }) =>
      [...runtime.copies.values()]
        .filter(({ state }) => state === 'running')
        .map((copy) => (runtime.runOf(copy) as Runnable | undefined)?.content),
    );
  const minutes = (n: number): Promise<void> => cluster.clock.advance(n * 60_000);

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-60).join('\n'));
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  it('stand for one content in every copy of a version, also in those that come after the tag moved', async () => {
    await begin();
    await push();
    await settled('web');
    expect(contents()).toEqual([content('1'), content('1')]);
    expect(view()).toMatchObject({ image: 'r.org/web:1', content: content('1') });
    const before = cluster.handles();
    registry.tags.set('r.org/web:1', content('2'));
    await push({ replicas: 4 });
    await count('web', 4);
    await cluster.restartReconciler();
    await push({ replicas: 5 });
    await count('web', 5);
    expect(contents()).toEqual(Array.from({ length: 5 }, () => content('1')));
    expect(registry.asked).toBe(1);
    expect([...before].every(([copy, handle]) => cluster.handles().get(copy) === handle)).toBe(true);
  });

  it('are asked for again by a new version, and forgotten with their service', async () => {
    await begin();
    await push();
    await settled('web');
    registry.tags.set('r.org/web:1', content('2'));
    await push({ environment: ['A=1'] });
    await settled('web');
    expect(contents()).toEqual([content('2'), content('2')]);
    await minutes(1);
    expect(Object.keys(cluster.records.tags[web] ?? {})).toContain(view()?.digest);
    await cluster.push({ 'other.yaml': descriptor([{ microservice_name: 'other' }], 'blog') });
    for (const { id } of control().holds()) if (id) await control().approve(id, 'ann');
    await count('web', 0, 20 * 60_000);
    await minutes(12);
    expect(cluster.records.tags[web]).toBeUndefined();
  });

  it('of a registry that says nothing hold a version up for two seconds, and then count as they are written', async () => {
    await begin();
    await push();
    await settled('web');
    registry.mood = 'is silent';
    const before = cluster.handles();
    await push({ environment: ['A=1'] });
    await cluster.clock.advance(1_000);
    expect(cluster.handles()).toEqual(before);
    expect(outcome('web')).toBe('progressing');
    await settled('web');
    expect(contents()).toEqual([undefined, undefined]);
    expect(view()?.unresolved).toContain('REGISTRY_UNREACHABLE');
    // Nobody waits for it again, though it is asked again.
    await push({ environment: ['A=2'] });
    await cluster.clock.advance(100);
    expect(contents()).toHaveLength(3);
    await settled('web');
    const asked = registry.asked;
    registry.mood = 'answers';
    const running = cluster.handles();
    await cluster.restartReconciler();
    await minutes(2);
    expect(registry.asked).toBe(asked);
    expect(cluster.handles()).toEqual(running);
  });

  it('are asked for anew by restart --pull, which needs an answer', async () => {
    await begin();
    await push();
    await settled('web');
    registry.tags.set('r.org/web:1', content('2'));
    registry.mood = 'is away';
    const before = cluster.handles();
    await expect(control().restart(web, undefined, 'ann', { pull: true })).rejects.toMatchObject({
      problem: { code: 'REGISTRY_UNREACHABLE', subject: web },
    });
    await expect(control().restart(web, `${web}.instance.0`, 'ann', { pull: true })).rejects.toMatchObject({
      problem: { code: 'REFUSED' },
    });
    await minutes(2);
    expect(cluster.handles()).toEqual(before);
    registry.mood = 'answers';
    const { digest } = await control().restart(web, undefined, 'ann', { pull: true });
    await cluster.clock.until(() => contents().every((one) => one === content('2')), 120_000, 'the new content');
    await settled('web');
    expect(view()).toMatchObject({ digest, content: content('2'), healthy: 2 });
    expect(cluster.records.tags[web]?.[digest]?.content).toBe(content('2'));
  });

  it.each([1, 2])(
    'are asked for twice at once: what write %i refuses does not answer for the other one',
    async (write) => {
      await begin();
      await push();
      await settled('web');
      registry.tags.set('r.org/web:1', content('2'));
      refuseOnce(write);
      const pull = () => control().restart(web, undefined, 'ann', { pull: true });
      const [first, second] = await Promise.allSettled([pull(), pull()]);
      expect(first.status).toBe('rejected');
      expect(second).toMatchObject({ value: { changed: true } });
      await settled('web');
      expect(contents()).toEqual([content('2'), content('2')]);
      await cluster.restartReconciler();
      await settled('web');
      expect(contents()).toEqual([content('2'), content('2')]);
    },
  );

  it('go back to what they stood for when the restart that asked anew fails', async () => {
    await begin();
    await push();
    await settled('web');
    const before = cluster.handles();
    registry.tags.set('r.org/web:1', content('2'));
    const heal = cluster.nodes.map(({ runtime }) => runtime.script('start', web, { fail: 'START_FAILED' }));
    await control().restart(web, undefined, 'ann', { pull: true });
    await cluster.clock.until(() => view()?.content === content('1'), 20 * 60_000, 'the old content');
    for (const undo of heal) undo();
    await minutes(2);
    expect(cluster.handles()).toEqual(before);
  });

  it('of versions that ran before anybody resolved tags are not asked for by an upgrade, which restarts nothing', async () => {
    await begin(false);
    await push();
    await settled('web');
    const before = cluster.handles();
    registry.isKnown = true;
    await cluster.restartReconciler();
    await minutes(3);
    expect(cluster.handles()).toEqual(before);
    await push({ replicas: 3 });
    await count('web', 3);
    expect(contents()).toEqual([undefined, undefined, undefined]);
    expect(registry.asked).toBe(0);
    expect([...before].every(([copy, handle]) => cluster.handles().get(copy) === handle)).toBe(true);
  });

  it('survive the loss of all records in the ledgers of nodes', async () => {
    await begin();
    await push();
    await settled('web');
    registry.tags.set('r.org/web:1', content('2'));
    await cluster.restartReconciler({
      between: async () => {
        cluster.records = { ...cluster.records, tags: {} };
      },
    });
    await push({ replicas: 4 });
    await count('web', 4);
    expect(contents()).toEqual(Array.from({ length: 4 }, () => content('1')));
  });
});
