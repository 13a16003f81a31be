import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryCluster, descriptor, type MemoryCluster } from '../support/memory-cluster.ts';
import { statesOf, tell } from '../support/memory-story.ts';

const one = (name: string, code = 'oakctl/test:1', more: object = {}): string =>
  descriptor([{ microservice_name: name, code, ...more }]);

/** What a source was at, back to it, and on again. */
describe('revisions', () => {
  let cluster: MemoryCluster;
  const { service, settled, outcome, instancesOf, count } = tell(() => cluster);
  const control = () => cluster.reconciler.control;
  const source = () => control().status().sources[0];
  const image = () =>
    control()
      .services()
      .find(({ name }) => name === service('web'))?.image;
  const rejected = () =>
    control()
      .holds()
      .find(({ code }) => code === 'REVISION_REJECTED');
  const signal = AbortSignal.timeout(60_000);
  const back = (more: object = {}) => control().rollback({ actor: 'ann', ...more }, signal);
  const at = (commit: string) => cluster.clock.until(() => source()?.accepted === commit, 120_000, `at ${commit}`);
  const known = (commit: string, wanted: string) =>
    cluster.clock.until(
      () =>
        control()
          .history()
          .find((revision) => revision.commit === commit)?.outcome === wanted,
      600_000,
      `${commit} is ${wanted}`,
    );

  /** No node can have this image. */
  const missing = 'oakctl/test:9';
  const withMissing = () => {
    for (const { runtime } of cluster.nodes) runtime.script('prepare', ':9', { fail: 'IMAGE_NOT_FOUND' });
  };

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(cluster.log.slice(-40).join('\n'));
    expect(cluster.fatal).toEqual([]);
    await cluster.close();
  });

  const two = async (): Promise<{ good: string; bad: string }> => {
    cluster = await createMemoryCluster({});
    const good = cluster.git.push({ 'web.yaml': one('web') });
    await known(good, 'settled');
    const bad = cluster.git.push({ 'web.yaml': one('web', 'oakctl/test:2'), 'api.yaml': one('api') });
    await known(bad, 'settled');
    return { good, bad };
  };

  it('are remembered: who, when, what changed, what became of it; also after a restart', async () => {
    const { good, bad } = await two();
    withMissing();
    const broken = cluster.git.push({ 'web.yaml': one('web', missing), 'api.yaml': one('api') });
    await known(broken, 'failed');
    const removing = cluster.git.push({ 'web.yaml': one('web') });
    await known(removing, 'settled');
    const history = control().history();
    expect(history.map(({ commit }) => commit)).toEqual([removing, broken, bad, good]);
    expect(history.map(({ changes }) => changes)).toEqual([
      { added: 0, changed: 1, removed: 1 },
      { added: 0, changed: 1, removed: 0 },
      { added: 1, changed: 1, removed: 0 },
      { added: 1, changed: 0, removed: 0 },
    ]);
    expect(history[1]?.reason).toContain('shop.default.web.default');
    expect(history[0]).toMatchObject({ author: 'test', title: 'test commit', current: true });
    await cluster.restartReconciler();
    expect(control().history()).toEqual(history);
  });

  it('say which of their files could not be read; and nobody goes back to such a one by itself', async () => {
    cluster = await createMemoryCluster({});
    const good = cluster.git.push({ 'web.yaml': one('web') });
    await known(good, 'settled');
    const partly = cluster.git.push({ 'web.yaml': one('web', 'oakctl/test:2'), 'api.yaml': 'applications: [' });
    await known(partly, 'settled');
    const whole = cluster.git.push({ 'web.yaml': one('web', 'oakctl/test:3') });
    await known(whole, 'settled');
    expect(control().history()[1]).toMatchObject({ commit: partly, reason: 'cannot be read: api.yaml' });
    await cluster.restartReconciler();
    expect(control().history()[1]).toMatchObject({ commit: partly, reason: 'cannot be read: api.yaml' });
    expect(await back()).toMatchObject({ commit: good });
  });

  it('that a newer one overtakes are superseded, and the newest wins', async () => {
    cluster = await createMemoryCluster({});
    withMissing();
    const slow = cluster.git.push({ 'web.yaml': one('web', missing) });
    await at(slow);
    const fix = cluster.git.push({ 'web.yaml': one('web') });
    await known(fix, 'settled');
    expect(control().history()[1]).toMatchObject({ commit: slow, outcome: 'superseded' });
  });

  it('are gone back to, over restarts and newer commits, until the time is over', async () => {
    const { good, bad } = await two();
    expect(await back({ for: 3_600_000, reason: 'slow' })).toMatchObject({
      commit: good,
      actor: 'ann',
      reason: 'slow',
    });
    await known(good, 'settled');
    expect(image()).toBe('oakctl/test:1');
    await count('api', 0);
    expect(source()).toMatchObject({ state: 'pinned', accepted: good, head: bad, pin: { commit: good } });
    await cluster.restartReconciler();
    const newer = cluster.git.push({ 'web.yaml': one('web', 'oakctl/test:3') });
    await cluster.clock.until(() => source()?.head === newer, 120_000, 'it is seen');
    await cluster.clock.advance(600_000);
    expect(image()).toBe('oakctl/test:1');
    await cluster.clock.advance(3_600_000);
    await settled('web');
    expect(image()).toBe('oakctl/test:3');
    expect(source()).toMatchObject({ state: 'synced', accepted: newer });
    expect(source()?.pin).toBeUndefined();
  });

  it('that were gone back from are not taken again by themselves, but the next one is', async () => {
    const { good, bad } = await two();
    await back({ for: 60_000 });
    await at(good);
    await cluster.clock.advance(300_000);
    expect(rejected()?.commit).toBe(bad);
    await cluster.restartReconciler();
    await cluster.clock.advance(120_000);
    expect(source()).toMatchObject({ state: 'behind', accepted: good, head: bad });
    expect(image()).toBe('oakctl/test:1');
    const fix = cluster.git.push({ 'web.yaml': one('web', 'oakctl/test:3') });
    await at(fix);
    await settled('web');
    expect(rejected()).toBeUndefined();
  });

  it('that failed are skipped when the pin is over, and taken by approval', async () => {
    cluster = await createMemoryCluster({});
    const good = cluster.git.push({ 'web.yaml': one('web') });
    await known(good, 'settled');
    withMissing();
    const bad = cluster.git.push({ 'web.yaml': one('web', missing) });
    await known(bad, 'failed');
    await back({ for: 60_000 });
    await cluster.clock.advance(200_000);
    expect(rejected()?.message).toContain('failed');
    await control().approve(bad, 'ann');
    await at(bad);
    expect(cluster.records.approvals).toEqual([]);
  });

  it('unpin follows the head again at once, also one that was gone back from', async () => {
    const { good, bad } = await two();
    await back();
    await at(good);
    await control().unpin(undefined, 'ann');
    await at(bad);
    await settled('api');
    expect(image()).toBe('oakctl/test:2');
    await expect(control().unpin(undefined, 'ann')).rejects.toThrow(/not pinned/);
  });

  it('go back while the remote does not answer', async () => {
    const { good } = await two();
    cluster.git.unreachable = true;
    await back();
    await settled('web');
    expect(source()?.accepted).toBe(good);
    expect(image()).toBe('oakctl/test:1');
  });

  it('are not gone back from where a full disk refuses that, and that it shall end', async () => {
    const { good, bad } = await two();
    cluster.disk.full = true;
    const asked = back({ to: good });
    asked.catch(() => undefined);
    await Promise.resolve();
    expect(await statesOf(asked, control().unpin(undefined, 'bob'))).toEqual(['rejected', 'rejected']);
    cluster.disk.full = false;
    await cluster.clock.advance(120_000);
    expect(cluster.records.pins).toEqual({});
    expect(source()?.accepted).toBe(bad);
    expect(
      control()
        .history()
        .map(({ outcome: what }) => what),
    ).toEqual(['settled', 'settled']);
  });

  it('go back to what is named while the remote does not answer, which has the history in between', async () => {
    const { good } = await two();
    cluster.git.unreachable = true;
    cluster.git.isAncestor = () => cluster.git.head(signal).then(() => undefined);
    await back({ to: good });
    await at(good);
  });

  it('a rewritten history is still a question when a pin ends', async () => {
    const { good, bad } = await two();
    await back();
    await at(good);
    // It goes on from where the source is pinned, and not from the newest that was accepted.
    const other = cluster.git.push({ 'web.yaml': one('web', 'oakctl/test:4') }, good);
    await cluster.restartReconciler();
    await control().unpin(undefined, 'ann');
    await cluster.clock.advance(120_000);
    const hold = control()
      .holds()
      .find(({ code }) => code === 'HISTORY_REWRITTEN');
    expect(hold).toMatchObject({ commit: other });
    expect(hold?.message).toContain(bad.slice(0, 10));
    expect(image()).toBe('oakctl/test:1');
  });

  it('refuses what was never accepted', async () => {
    const { good } = await two();
    const other = cluster.git.push({ 'web.yaml': one('web', 'oakctl/test:4') }, null);
    await cluster.clock.advance(120_000);
    await expect(back({ to: other })).rejects.toThrow(/not in the history/);
    await expect(back({ to: 'abcd' })).rejects.toThrow(/no revision/);
    await expect(back({ to: good.slice(0, 8), source: 'nope' })).rejects.toThrow(/no source/);
    expect(outcome('web')).toBe('settled');
    expect(instancesOf('web')).toHaveLength(1);
  });

  it('goes back, is interrupted before and after each write, and comes to the same', async () => {
    for (const moment of ['before', 'after'] as const) {
      const { good } = await two();
      const save = cluster.disk.saves + 1;
      cluster.disk.onSave = (number, when) => {
        if (number === save && when === moment) cluster.killReconciler();
      };
      // Whoever asked never hears of it.
      void back().catch(() => undefined);
      await cluster.clock.advance(1_000);
      cluster.disk.onSave = () => undefined;
      await cluster.restartReconciler();
      if (moment === 'before') await back();
      await at(good);
      await settled('web');
      expect(image()).toBe('oakctl/test:1');
      if (moment === 'before') await cluster.close();
    }
  });
});
