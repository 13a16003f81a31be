import { expect, it } from 'vitest';
import { verbRequest } from '../../../cli/flags.ts';
import { ProblemError } from '../../../schemas/problem.ts';

it('a time that no reconciler takes is refused in words, not in milliseconds', () => {
  for (const ms of [999, 40 * 86_400_000]) {
    expect(() => verbRequest({ for: ms })).toThrow(ProblemError);
    expect(() => verbRequest({ for: ms })).toThrow('USAGE --for: at least a second, and at most 30 days');
  }
  expect(verbRequest({ for: 30 * 86_400_000 })).toEqual({ for: 2_592_000_000 });
});
