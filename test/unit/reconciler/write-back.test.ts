import { describe, expect, it } from 'vitest';
import { createWriteBack, type ReportSink } from '../../../reconciler/write-back.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { ClusterStatus, ServiceView, SourceView } from '../../../schemas/views.ts';
import { fakeControlPlane } from '../../support/fake-control-plane.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const source: SourceView = {
  ...{ name: 'main', url: 'u', branch: 'main', path: '', head: 'c1', accepted: 'c1' },
  ...{ state: 'synced', services: 1, ignored: 0, problems: [] },
};
const service = (outcome: ServiceView['outcome']) =>
  ({
    name: 'a.b.c.d',
    source: 'main',
    outcome,
    message: 'm',
    healthy: 1,
    slots: 1,
    digest: 'd',
    commit: 'c1',
  }) as ServiceView;

function createStory(kind: ReportSink['kind']) {
  const world = {
    source,
    outcome: 'progressing' as ServiceView['outcome'],
    phase: 'running' as ClusterStatus['phase'],
    down: false,
  };
  const told: string[] = [];
  const clock = createVirtualClock();
  const sink: ReportSink = {
    source: 'main',
    kind,
    async send({ commit, state }, superseded) {
      if (world.down) throw new ProblemError(problem('SOURCE_UNREACHABLE', 'no'));
      told.push(`${commit} ${state}${superseded === undefined ? '' : ` after ${superseded}`}`);
    },
  };
  const fake = fakeControlPlane();
  const control = {
    ...fake,
    status: () => ({ ...fake.status(), phase: world.phase, sources: [world.source] }),
    services: () => [service(world.outcome), { ...service('failed'), source: 'other' }],
  };
  const writeBack = createWriteBack({ control, sinks: [sink], clock, log: () => undefined });
  writeBack.start();
  return { world, told, clock, writeBack };
}

describe('a sink', () => {
  it('is told once of each state of a commit', async () => {
    const { world, told, clock, writeBack } = createStory('commit');
    await clock.advance(60_000);
    world.outcome = 'settled';
    await clock.advance(60_000);
    expect(told).toEqual(['c1 pending', 'c1 success']);
    await writeBack.stop();
    expect(clock.pending()).toBe(0);
  });

  it('is told which commit stays pending', async () => {
    const { world, told, clock, writeBack } = createStory('commit');
    await clock.advance(10_000);
    world.source = { ...source, head: 'c2', accepted: 'c2' };
    await clock.advance(10_000);
    expect(told).toEqual(['c1 pending', 'c2 pending after c1']);
    await writeBack.stop();
  });

  it('of the whole status hears of everything in it', async () => {
    const { world, told, clock, writeBack } = createStory('status');
    world.outcome = 'settled';
    await clock.advance(10_000);
    world.outcome = 'stopped';
    await clock.advance(10_000);
    expect(told).toEqual(['c1 success', 'c1 success']);
    await writeBack.stop();
  });

  it('that is down is told later, and people see why', async () => {
    const { world, told, clock, writeBack } = createStory('commit');
    world.down = true;
    await clock.advance(60_000);
    expect(writeBack.conditions()).toMatchObject([{ code: 'SOURCE_UNREACHABLE' }]);
    Object.assign(world, { down: false, outcome: 'settled' });
    await clock.advance(120_000);
    expect(told).toEqual(['c1 success']);
    expect(writeBack.conditions()).toEqual([]);
    await writeBack.stop();
  });

  it('hears nothing while the reconciler only listens, or of a source that cannot be reached', async () => {
    const { world, told, clock, writeBack } = createStory('commit');
    world.phase = 'recovering';
    await clock.advance(60_000);
    Object.assign(world, { phase: 'running', source: { ...source, state: 'unreachable' } });
    await clock.advance(60_000);
    expect(told).toEqual([]);
    await writeBack.stop();
  });
});
