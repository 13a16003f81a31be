/** Which account a command is about. */
import type { CallerView } from '../../schemas/accounts.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';

/** The given one, else that of who calls. USAGE for the owner of a token file, who is no account. */
export function accountMeant(given: string | undefined, me: CallerView): string {
  if (given !== undefined) return given;
  if (me.by !== 'cluster') return me.name;
  const hint = '`oakctl users ls` lists them';
  throw new ProblemError(problem('USAGE', 'name the account: the token file of a cluster belongs to none', { hint }));
}
