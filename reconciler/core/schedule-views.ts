/** Jobs with a schedule as people see them. */
import type { Hold } from '../../schemas/status.ts';
import type { CopyView, ScheduleView, ServiceView } from '../../schemas/views.ts';
import type { Copy, Desired } from './model.ts';
import { endText, formatWall, lastRun } from './runs.ts';
import { optional, type ViewInput } from './view-input.ts';

/** Undefined: it has none. */
export function scheduleView(input: ViewInput, { spec, stopped }: Desired): ScheduleView | undefined {
  if (!spec.schedule) return undefined;
  const { cron, time_zone, concurrency } = spec.schedule;
  const state = input.view.schedules.get(spec.name);
  const { after: _own, ...current } = state?.current ?? {};
  return {
    cron,
    time_zone,
    concurrency,
    ...optional('next', stopped ? undefined : input.plans.get(spec.name)?.nextRun),
    ...optional('current', state?.current && (current as ScheduleView['runs'][number])),
    runs: state?.runs ?? [],
    skipped: state?.skipped ?? 0,
  };
}

/** Does a run go on, or is about to begin? Before anything is known of its schedule, too: then it is about to be planned. */
export function isUnderWay(input: ViewInput, { spec }: Pick<Desired, 'spec'>): boolean {
  const state = input.view.schedules.get(spec.name);
  return !state || state.current !== undefined || state.asked !== undefined;
}

/** A run goes on with the version that it began with. */
export function digestUnderWay(input: ViewInput, { spec }: Desired): string {
  return (spec.schedule && input.view.schedules.get(spec.name)?.current?.digest) ?? spec.digest;
}

/** A job between two runs: as well as the last one was, if that was of the version that is wanted. */
export function judgeResting(input: ViewInput, { spec }: Desired): Pick<ServiceView, 'outcome' | 'message'> {
  const state = input.view.schedules.get(spec.name);
  const next = input.plans.get(spec.name)?.nextRun;
  const last = lastRun(state, spec.digest);
  const [latest] = state?.runs ?? [];
  const before = latest ? `the last one, of ${formatWall(latest.due)}: ${endText(latest)}` : 'none so far';
  const message = `${next === undefined ? 'not planned yet' : `next run ${formatWall(next)}`}; ${before}`;
  return { outcome: last && bad.has(last.outcome) ? 'failed' : 'settled', message };
}

const bad: ReadonlySet<string> = new Set(['failed', 'lost', 'missed']);

/** How a copy ended that was stopped after its run, so that nobody starts it again. Undefined: it did not end by itself. */
export function endOfCopy(
  input: Pick<ViewInput, 'view'>,
  { service, job, report }: Copy,
): (Pick<CopyView, 'reason'> & { readonly status: 'completed' | 'failed' }) | undefined {
  const state = input.view.schedules.get(service);
  const [last] = state?.runs ?? [];
  const code = report?.exit_code;
  if (!last || state?.current || job?.want !== 'stopped' || report?.status !== 'stopped' || code === undefined)
    return undefined;
  if (last.outcome !== 'completed' && last.outcome !== 'failed') return undefined;
  if (code === 0) return { status: 'completed' };
  return { status: 'failed', reason: { code: 'START_FAILED', message: `it ended with exit code ${code}` } };
}

/** What is as it should be, for all that it waits. */
export function isScheduled({ code }: Pick<Hold, 'code'>): boolean {
  return code === 'SCHEDULED';
}
