import { describe, expect, it } from 'vitest';
import type { Notice } from '../../../reconciler/core/alerts.ts';
import { createNotifier, type Receiver } from '../../../reconciler/notifier.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { ClusterStatus, NodeView } from '../../../schemas/views.ts';
import { fakeControlPlane } from '../../support/fake-control-plane.ts';
import { createMemoryFiles } from '../../support/memory-files.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const minute = 60_000;

/** A cluster with one node, and one who is told of it. */
function createStory(files = createMemoryFiles(), clock = createVirtualClock()) {
  const world = { state: 'online' as NodeView['state'], phase: 'running' as ClusterStatus['phase'], down: false };
  const told: string[] = [];
  const receiver: Receiver = {
    ...{ name: 'ops', kind: 'ntfy', host: 'h', after: 30_000, remind: 0 },
    async send(notices: readonly Notice[]) {
      if (world.down) throw new ProblemError(problem('NOTIFICATION_FAILED', 'h cannot be reached'));
      told.push(notices.map(({ kind, code }) => `${kind} ${code}`).join() || 'test');
    },
  };
  const fake = fakeControlPlane();
  const control = {
    ...fake,
    status: () => ({ ...fake.status(), phase: world.phase }),
    nodes: () => [{ name: 'a', state: world.state } as NodeView],
  };
  const notifier = createNotifier({ control, receivers: [receiver], clock, files, log: () => undefined });
  notifier.start();
  return { world, told, notifier, clock, files };
}

describe('a receiver', () => {
  it('is told of a loss and of the return, once each', async () => {
    const { world, told, clock, notifier } = createStory();
    await clock.advance(minute);
    world.state = 'lost';
    await clock.advance(5 * minute);
    world.state = 'online';
    await clock.advance(5 * minute);
    expect(told).toEqual(['problem NODE_LOST', 'recovered NODE_LOST']);
    await notifier.stop();
    expect(clock.pending()).toBe(0);
  });

  it('hears nothing while the reconciler only listens', async () => {
    const { world, told, clock, notifier } = createStory();
    Object.assign(world, { state: 'lost', phase: 'recovering' });
    await clock.advance(5 * minute);
    expect(told).toEqual([]);
    await notifier.stop();
  });

  it('that is down is told how it is by the time it is back, and people see why', async () => {
    const { world, told, clock, notifier } = createStory();
    Object.assign(world, { state: 'lost', down: true });
    await clock.advance(2 * minute);
    expect(notifier.conditions()).toMatchObject([{ code: 'NOTIFICATION_FAILED' }]);
    expect(notifier.views()).toMatchObject([{ name: 'ops', problem: 'h cannot be reached' }]);
    world.down = false;
    await clock.advance(10 * minute);
    expect(told).toEqual(['problem NODE_LOST']);
    expect(notifier.conditions()).toEqual([]);
    await notifier.stop();
  });

  it('hears nothing of what came and went while it was down', async () => {
    const { world, told, clock, notifier } = createStory();
    Object.assign(world, { state: 'lost', down: true });
    await clock.advance(2 * minute);
    Object.assign(world, { state: 'online', down: false });
    await clock.advance(10 * minute);
    expect(told).toEqual([]);
    await notifier.stop();
  });

  it('is not told again after a restart, and hears of the recovery', async () => {
    const before = createStory();
    before.world.state = 'lost';
    await before.clock.advance(2 * minute);
    await before.notifier.stop();
    const { world, told, clock, notifier } = createStory(before.files, before.clock);
    world.state = 'lost';
    await clock.advance(2 * minute);
    expect(told).toEqual([]);
    world.state = 'online';
    await clock.advance(2 * minute);
    expect(told).toEqual(['recovered NODE_LOST']);
    await notifier.stop();
  });

  it('can be tested by name', async () => {
    const { told, notifier } = createStory();
    const { signal } = new AbortController();
    expect(await notifier.test('ops', signal)).toMatchObject([{ name: 'ops', delivered: expect.any(Number) }]);
    expect(told).toEqual(['test']);
    await expect(notifier.test('other', signal)).rejects.toThrow('no receiver is called other');
    await notifier.stop();
  });
});
