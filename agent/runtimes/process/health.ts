/** Healthchecks of processes: the engine's rules, carried out by the runtime. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import type { Healthcheck } from '../../../schemas/spec.ts';
import type { FailedCheck } from '../runtime.ts';
import { sendSignal } from './proc.ts';

export type Health = 'starting' | 'healthy' | 'unhealthy';

/** Where a series of checks stands. */
export interface Series {
  readonly health: Health;
  /** Failures in a row that count. */
  readonly failures: number;
}

/**
 * The series after one more answer. One success is healthy; `retries` failures in a row are unhealthy; within the start period,
 * failures before the first success do not count. `age` is the process's, ms. Pure.
 */
export function judge(series: Series, ok: boolean, age: number, check: Healthcheck): Series {
  if (ok) return { health: 'healthy', failures: 0 };
  if (series.health === 'starting' && age < check.start_period) return series;
  const failures = series.failures + 1;
  return { health: failures >= Math.max(1, check.retries) ? 'unhealthy' : series.health, failures };
}

export interface CheckDeps {
  readonly check: Healthcheck;
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** ms since the process started. */
  age(): Promise<number>;
  /** The health is another one now, or it is `unhealthy` for another reason. */
  changed(health: Health, failed: FailedCheck | undefined): Promise<void>;
}

/** Checks until aborted. `first` is what was known before: then the first check comes at once, else after an interval. */
export async function keepChecking(deps: CheckDeps, first: Health, signal: AbortSignal): Promise<void> {
  let series: Series = { health: first, failures: 0 };
  let told: FailedCheck | undefined;
  let pause = first === 'starting' ? deps.check.interval : 0;
  try {
    for (;;) {
      await wait(pause, undefined, { signal, ref: false });
      const failed = await failureOf(deps, signal);
      const next = judge(series, failed === undefined, await deps.age(), deps.check);
      signal.throwIfAborted();
      const isOther = next.health !== series.health || (next.health === 'unhealthy' && failed !== told);
      if (isOther) await deps.changed(next.health, failed);
      series = next;
      told = failed;
      pause = deps.check.interval;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Runs the command once: undefined when it ends with 0 in time. What does not is killed with all that it started. */
function failureOf({ check, cwd, environment }: CheckDeps, signal: AbortSignal): Promise<FailedCheck | undefined> {
  const [program = '', ...args] = check.command;
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd, env: environment, stdio: 'ignore', detached: true });
    let isLate = false;
    const cut = (): void => {
      isLate = true;
      // As long as its end is not known here, the number of its group is nobody else's.
      const isThere = child.exitCode === null && child.signalCode === null;
      if (child.pid !== undefined && isThere) sendSignal(-child.pid, 'SIGKILL');
    };
    const timer = setTimeout(cut, check.timeout);
    signal.addEventListener('abort', cut, { once: true });
    const over = (failed: FailedCheck | undefined): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', cut);
      resolve(failed);
    };
    child.once('error', () => over('not_started'));
    child.once('exit', (code, by) => {
      if (code !== null) over(code === 0 ? undefined : code);
      else over(isLate ? 'timed_out' : 128 + constants.signals[by ?? 'SIGKILL']);
    });
  });
}
