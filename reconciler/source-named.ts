/** Which git source somebody means. */
import { ProblemError, problem } from '../schemas/problem.ts';

/**
 * The source of that name; without one, the only source. NOT_FOUND when there is none; BAD_REQUEST when several may be meant, with
 * their names.
 */
export function sourceNamed<T extends { readonly name: string }>(sources: readonly T[], name: string | undefined): T {
  const [first, ...more] = sources;
  const found = name === undefined && more.length === 0 ? first : sources.find((one) => one.name === name);
  if (found) return found;
  const known = sources.map((one) => one.name).join(', ') || 'none';
  const code = name === undefined && first ? 'BAD_REQUEST' : 'NOT_FOUND';
  const message = name === undefined ? 'which source?' : `no source is called ${name}`;
  throw new ProblemError(problem(code, message, { hint: `its sources: ${known}` }));
}
