import { describe, expect, it } from 'vitest';
import { saveWorld } from '../../../reconciler/core/saved-world.ts';
import { restorePlanning, type SavedPlanning, savePlanning } from '../../../reconciler/saved-planning.ts';
import { parseSnapshot } from '../../../schemas/cluster-snapshot.ts';
import { aPolicy, aService, at, wanted } from '../../support/builders.ts';
import { aFleet } from '../../support/fleet.ts';

function aSnapshot(): SavedPlanning {
  const fleet = aFleet(2);
  fleet.want(wanted(aService({ name: 'shop.default.web.default' })));
  fleet.run(20_000);
  const rest = { limits: 'none' as const, direct: {}, sources: [] };
  const planning = { world: fleet.world, policy: aPolicy(), now: at(fleet.now()), ...rest };
  return savePlanning(planning, 'ab'.repeat(32));
}

const read = (text: string, cluster?: string) => parseSnapshot<SavedPlanning>(text, 'cluster.json', cluster);
const problemOf = (text: string, cluster?: string) => {
  const parsed = read(text, cluster);
  if (parsed.ok) throw new Error('it was taken');
  expect(parsed.problem).toMatchObject({ code: 'SNAPSHOT_INVALID', file: 'cluster.json', hint: expect.any(String) });
  return parsed.problem.message;
};

describe('a snapshot', () => {
  const snapshot = aSnapshot();
  const text = JSON.stringify(snapshot);

  it('is read as it was written, and may have members that nobody knows', () => {
    const parsed = read(JSON.stringify({ ...snapshot, later: 1 }), snapshot.cluster);
    if (!parsed.ok) throw new Error(parsed.problem.message);
    const { world, now } = restorePlanning(parsed.value);
    expect(saveWorld(world, now.mono)).toEqual(snapshot.world);
  });

  it.each([
    ['an empty file', '', /is empty/],
    ['a text', 'applications: []', /not JSON/],
    ['half of one', text.slice(0, text.length / 2), /ends in the middle, after \d+ characters/],
    ['other JSON', '{"applications":[]}', /no snapshot/],
    ['a list', '[]', /no snapshot/],
    ['null', 'null', /no snapshot/],
    ['an older version', JSON.stringify({ ...snapshot, version: 1 }), /older version \(1\).*reads version 2/],
    ['a newer version', JSON.stringify({ ...snapshot, version: 3 }), /another version \(3\)/],
    ['one without a world', JSON.stringify({ ...snapshot, world: undefined }), /`world` is missing/],
    ['a changed one', text.replace('"heard":', '"heard":"x","old":'), /must be a number/],
  ])('is not %s', (_, source, message) => {
    expect(problemOf(source)).toMatch(message);
  });

  it('of another cluster is refused where one is named', () => {
    expect(problemOf(text, 'elsewhere')).toBe(`it is of the cluster ${snapshot.cluster}, not of elsewhere`);
  });

  it('that was changed anywhere is refused or planned, and nothing else', () => {
    const paths: string[][] = [];
    const walk = (value: unknown, path: string[]): void => {
      paths.push(path);
      if (typeof value === 'object' && value !== null)
        for (const [key, one] of Object.entries(value)) walk(one, [...path, key]);
    };
    walk(snapshot, []);
    for (const path of paths.filter(({ length }) => length > 0)) {
      for (const broken of [null, 'x', -1, [], {}, undefined]) {
        const copy = JSON.parse(text) as Record<string, unknown>;
        const last = path.at(-1) as string;
        const parent = path.slice(0, -1).reduce<Record<string, unknown>>((at, key) => at[key] as never, copy);
        parent[last] = broken;
        const parsed = read(JSON.stringify(copy));
        if (parsed.ok) expect(() => restorePlanning(parsed.value), path.join('.')).not.toThrow();
      }
    }
  });
});
