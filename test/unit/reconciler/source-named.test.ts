import { expect, it } from 'vitest';
import { sourceNamed } from '../../../reconciler/source-named.ts';

const [a, b] = [{ name: 'a' }, { name: 'b' }];

it.each([
  [[a], undefined, a],
  [[a], 'a', a],
  [[a, b], 'b', b],
])('of %j, %s is meant', (sources, name, meant) => {
  expect(sourceNamed(sources, name)).toBe(meant);
});

it.each([
  [[], undefined, 'NOT_FOUND', 'the cluster has no git source', undefined],
  [[], 'a', 'NOT_FOUND', 'the cluster has no git source', undefined],
  [[a, b], undefined, 'BAD_REQUEST', 'which source?', 'its sources: a, b'],
  [[a, b], 'c', 'NOT_FOUND', 'no source is called c', 'its sources: a, b'],
])('of %j, %s is none', (sources, name, code, message, hint) => {
  const asked = () => sourceNamed(sources, name);
  expect(asked).toThrow(
    expect.objectContaining({ problem: expect.objectContaining({ code, message, ...(hint && { hint }) }) }),
  );
});
