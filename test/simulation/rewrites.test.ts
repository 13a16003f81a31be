import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { tell } from '../support/memory-story.ts';
import { createSeededRandom } from '../support/virtual-clock.ts';

const one = (name: string, more: object = {}): string => descriptor([{ microservice_name: name, ...more }]);
const files = (...names: string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [`${name}.yaml`, one(name)]));

/** G3 and T7: a history that does not go on from what was accepted changes nothing until somebody says so. */
describe('a history that was rewritten', () => {
  let cluster: MemoryCluster;
  const { service, settled, count } = tell(() => cluster);
  const source = () => cluster.reconciler.control.status().sources[0];
  const hold = () => cluster.reconciler.control.holds().find(({ code }) => code.startsWith('HISTORY_'));
  const seen = (commit: string) => cluster.clock.until(() => source()?.head === commit, 120_000, 'the head is seen');

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-40).join('\n'));
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  /** `a` and `b` and `c` run, by two commits; then the second one is replaced. */
  const rewritten = async (): Promise<{ first: string; second: string; other: string }> => {
    cluster = await createMemoryCluster({});
    const first = cluster.git.push(files('a', 'b'));
    await settled('a', 'b');
    const second = cluster.git.push(files('a', 'b', 'c'));
    await settled('c');
    const other = cluster.git.push(files('a', 'b', 'd'), first);
    await seen(other);
    return { first, second, other };
  };

  it('is shown with both commits, and carried out after approval', async () => {
    const { second, other } = await rewritten();
    const before = cluster.handles();
    await cluster.clock.advance(300_000);
    expect(cluster.handles()).toEqual(before);
    expect(source()).toMatchObject({ state: 'behind', accepted: second, head: other });
    expect(hold()).toMatchObject({ code: 'HISTORY_REWRITTEN', subject: 'source/fleet', commit: other });
    expect(hold()?.message).toContain(second.slice(0, 10));
    await cluster.reconciler.control.approve(other.slice(0, 12), 'test');
    await settled('d');
    // The record had it, so it goes, though no commit of this history ever had it.
    await count('c', 0);
    expect(source()).toMatchObject({ state: 'synced', accepted: other });
    expect(cluster.records.approvals).toEqual([]);
    expect(cluster.reconciler.control.holds()).toMatchObject([{ code: 'REMOVED_BY_GIT', subject: service('c') }]);
    for (const [copy, handle] of before) {
      if (!copy.includes(`${service('c')}.`)) expect(cluster.handles().get(copy)).toBe(handle);
    }
  });

  it('waits over restarts and without state/, and asks the same question', async () => {
    const { other } = await rewritten();
    const before = cluster.handles();
    const id = hold()?.id;
    await cluster.restartReconciler();
    await seen(other);
    expect(hold()?.id).toBe(id);
    cluster.state.content.clear();
    await cluster.restartReconciler();
    await seen(other);
    expect(cluster.handles()).toEqual(before);
    expect(hold()?.id).toBe(id);
  });

  it('is a question, too, where the old commit cannot be had any more', async () => {
    const { other } = await rewritten();
    const before = cluster.handles();
    await cluster.restartReconciler({
      between: async () => {
        cluster.git.wipeMirror();
        cluster.git.unknown = true;
      },
    });
    await seen(other);
    await cluster.clock.advance(120_000);
    expect(hold()).toMatchObject({ code: 'HISTORY_UNKNOWN', commit: other });
    expect(cluster.handles()).toEqual(before);
    await cluster.reconciler.control.approve(hold()?.id ?? '', 'test');
    await settled('d');
    await count('c', 0);
  });

  it('ends as a question when the history goes on as before', async () => {
    const { second } = await rewritten();
    cluster.git.push(files('a', 'b', 'c', 'e'), second);
    await settled('e');
    expect(hold()).toBeUndefined();
    expect(source()?.state).toBe('synced');
  });

  it('may be approved while it goes on: what was let pass counts for what follows', async () => {
    const { other } = await rewritten();
    cluster.git.unreachable = true;
    await cluster.reconciler.control.approve(other, 'test');
    const next = cluster.git.push(files('a', 'b', 'd', 'e'), other);
    cluster.git.unreachable = false;
    await settled('e');
    expect(source()?.accepted).toBe(next);
    expect(cluster.records.approvals).toEqual([]);
  });

  it('lets what else waits be approved meanwhile', async () => {
    cluster = await createMemoryCluster({});
    const first = cluster.git.push(files('a', 'b', 'c', 'd', 'e'));
    await settled('a', 'b', 'c', 'd', 'e');
    const second = cluster.git.push(files('a'));
    await seen(second);
    const guard = cluster.reconciler.control.holds().find(({ code }) => code === 'REMOVAL_GUARD')?.id ?? '';
    const other = cluster.git.push(files('a', 'b', 'c', 'd', 'e', 'f'), first);
    await seen(other);
    await cluster.reconciler.control.approve(guard, 'test');
    await cluster.clock.until(() => cluster.running().length === 1, 60_000, 'all but a removed');
    expect(source()).toMatchObject({ state: 'behind', accepted: second, head: other });
  });

  it('refuses what names no commit that waits', async () => {
    const { second } = await rewritten();
    for (const text of ['abc', second, 'f'.repeat(40)])
      await expect(cluster.reconciler.control.approve(text, 'test')).rejects.toThrow(/no hold/);
  });

  it('is never carried out unasked, in 200 of them', async () => {
    cluster = await createMemoryCluster({ workers: 2 });
    const random = createSeededRandom(7);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random.number() * list.length)] as T;
    const history = [cluster.git.push(files('a', 'b', 'c'))];
    await settled('a', 'b', 'c');
    for (let i = 0; i < 4; i += 1) history.push(cluster.git.push({ ...files('a', 'b', 'c'), 'note.txt': `${i}` }));
    const accepted = history.at(-1) ?? '';
    await seen(accepted);
    const before = cluster.handles();
    const past = history.slice(0, -1);
    const names = ['a', 'b', 'c', 'd', 'e'];
    let held = 0;
    for (let i = 0; i < 200; i += 1) {
      const content = files(...names.filter(() => random.number() < 0.4));
      const kind = i % 4;
      // Back to an older commit, another commit on top of one, several of them, or a history of its own.
      if (kind === 0) cluster.git.reset(pick(past));
      else if (kind === 3) cluster.git.push({ ...content, 'note.txt': `alone ${i}` }, null);
      else {
        let on = cluster.git.push({ ...content, 'note.txt': `fork ${i}` }, pick(past));
        for (let more = 1; more < kind * 2; more += 1)
          on = cluster.git.push({ ...content, 'note.txt': `${i} ${more}` }, on);
      }
      const head = await cluster.git.head(AbortSignal.timeout(1_000));
      await seen(head);
      if (random.number() < 0.1) await cluster.restartReconciler();
      if (random.number() < 0.1) cluster.git.wipeMirror();
      held += hold() ? 1 : 0;
      expect(source()?.accepted).toBe(accepted);
      expect(cluster.handles()).toEqual(before);
    }
    expect(held).toBe(200);
    cluster.git.push(files('a', 'b', 'c', 'd'), accepted);
    await settled('d');
    for (const [copy, handle] of before) expect(cluster.handles().get(copy)).toBe(handle);
  }, 120_000);
});
