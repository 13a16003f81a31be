/**
 * The broker refuses this node: its credential is not valid any more, or the broker is not what it should be. The API of the cluster
 * says which, over the connection that the agent trusts. Nothing is stopped for it: what runs is its owner's to end.
 */
import type { Clock, Mono } from '../schemas/ports.ts';
import { isProblemError, type Problem } from '../schemas/problem.ts';

/** ms between two questions. */
const askEvery = 60_000;

export interface RefusalDeps {
  readonly clock: Pick<Clock, 'now'>;
  /** REVOKED with what became of this node. Whatever else it throws says nothing about that. */
  standing(signal: AbortSignal): Promise<unknown>;
  told(found: Problem): void;
}

/** What to do at each refusal. */
export function createRefusal({ clock, standing, told }: RefusalDeps, signal: AbortSignal): () => void {
  let asked = Number.NEGATIVE_INFINITY as Mono;
  return () => {
    const { mono } = clock.now();
    if (mono - asked < askEvery) return;
    asked = mono;
    standing(signal).catch((error: unknown) => {
      if (signal.aborted) return;
      if (!isProblemError(error)) throw error;
      if (error.problem.code === 'REVOKED') told(error.problem);
    });
  };
}
