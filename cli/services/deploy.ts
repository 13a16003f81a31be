/** Deploying directly: send, then wait for the outcome. */
import type { DeployAnswer, DeployRequest } from '../../schemas/api.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { isProblemError, type Problem, ProblemError } from '../../schemas/problem.ts';
import { type Informant, type ServiceOutcome, type WaitOptions, waitForOutcomes } from './outcome.ts';

/** Update timeout, as long again for a rollback, and a minute: what the slowest default may take. ms. */
export const defaultTimeout = 11 * 60_000;

export interface Deployed {
  readonly services: DeployAnswer['services'];
  readonly warnings: readonly Problem[];
  /** Empty when nobody waited. */
  readonly outcomes: readonly ServiceOutcome[];
}

/** Records the descriptors and, with `wait`, waits for what becomes of each service. OWNED_BY_GIT with a hint to commit instead. */
export async function deployDirectly(
  api: Pick<ApiClient, 'deploy'> & Informant,
  request: DeployRequest & { readonly actor: string },
  wait: WaitOptions | undefined,
  signal: AbortSignal,
): Promise<Deployed> {
  const answer = await api.deploy(request, signal).catch((error: unknown) => {
    throw withCommitHint(error);
  });
  const wanted = answer.services.map(({ name, digest }) => ({ name, digest }));
  const outcomes = wait ? await waitForOutcomes(api, wanted, wait, signal) : [];
  return { ...answer, outcomes };
}

function withCommitHint(error: unknown): unknown {
  if (!isProblemError(error)) return error;
  const hint = '`oakctl deploy --commit <file>` writes it to the repository';
  const problems = error.problems.map((p) => (p.code === 'OWNED_BY_GIT' ? { ...p, hint } : p));
  return new ProblemError(problems, { cause: error });
}
