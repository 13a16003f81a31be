/** What a report means for a plan. */
import type { Job } from '../../schemas/messages.ts';
import type { Mono } from '../../schemas/ports.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import type { Hold, HoldCode } from '../../schemas/status.ts';
import type { Copy, Node } from './model.ts';
import { isSeed } from './node-facts.ts';

export interface Health {
  readonly healthy: boolean;
  /** When a copy that runs will have run long enough. */
  readonly settlesAt?: Mono;
}

/** What of a copy decides on its health. */
type Judged = Pick<Copy, 'report' | 'since'> & { readonly job?: Pick<Job, 'want'> };

/**
 * Healthy: a one-shot copy that completed, a copy that runs and whose healthcheck says so, or one without a healthcheck that has
 * run for `settle` ms.
 */
export function healthOf(copy: Judged, run: RunSpec, settle: number, now: Mono): Health {
  const status = copy.report?.status;
  if (copy.job?.want !== 'run') return { healthy: false };
  if (status === 'completed') return { healthy: true };
  if (status !== 'running') return { healthy: false };
  if (run.healthcheck) return { healthy: true };
  const settlesAt = ((copy.since ?? now) + settle) as Mono;
  return now >= settlesAt ? { healthy: true } : { healthy: false, settlesAt };
}

/** A job that runs once and has not come to its end: it may be healthy, and is not done. Of seed nodes nobody ever hears of an end. */
export function isUndone(
  { report }: Pick<Copy, 'report'>,
  { one_shot }: Pick<RunSpec, 'one_shot'>,
  node: Pick<Node, 'record'>,
): boolean {
  return one_shot === true && report?.status !== 'completed' && !isSeed(node);
}

/** Image and files are there, or it went further already. */
export function isPrepared(copy: Copy): boolean {
  return ['prepared', 'starting', 'running', 'unhealthy', 'completed'].includes(copy.report?.status ?? '');
}

/** Does it run, as far as anybody knows? */
export function isUp(copy: Pick<Copy, 'report'>): boolean {
  return runs(copy) || ['stopping', 'unknown'].includes(copy.report?.status ?? '');
}

/** It runs, by what its node said last: not on its way down, and its engine answers. */
export function runs({ report }: Pick<Copy, 'report'>): boolean {
  return ['starting', 'running', 'unhealthy'].includes(report?.status ?? '');
}

/** It runs, or will by what its node was told, or nobody knows that it does not. */
export function mayRun(copy: Pick<Copy, 'job' | 'report'>): boolean {
  return copy.job?.want === 'run' || isUp(copy);
}

/** Reasons that the next attempt will not meet again by itself. */
const final: ReadonlySet<string> = new Set(['IMAGE_NOT_FOUND', 'IMAGE_WRONG_ARCHITECTURE', 'PROCESS_NOT_ALLOWED']);
/** Reasons that may be gone at any later attempt: only the update timeout ends the wait. */
const passing: ReadonlySet<string> = new Set([
  'IMAGE_DENIED',
  'IMAGE_NO_SPACE',
  'IMAGE_PULL_FAILED',
  'IMAGE_STALLED',
  'REGISTRY_INSECURE',
  'REGISTRY_UNREACHABLE',
  'RUNTIME_UNAVAILABLE',
]);
/** Any other failure gets this many ms, in which its agent tries twice more. */
const secondChances = 30_000;

/** From when on a copy counts as failed for good, because waiting longer helps nobody. Undefined: not in sight. */
export function failsAt({ report, since }: Copy): Mono | undefined {
  if (report?.status === 'crash_loop') return since;
  const code = report?.reason?.code ?? '';
  if (report?.status !== 'failed' || passing.has(code) || since === undefined) return undefined;
  const ended = report.exit_code !== undefined;
  return ended || final.has(code) ? since : ((since + secondChances) as Mono);
}

/** Why a copy that should run is not healthy yet. */
export function holdOf(copy: Copy, nodeName: string, settlesIn?: number): Hold {
  const { report } = copy;
  const status = report?.status ?? 'waiting';
  const code = report?.reason?.code === 'DRIFT_KEPT' ? 'DRIFT_KEPT' : (codes[status] ?? 'IN_PROGRESS');
  const why = report?.reason ? `: ${report.reason.message}` : '';
  const say = (message: string): Hold => ({ code, subject: copy.instance, message: `${message} on ${nodeName}${why}` });
  if (!report) return say('sent, not reported yet');
  if (status === 'running') {
    return { ...say(`runs, and must go on for ${seconds(settlesIn ?? 0)}`), code: 'SETTLING' };
  }
  return say(status.replace('_', ' '));
}

const codes: Readonly<Record<string, HoldCode>> = {
  unhealthy: 'UNHEALTHY',
  crash_loop: 'CRASH_LOOP',
  failed: 'COPY_FAILED',
  unknown: 'ENGINE_UNKNOWN',
};

/** `12 s`, rounded up. */
export function seconds(ms: number): string {
  return `${Math.max(0, Math.ceil(ms / 1000))} s`;
}
