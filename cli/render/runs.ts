/** Jobs with a schedule: when they run, and how they did. */
import type { RunView, ScheduleView, ServiceView } from '../../schemas/views.ts';
import { age, duration } from './ages.ts';
import type { Column } from './table.ts';

const isoTime = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;

/** `0 3 * * * in Europe/Berlin` */
export function scheduleText({ cron, time_zone, concurrency }: ScheduleView): string {
  return `${cron} in ${time_zone}${concurrency === 'replace' ? ', a run that is due replaces the one before' : ''}`;
}

/** `2026-11-21T14:15:00Z, in 12m` */
export function nextText({ next }: ScheduleView): string | undefined {
  if (next === undefined) return undefined;
  const left = next - Date.now();
  return `${isoTime(next)}${left > 0 ? `, in ${age(left)}` : ''}`;
}

/** `completed, exit code 0, 3m ago`; a run that is under way before all. */
export function lastText({ current, runs: [last] }: ScheduleView): string | undefined {
  const run = current ?? last;
  if (!run) return undefined;
  if (run.ended === undefined) return `under way, for ${age(Math.max(0, Date.now() - run.started))}`;
  return `${[run.outcome, exitText(run)].filter(Boolean).join(', ')}, ${age(Math.max(0, Date.now() - run.ended))} ago`;
}

function exitText({ exit_code }: RunView): string | undefined {
  return exit_code === undefined ? undefined : `exit code ${exit_code}`;
}

/** In a listing of services: `next in 12m; last completed, exit code 0, 3m ago`. */
export function runsText({ schedule }: ServiceView): string | undefined {
  if (!schedule) return undefined;
  const next =
    schedule.next === undefined ? 'no next run' : `next run in ${age(Math.max(0, schedule.next - Date.now()))}`;
  const last = lastText(schedule);
  return [next, last === undefined ? 'none so far' : `last ${last}`].join('; ');
}

/** The run under way, then ended ones. */
export function runRows({ current, runs }: ScheduleView): readonly RunView[] {
  return current ? [current, ...runs] : runs;
}

export const runColumns: readonly Column<RunView>[] = [
  { title: 'RUN', value: ({ due }) => isoTime(due) },
  { title: 'OUTCOME', value: ({ outcome }) => outcome ?? 'under way' },
  { title: 'EXIT CODE', value: ({ exit_code }) => exit_code, right: true },
  { title: 'TOOK', value: ({ started, ended }) => ended && duration(Math.max(0, ended - started)), right: true },
  { title: 'NODE', value: ({ node }) => node },
  { title: 'BECAUSE', value: ({ cause }) => cause.replace('_', ' ') },
  { title: 'SKIPPED', value: ({ skipped }) => skipped, right: true },
  { title: 'REASON', value: ({ reason }) => reason },
];
