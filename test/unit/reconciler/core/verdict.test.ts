import { describe, expect, it } from 'vitest';
import type { Admission } from '../../../../reconciler/core/admit.ts';
import type { SnapshotService } from '../../../../reconciler/core/snapshot.ts';
import { verdictEvents } from '../../../../reconciler/core/verdict.ts';
import { wantedOf } from '../../../../reconciler/core/wanted.ts';
import { apply } from '../../../../reconciler/core/world.ts';
import type { WorldEvent } from '../../../../reconciler/core/world-event.ts';
import type { Hold } from '../../../../schemas/status.ts';
import { aCluster, aRun, aService, at } from '../../../support/builders.ts';

const nameOf = (name: string): string => `shop.default.${name}.default`;
const aSnapshotService = (name: string, code = 'app:1', line = 1): SnapshotService => ({
  app: 'shop.default',
  spec: aService({ name: nameOf(name), run: aRun(code), replicas: 2 }),
  file: 'shop.yaml',
  line,
});
const aVerdict = (services: readonly SnapshotService[], held: readonly string[] = []): Admission => ({
  services: new Map(services.map((one) => [one.spec.name, one])),
  record: { commit: 'c', files: {}, nodes: [] },
  held: new Map(
    held.map((name): [string, Hold] => [nameOf(name), { code: 'REMOVAL_GUARD', subject: name, message: '' }]),
  ),
  holds: [],
  listings: [],
  removedListings: [],
  spent: [],
});

/** A world that is told one verdict after the other. */
function told() {
  const { world } = aCluster();
  let previouslyHeld: ReadonlySet<string> = new Set();
  return {
    world,
    tell(commit: string, verdict: Admission, source = 'main'): WorldEvent[] {
      const events = verdictEvents(world, { source, commit }, verdict, {
        ...{ previouslyHeld, listings: [], now: at(0).wall },
      });
      previouslyHeld = new Set(verdict.held.keys());
      for (const event of events) apply(world, event);
      return events.filter(({ kind }) => kind === 'desired' || kind === 'held');
    },
  };
}

describe('what the world is told of a verdict', () => {
  it('is what is new, with where it was written', () => {
    const { world, tell } = told();
    tell('c1', aVerdict([aSnapshotService('web')]));
    expect(world.desired.get(nameOf('web'))).toMatchObject({
      source: { name: 'main', commit: 'c1' },
      origin: { file: 'shop.yaml', line: 1 },
      slots: [0, 1],
    });
    expect(world.heads.get('main')).toBe('c1');
  });

  it('is nothing of what stayed as it was, also under a new commit', () => {
    const { world, tell } = told();
    tell('c1', aVerdict([aSnapshotService('web'), aSnapshotService('api')]));
    expect(tell('c2', aVerdict([aSnapshotService('web'), aSnapshotService('api', 'app:2')]))).toMatchObject([
      { kind: 'desired', service: nameOf('api') },
    ]);
    expect(world.desired.get(nameOf('web'))?.source.commit).toBe('c1');
    expect(world.desired.get(nameOf('api'))?.source.commit).toBe('c2');
  });

  it('says where a service is written now', () => {
    const { world, tell } = told();
    tell('c1', aVerdict([aSnapshotService('web')]));
    tell('c2', aVerdict([aSnapshotService('web', 'app:1', 40)]));
    expect(world.desired.get(nameOf('web'))?.origin?.line).toBe(40);
  });

  it('ends what left, and nothing of another source', () => {
    const { world, tell } = told();
    tell('c1', aVerdict([aSnapshotService('web'), aSnapshotService('api')]));
    tell('d1', aVerdict([aSnapshotService('db')]), 'other');
    tell('c2', aVerdict([aSnapshotService('api')]));
    const wanted = [...world.desired].flatMap(([name, { retired }]) => (retired ? [] : [name]));
    expect(wanted.sort()).toEqual([nameOf('api'), nameOf('db')]);
    const retired = { commit: 'c2', since: at(0).wall, until: at(600_000).wall };
    expect(world.desired.get(nameOf('web'))).toMatchObject({ retired, source: { commit: 'c1' } });
    expect(wantedOf(world, nameOf('web'))?.stopped).toEqual(retired);
    // Its time does not begin anew with each commit, and it is wanted again once one says it.
    expect(tell('c3', aVerdict([aSnapshotService('api')]))).toEqual([]);
    tell('c4', aVerdict([aSnapshotService('api'), aSnapshotService('web')]));
    expect(world.desired.get(nameOf('web'))?.retired).toBeUndefined();
  });

  it('does not end what is held, even if its last good version is gone, and ends the hold with its cause', () => {
    const { world, tell } = told();
    tell('c1', aVerdict([aSnapshotService('web')]));
    tell('c2', aVerdict([], ['web']));
    expect(world.desired.has(nameOf('web'))).toBe(true);
    expect(world.held.has(nameOf('web'))).toBe(true);
    tell('c3', aVerdict([aSnapshotService('web')]));
    expect(world.held.size).toBe(0);
  });
});
