/** Restarts in place and retries: pure curves. Restarts belong to the agent; engines are told never to restart by themselves. */
import type { RestartPolicy, RunSpec } from '../../schemas/spec.ts';

const firstDelay = 10_000;
const longestDelay = 300_000;

/** A copy that ran this long (ms) has proved itself: its crashes are forgotten. */
export const provenAfter = 600_000;
/** From this crash in a row on, a copy reports `crash_loop`. */
export const crashLoopFrom = 5;

/** ms to wait before restart after the n-th crash in a row: 0, 10 s, 20 s ... 300 s. */
export function restartDelay(crashes: number): number {
  return crashes <= 1 ? 0 : doubled(crashes - 2);
}

/** ms to wait after the n-th failed try in a row: 10 s doubling to 300 s, +-20 % by `jitter` in [0, 1). */
export function retryDelay(attempts: number, jitter: number): number {
  return Math.round(doubled(attempts - 1) * (0.8 + 0.4 * jitter));
}

function doubled(times: number): number {
  return Math.min(longestDelay, firstDelay * 2 ** Math.min(Math.max(times, 0), 16));
}

/** What the descriptor means when it is silent: services always, one-shots never. */
export function restartPolicy(run: RunSpec): RestartPolicy {
  return run.restart ?? (run.one_shot ? 'never' : 'always');
}

/** What follows from the end of a copy that is wanted `run`: start it again, done, or ended for good without success. */
export type Ending = 'restart' | 'completed' | 'ended';

/** An unknown exit code counts as a failure. */
export function endingOf(run: RunSpec, exitCode: number | undefined): Ending {
  const policy = restartPolicy(run);
  if (exitCode === 0) return run.one_shot || policy !== 'always' ? 'completed' : 'restart';
  return policy === 'never' ? 'ended' : 'restart';
}

/** It runs once: what was stopped in the middle does not begin again by itself, whatever stopped it. */
export function runsOnce(run: RunSpec): boolean {
  return run.one_shot === true && restartPolicy(run) === 'never';
}
