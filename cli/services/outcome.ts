/** Waiting for the outcome of a change: pure verdicts, and the loop that asks until each service has one. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { isProblemError } from '../../schemas/problem.ts';
import type { HoldCode } from '../../schemas/status.ts';
import type { Outcome, ServiceView } from '../../schemas/views.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';

/** What became of one service. `waiting` ends with the others, or with the timeout. */
export type Verdict = 'settled' | 'unconfirmed' | 'failed' | 'rolled_back' | 'refused' | 'waiting';

/** A service that was asked for: its full name and the digest that shall run. */
export interface Wanted {
  readonly name: string;
  readonly digest: string;
}

export interface ServiceOutcome extends Wanted {
  readonly verdict: Verdict;
  /** What it waits for, or why it failed. */
  readonly message: string;
  readonly view?: ServiceView;
}

/** Holds that only a human frees: waiting longer is no use. */
const refusals: ReadonlySet<HoldCode> = new Set([
  'REMOVAL_GUARD',
  'SOURCE_INCOMPLETE',
  'SOURCE_CONFLICT',
  'UPDATE_PAUSED',
]);

/** Judges what a reconciler says about a service. */
export function judge(wanted: Wanted, view: ServiceView | undefined, goal?: Outcome): ServiceOutcome {
  const outcome = (verdict: Verdict, message: string): ServiceOutcome =>
    view ? { ...wanted, verdict, message, view } : { ...wanted, verdict, message };
  if (!view) return outcome('waiting', 'the reconciler does not know it yet');
  if (view.outcome === goal) return outcome('settled', view.message);
  const refusal = view.holds.find((hold) => hold.id !== undefined || refusals.has(hold.code));
  if (view.digest !== wanted.digest) {
    if (refusal) return outcome('refused', refusal.message);
    return outcome('waiting', `another version is wanted (${view.digest.slice(0, 14)})`);
  }
  switch (view.outcome) {
    case 'settled':
      return outcome('settled', view.message);
    case 'unconfirmed':
      return outcome('unconfirmed', view.message);
    case 'rolled_back':
      return outcome('rolled_back', view.message);
    case 'failed':
    case 'paused':
      return outcome('failed', view.message);
    case 'removing':
      return outcome('failed', `it is being removed: ${view.message}`);
    case 'held':
      return refusal ? outcome('refused', refusal.message) : outcome('waiting', view.message);
    case 'stopped':
      return outcome('refused', view.message);
    case 'progressing':
    case 'orphaned':
      return outcome('waiting', view.message);
  }
}

/** One exit code for many services: the worst, failures before what merely did not come to an end. */
export function exitCodeOfOutcomes(outcomes: readonly ServiceOutcome[]): ExitCode {
  const has = (verdict: Verdict) => outcomes.some((outcome) => outcome.verdict === verdict);
  if (has('failed')) return exitCodes.failed;
  if (has('rolled_back')) return exitCodes.rolledBack;
  if (has('refused')) return exitCodes.refused;
  return has('waiting') ? exitCodes.timedOut : exitCodes.ok;
}

export interface WaitOptions {
  /** ms; the wait then ends with what is known. */
  readonly timeout: number;
  /** ms between two questions. */
  readonly interval: number;
  /** What counts as done beside `settled`. */
  readonly goal?: Outcome;
  /** Called after every answer. */
  readonly progress: (outcomes: readonly ServiceOutcome[]) => void;
}

/**
 * Asks until every service has a verdict or the time is over; looks before it waits, so what is already done returns at once.
 * A reconciler that does not answer for a while (it may be restarting) is asked again.
 */
export async function waitForOutcomes(
  api: Pick<ApiClient, 'services'>,
  wanted: readonly Wanted[],
  options: WaitOptions,
  signal: AbortSignal,
): Promise<readonly ServiceOutcome[]> {
  const end = performance.now() + options.timeout;
  let outcomes = wanted.map((one) => judge(one, undefined));
  for (;;) {
    const views = await ask(api, wanted, signal);
    outcomes = wanted.map((one, i) =>
      views === undefined ? silent(outcomes[i], one) : judge(one, views.get(one.name), options.goal),
    );
    options.progress(outcomes);
    if (outcomes.every(({ verdict }) => verdict !== 'waiting') || performance.now() >= end) return outcomes;
    await sleep(Math.min(options.interval, Math.max(0, end - performance.now())), undefined, { signal });
  }
}

function silent(last: ServiceOutcome | undefined, wanted: Wanted): ServiceOutcome {
  return { ...(last ?? wanted), ...wanted, verdict: 'waiting', message: 'the reconciler does not answer' };
}

/** Views by name; undefined when the reconciler does not answer just now. */
async function ask(
  api: Pick<ApiClient, 'services'>,
  wanted: readonly Wanted[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ServiceView> | undefined> {
  try {
    const views = await api.services(
      wanted.map(({ name }) => name),
      signal,
    );
    return new Map(views.map((view) => [view.name, view]));
  } catch (error) {
    const code = isProblemError(error) ? error.problem.code : undefined;
    if (code === 'NOT_FOUND') return byName(await api.services([], signal).catch(() => []));
    if (code === 'UNREACHABLE' || code === 'UNAVAILABLE') return undefined;
    throw error;
  }
}

function byName(views: readonly ServiceView[]): ReadonlyMap<string, ServiceView> {
  return new Map(views.map((view) => [view.name, view]));
}
