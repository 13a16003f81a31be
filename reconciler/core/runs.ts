/** Runs of a job that has a schedule, as data. Kept in the records. */
import type { CopyId } from '../../schemas/names.ts';
import type { Wall } from '../../schemas/ports.ts';
import type { RunOutcome } from '../../schemas/views.ts';

/** A run that is under way. */
export interface JobRun {
  /** When it was due; of one that was asked for: when that was. */
  readonly due: Wall;
  /** `catch_up`: later than its time, for all that were missed; `asked`: by hand. */
  readonly cause: 'due' | 'catch_up' | 'asked';
  readonly started: Wall;
  readonly digest: string;
  /** Its copies are those with a higher id. */
  readonly after: CopyId;
  /** Due times that were skipped while it went on. */
  readonly skipped?: number;
}

export interface EndedRun extends Omit<JobRun, 'after'> {
  readonly ended: Wall;
  readonly outcome: RunOutcome;
  readonly exit_code?: number;
  /** Name of the node where it ended. */
  readonly node?: string;
  readonly reason?: string;
}

/** What is known of the schedule of one service. */
export interface ScheduleState {
  /** The expression and zone that it speaks of, as one text. */
  readonly rule: string;
  /** Name of the source that asks for it. */
  readonly source: string;
  /** Since when. */
  readonly since: Wall;
  /** Due times up to this one are dealt with. */
  readonly from: Wall;
  readonly current?: JobRun;
  /** A run that somebody asked for; `again`: also if one is under way, which then ends. */
  readonly asked?: { readonly at: Wall; readonly actor: string; readonly again: boolean };
  /** The service is stopped: what falls due meanwhile is not made up for. */
  readonly suspended?: true;
  /** The last one first, bounded. */
  readonly runs: readonly EndedRun[];
  /** Due times that had no run, since the schedule is what it is; of a long absence at least so many. */
  readonly skipped: number;
}

/** For the journal: what a plan did to a schedule. */
export interface RunNews {
  readonly kind: 'run_started' | 'run_ended' | 'run_skipped';
  readonly message: string;
}

/** `2026-11-21T14:15:00Z` */
export function formatWall(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

/** The last run, of the schedule as it is now, and of this version. */
export function lastRun(state: ScheduleState | undefined, digest: string): EndedRun | undefined {
  const [last] = state?.runs ?? [];
  return last && last.digest === digest && last.started >= (state?.since ?? 0) ? last : undefined;
}

/** `completed`, `failed with exit code 3 on pi3`, `lost on pi3: ...` */
export function endText({ outcome, exit_code, node, reason }: EndedRun): string {
  const code = exit_code === undefined || outcome === 'completed' ? '' : ` with exit code ${exit_code}`;
  const where = node === undefined ? '' : ` on ${node}`;
  return `${outcome}${code}${where}${reason === undefined ? '' : `: ${reason}`}`;
}
