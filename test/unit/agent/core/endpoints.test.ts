import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { candidates, type KnownEndpoints, turnOf } from '../../../../agent/core/endpoints.ts';
import type { Endpoint } from '../../../../schemas/endpoints.ts';

const at = (host: string): Endpoint => ({ api: `https://${host}:10100`, mqtt: `mqtts://${host}:10003` });
const turns = (known: KnownEndpoints, count: number): string[] =>
  Array.from({ length: count }, (_, attempt) => new URL(turnOf(known, attempt).endpoint.api).hostname);

describe('where an agent tries next', () => {
  it('is the place that it joined with, as long as it knows no other', () => {
    expect(turns({ joined: at('a'), list: [] }, 4)).toEqual(['a', 'a', 'a', 'a']);
    expect(turnOf({ joined: at('a'), list: [] }, 3).known).toBe(true);
  });

  it('is the one that worked, twice, and then each in turn', () => {
    const known = { joined: at('a'), last: at('b'), list: [at('a'), at('b'), at('c')] };
    expect(turns(known, 8)).toEqual(['b', 'b', 'a', 'c', 'b', 'a', 'c', 'b']);
    expect(turnOf(known, 0).known).toBe(true);
    expect(turnOf(known, 2).known).toBe(false);
  });

  it('asks at the place where it joined, too, once it was elsewhere', () => {
    expect(turnOf({ joined: at('a'), last: at('b'), list: [] }, 2)).toEqual({ endpoint: at('a'), known: false });
  });

  it('tells brokers of others apart by their root', () => {
    const external = { ...at('a'), external: true as const };
    expect(candidates({ joined: at('a'), list: [external, { ...external, ca: 'PEM' }] })).toHaveLength(3);
  });

  it('is, within one turn, every place that it knows: no list takes away the one that worked or the one it joined with', () => {
    const places = fc.constantFrom('a', 'b', 'c', 'd', 'evil').map(at);
    const knowns = fc.record(
      { joined: places, last: places, list: fc.array(places, { maxLength: 8 }) },
      { requiredKeys: ['joined', 'list'] },
    );
    fc.assert(
      fc.property(knowns, fc.nat(50), (known, from) => {
        const all = candidates(known as KnownEndpoints);
        const tried = Array.from(all, (_, n) => turnOf(known as KnownEndpoints, from + 1 + n).endpoint);
        expect(new Set(tried)).toEqual(new Set(all));
        expect(all).toContainEqual(known.joined);
        if (known.last) expect(all[0]).toEqual(known.last);
      }),
    );
  });
});
