import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsonPieces } from '../../../schemas/json-pieces.ts';

const leaf = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.constant(undefined));
const { any } = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'large', withCrossShrink: true },
    leaf,
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('any'), { maxKeys: 4 }),
  ),
}));

it('are together what JSON.stringify makes of the value', () => {
  fc.assert(
    fc.property(any, (value) => {
      fc.pre(value !== undefined);
      expect([...jsonPieces(value)].join('')).toBe(JSON.stringify(value));
    }),
    { numRuns: 500 },
  );
});

it('are many of a large value, and one of a small one', () => {
  const large = { world: { copies: Array.from({ length: 10_000 }, (_, n) => ({ name: `copy ${n}` })) } };
  const pieces = [...jsonPieces(large)];
  expect(pieces.join('')).toBe(JSON.stringify(large));
  expect(pieces.length).toBeGreaterThan(2);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(100_000);
  const deep = { sources: [{ before: large.world.copies }] };
  expect([...jsonPieces(deep)].join('')).toBe(JSON.stringify(deep));
  expect([...jsonPieces(deep)].length).toBe(pieces.length);
  expect([...jsonPieces({ a: [1] })]).toEqual(['{"a":[1]}']);
});
