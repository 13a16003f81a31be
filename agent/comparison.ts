/**
 * Finds copies that are not as they were created. One at a time: there is no hurry, and engines have other work.
 */
import type { Clock } from '../schemas/ports.ts';
import { isProblemError } from '../schemas/problem.ts';
import { withVariables } from '../schemas/variables.ts';
import type { CopyKey } from './core/copy.ts';
import { compared } from './core/drift.ts';
import { keyText } from './core/memory.ts';
import type { Ledger } from './ledger.ts';
import { canCompare, type Runtime } from './runtimes/runtime.ts';
import { type AgentState, remember } from './state.ts';

export interface Comparison {
  /** This copy may have changed. */
  suspect(key: CopyKey): void;
}

export interface ComparisonDeps {
  readonly runtimes: ReadonlyMap<string, Runtime>;
  readonly ledger: Pick<Ledger, 'part'>;
  readonly state: AgentState;
  readonly clock: Clock;
  /** What is remembered of a copy is another thing. */
  changed(): void;
}

/** ms until those are looked at again of which the engine did not tell, doubling. */
const firstPause = 5_000;
const longestPause = 300_000;

export function createComparison(deps: ComparisonDeps, signal: AbortSignal): Comparison {
  const { state, ledger } = deps;
  const suspects = new Map<string, CopyKey>();
  /** Of these the engine did not tell; it answers for others, so that nothing else brings them back. */
  const unanswered = new Map<string, CopyKey>();
  let pause = firstPause;
  let isWaiting = false;
  let working = false;

  const work = async (): Promise<void> => {
    if (working) return;
    working = true;
    for (const [key, suspect] of suspects) {
      suspects.delete(key);
      const isTold = await look(suspect).then(
        () => true,
        (error: unknown) => {
          if (!signal.aborted && !isProblemError(error)) throw error;
          return false;
        },
      );
      if (signal.aborted) return;
      if (isTold) pause = firstPause;
      else unanswered.set(key, suspect);
    }
    working = false;
    lookAgain();
  };

  const lookAgain = (): void => {
    if (unanswered.size === 0 || isWaiting) return;
    isWaiting = true;
    const cancel = deps.clock.after(pause, () => {
      signal.removeEventListener('abort', cancel);
      isWaiting = false;
      for (const [key, suspect] of unanswered) suspects.set(key, suspect);
      unanswered.clear();
      void work();
    });
    signal.addEventListener('abort', cancel, { once: true });
    pause = Math.min(longestPause, pause * 2);
  };

  const look = async (key: CopyKey): Promise<void> => {
    const job = ledger.part().jobs.find(({ instance, copy }) => instance === key.instance && copy === key.copy);
    const run = job && ledger.part().documents[job.digest];
    const runtime = job && deps.runtimes.get(job.runtime);
    if (!job || !run || !runtime || !canCompare(runtime) || state.busy.has(keyText(key))) return;
    const differences = await runtime.differences(key, withVariables(run, job.variables), signal);
    const { mono } = deps.clock.now();
    // A step that came between has made another one of it.
    if (state.busy.has(keyText(key))) return;
    remember(state, keyText(key), (memory) => compared(memory, differences, mono, state.keepsDrift));
    deps.changed();
  };

  return {
    suspect(key) {
      suspects.set(keyText(key), key);
      void work();
    },
  };
}
