import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rematch } from '../../../../reconciler/core/listings.ts';
import type { Listing, World } from '../../../../reconciler/core/model.ts';
import { apply, cloneWorld } from '../../../../reconciler/core/world.ts';
import { aCluster, aNodeRecord } from '../../../support/builders.ts';

const number = fc.integer({ min: 1, max: 4 });
const address = fc.integer({ min: 1, max: 3 }).map((n) => `10.0.0.${n}`);
const listing: fc.Arbitrary<Listing> = fc.record({
  name: fc.constantFrom('pi1', 'pi2', 'pi3', 'attic', 'cellar'),
  labels: fc.constant({}),
  ip: address,
});
const event = fc.oneof(
  fc.record({ kind: fc.constant('join' as const), n: number, ip: address }),
  fc.record({ kind: fc.constant('known' as const), n: number }),
  fc.record({ kind: fc.constant('forget' as const), n: number }),
  fc.record({
    kind: fc.constant('listings' as const),
    listings: fc.uniqueArray(listing, { selector: ({ name }) => name }),
  }),
);

const matches = (world: World): object => ({
  nodes: [...world.nodes].map(([id, { listing: one, aliases }]) => [id, one, aliases]),
  expected: [...world.expected.keys()].sort(),
});

describe('entries of nodes.yaml', () => {
  it('are matched node by node as they are when all is matched anew', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 20 }), (events) => {
        const { world, join } = aCluster();
        events.forEach((one, time) => {
          if (one.kind === 'join') join(one.n, time, { ip: one.ip });
          else if (one.kind === 'known') apply(world, { kind: 'node', record: aNodeRecord(one.n) });
          else if (one.kind === 'forget') apply(world, { kind: 'node_forgotten', node: `node${one.n}` });
          else apply(world, { kind: 'listings', listings: one.listings, removed: [] });
          const anew = cloneWorld(world);
          rematch(anew, world.listed.byName.values());
          expect(matches(world)).toEqual(matches(anew));
        });
      }),
      { numRuns: 300 },
    );
  });
});
