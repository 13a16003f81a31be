/** Carrying out a plan that somebody looked at, and no other one. */
import type { DeployRequest } from '../schemas/api.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import type { Context } from './context.ts';
import { planOf } from './dry-run.ts';
import { planningNow } from './planning.ts';

/** REFUSED when the request names a plan that would be another one by now. In the turn of the caller, so that nothing comes between. */
export function requirePlan(context: Context, { documents, plan }: DeployRequest): void {
  if (plan === undefined) return;
  const { token = '' } = planOf(planningNow(context), { documents });
  if (token === plan) return;
  const moved = token.split('.')[0] === plan.split('.')[0] ? 'the state has' : 'the sources have';
  throw new ProblemError(
    problem('REFUSED', `${moved} moved on since the plan was made`, { hint: 'plan again, and look at it again' }),
  );
}
