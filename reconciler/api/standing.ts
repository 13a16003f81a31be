/** What lasts goes on only as long as whoever opened it may: those who did are looked at again and again. */
import { isProblemError, type Problem, problem } from '../../schemas/problem.ts';
import type { Accounts } from '../accounts/accounts.ts';
import type { Caller } from '../core/rights.ts';

/** ms. */
const lookEvery = 1_000;

export interface Standing {
  /** From now on calls `over` each second in which the caller may not go on, with why. The answer ends that. */
  watch(caller: Caller, over: (why: Problem) => void): () => void;
}

export function createStanding(accounts: Pick<Accounts, 'current'>): Standing {
  const watched = new Map<object, { readonly caller: Caller; readonly over: (why: Problem) => void }>();
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    for (const { caller, over } of [...watched.values()]) {
      const why = whyOver(caller, accounts);
      if (why) over(why);
    }
  };
  return {
    watch(caller, over) {
      // The token file lasts as long as the process.
      if (caller.by === 'cluster') return () => {};
      const key = {};
      watched.set(key, { caller, over });
      timer ??= setInterval(look, lookEvery).unref();
      return () => {
        watched.delete(key);
        if (watched.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
  };
}

/** Another role means another view of the cluster, so what was opened with the one before is over as well; as does what a token is limited to. */
function whyOver(caller: Caller, accounts: Pick<Accounts, 'current'>): Problem | undefined {
  try {
    const { role, own } = accounts.current(caller);
    if (role !== caller.role) return problem('FORBIDDEN', `${caller.name} is ${role} now, not ${caller.role}`);
    return own === caller.own ? undefined : problem('FORBIDDEN', `${caller.name} sees other applications now`);
  } catch (error) {
    if (isProblemError(error)) return error.problem;
    throw error;
  }
}
