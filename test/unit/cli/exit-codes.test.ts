import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../../cli/exit-codes.ts';
import { problem, problemCodes } from '../../../schemas/problem.ts';

describe('exit codes', () => {
  it.each([
    ['USAGE', 2],
    ['BAD_REQUEST', 2],
    ['TIMED_OUT', 3],
    ['REFUSED', 4],
    ['OWNED_BY_GIT', 4],
    ['UNAUTHORIZED', 4],
    ['UNREACHABLE', 5],
    ['UNAVAILABLE', 5],
    ['DESCRIPTOR_INVALID', 1],
    ['NOT_FOUND', 1],
  ] as const)('of %s is %i', (code, exit) => {
    expect(exitCodeOf([problem(code, 'x')])).toBe(exit);
  });

  it('is never 0 for a problem', () => {
    for (const code of Object.keys(problemCodes) as (keyof typeof problemCodes)[]) {
      expect(exitCodeOf([problem(code, 'x')]), code).toBeGreaterThan(0);
    }
  });

  it('is that of the first error, warnings passed over', () => {
    const warning = problem('USAGE', 'x', { severity: 'warning' });
    expect(exitCodeOf([warning, problem('REFUSED', 'x')])).toBe(4);
    expect(exitCodeOf([warning])).toBe(1);
  });
});
