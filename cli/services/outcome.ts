/** Waiting for the outcome of a change: pure verdicts, and the loop that asks until each service has one. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterEvent } from '../../schemas/cluster-events.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { isProblemError } from '../../schemas/problem.ts';
import type { HoldCode } from '../../schemas/status.ts';
import type { Outcome, ServiceView } from '../../schemas/views.ts';
import { type Bell, createBell } from '../bell.ts';
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
  'SUSPENDED',
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

/** For who ends the waiting. */
export const changeGoesOn = 'no longer waiting; the cluster goes on with it: oakctl services ls';

/** Who says how services are, and, where it can, when something happens to them. */
export type Informant = Pick<ApiClient, 'services'> & Partial<Pick<ApiClient, 'events'>>;

/**
 * Asks until every service has a verdict or the time is over; looks before it waits, so what is already done returns at once.
 * It asks when an event is about one of them, now and then besides, and at `interval` where nobody tells of events.
 * A reconciler that does not answer for a while (it may be restarting) is asked again.
 */
export async function waitForOutcomes(
  api: Informant,
  wanted: readonly Wanted[],
  options: WaitOptions,
  signal: AbortSignal,
): Promise<readonly ServiceOutcome[]> {
  const over = new AbortController();
  const news = listen(api, wanted, AbortSignal.any([signal, over.signal]));
  try {
    return await askUntil(api, wanted, options, news, signal);
  } finally {
    over.abort();
  }
}

/** ms without an event after which it is asked all the same: what a service waits for changes silently. */
const silence = 500;

interface News {
  readonly bell: Bell;
  /** Nobody tells of events: an older reconciler, or one that went away. */
  isOver(): boolean;
}

function listen(api: Informant, wanted: readonly Wanted[], signal: AbortSignal): News {
  const bell = createBell();
  const { events } = api;
  let over = events === undefined;
  const isOurs = (subject: string) => wanted.some(({ name }) => subject === name || subject.startsWith(`${name}.`));
  const follow = async (stream: AsyncIterable<ClusterEvent>): Promise<void> => {
    for await (const { subject } of stream) if (isOurs(subject)) bell.ring();
  };
  const end = (): void => {
    over = true;
    bell.ring();
  };
  // It only saves questions: whatever is wrong with it, the questions themselves find out.
  if (events) follow(events({ after: 'latest', follow: true }, signal)).then(end, end);
  return { bell, isOver: () => over };
}

async function askUntil(
  api: Informant,
  wanted: readonly Wanted[],
  options: WaitOptions,
  { bell, isOver }: News,
  signal: AbortSignal,
): Promise<readonly ServiceOutcome[]> {
  const end = performance.now() + options.timeout;
  let outcomes = wanted.map((one) => judge(one, undefined));
  for (;;) {
    bell.still();
    const views = await ask(api, wanted, signal);
    outcomes = wanted.map((one, i) =>
      views === undefined ? silent(outcomes[i], one) : judge(one, views.get(one.name), options.goal),
    );
    options.progress(outcomes);
    if (outcomes.every(({ verdict }) => verdict !== 'waiting') || performance.now() >= end) return outcomes;
    const left = Math.max(0, end - performance.now());
    // However much happens, it is not asked more often than at this interval.
    await sleep(Math.min(options.interval, left), undefined, { signal });
    if (!isOver()) await bell.rung(Math.min(silence, left));
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
