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
  if (!first) throw new ProblemError(problem('NOT_FOUND', 'the cluster has no git source'));
  const hint = `its sources: ${sources.map((one) => one.name).join(', ')}`;
  if (name === undefined) throw new ProblemError(problem('BAD_REQUEST', 'which source?', { hint }));
  throw new ProblemError(problem('NOT_FOUND', `no source is called ${name}`, { hint }));
}
