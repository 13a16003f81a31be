/** Draining a node: asked for once, then watched until nothing is left that could move. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { isProblemError, ProblemError, problem } from '../../schemas/problem.ts';
import type { DrainView } from '../../schemas/views.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';

export interface Drained extends DrainView {
  readonly node: string;
  /** Instances that were to move, and are gone from it. */
  readonly moved: readonly string[];
}

export interface DrainWait {
  /** ms; the wait then ends with what is known. 0: look once. */
  readonly timeout: number;
  /** ms between two looks. */
  readonly interval: number;
  readonly progress: (drained: Drained) => void;
}

/**
 * Ends when nothing is left, when all that is left failed elsewhere, or when the time is over. A reconciler that does not answer for a
 * while (it may be restarting) is asked again.
 */
export async function waitUntilDrained(
  api: Pick<ApiClient, 'node'>,
  node: string,
  wait: DrainWait,
  signal: AbortSignal,
): Promise<Drained> {
  const end = performance.now() + wait.timeout;
  const seen = new Set<string>();
  let drained: Drained | undefined;
  for (;;) {
    const view = await look(api, node, signal);
    if (view) {
      for (const { instance } of view.left) seen.add(instance);
      const here = new Set([...view.left, ...view.apart].map(({ instance }) => instance));
      drained = { node, moved: [...seen].filter((one) => !here.has(one)).sort(), ...view };
      wait.progress(drained);
      if (view.left.every(({ stuck }) => stuck)) return drained;
    }
    if (performance.now() >= end) return drained ?? silent(node);
    await sleep(Math.min(wait.interval, Math.max(0, end - performance.now())), undefined, { signal });
  }
}

function silent(node: string): never {
  throw new ProblemError(problem('TIMED_OUT', `the reconciler does not answer: how far ${node} is nobody knows`));
}

/** Undefined while the reconciler does not answer. REFUSED when somebody ended it meanwhile. */
async function look(api: Pick<ApiClient, 'node'>, node: string, signal: AbortSignal): Promise<DrainView | undefined> {
  try {
    const { drain } = await api.node(node, signal);
    if (drain) return drain;
    throw new ProblemError(problem('REFUSED', `${node} is drained no more: somebody ended it`));
  } catch (error) {
    const code = isProblemError(error) ? error.problem.code : undefined;
    if (code === 'UNREACHABLE' || code === 'UNAVAILABLE') return undefined;
    throw error;
  }
}

/** Failed when all that is left failed elsewhere, else timed out. */
export function exitCodeOfDrain({ left }: Drained): ExitCode {
  if (left.length === 0) return exitCodes.ok;
  return left.every(({ stuck }) => stuck) ? exitCodes.failed : exitCodes.timedOut;
}
