/** The next state of a schedule: which run ends, which begins, what is skipped. Due times are wall times. */
import { dueTimes, mostCounted } from '../../schemas/cron.ts';
import { formatDuration } from '../../schemas/duration.ts';
import type { CopyId } from '../../schemas/names.ts';
import type { Mono, Now, Wall } from '../../schemas/ports.ts';
import type { Schedule } from '../../schemas/spec.ts';
import type { RunOutcome } from '../../schemas/views.ts';
import { type EndedRun, endText, formatWall, type JobRun, type RunNews, type ScheduleState } from './runs.ts';
import { formatAge } from './view-input.ts';

/** A run that starts within this time (ms) of its due time is not late. */
const punctual = 10_000;
/** A clock that is set back by more than this (ms) was wrong before: what is due counts from what it says now. */
const setBack = 3_600_000;

/** How the run that is under way does, all its instances together. */
export interface RunProgress {
  /** `active`: something of it runs, or may; `retrying`: what it started failed and is tried again; `unplaced`: no node had room. */
  readonly is: 'ended' | 'active' | 'retrying' | 'assumed' | 'lost' | 'unplaced';
  /** How it ended, or would. */
  readonly result: Pick<EndedRun, 'outcome' | 'exit_code' | 'node' | 'reason'>;
}

export interface Followed {
  readonly state: ScheduleState;
  readonly news: readonly RunNews[];
  /** The next due time. */
  readonly next?: Wall;
  readonly wakeAt?: Mono;
}

/** What is asked of the job now. */
export interface Asked {
  readonly schedule: Schedule;
  readonly source: string;
  readonly digest: string;
  /** Instances that a run has. */
  readonly instances: number;
  /** Copies that are made from now on have a higher id. */
  readonly mark: CopyId;
}

/**
 * The state to begin with: the known one, or a new one where the schedule is new or another. What ran and runs stays known. `isBehind`: the
 * clock says a time before anything of this cluster was, as that of a machine without one does when it starts; nothing counts from that.
 */
export function stateFor(
  known: ScheduleState | undefined,
  { schedule, source }: Pick<Asked, 'schedule' | 'source'>,
  now: Now,
  isBehind: () => boolean,
): ScheduleState {
  const rule = `${schedule.cron} ${schedule.time_zone}`;
  const fresh = { rule, source, since: now.wall, from: now.wall, skipped: 0 };
  if (!known) return { ...fresh, runs: [] };
  const { suspended, ...rest } = known;
  if (known.rule !== rule) return { ...rest, ...fresh };
  const wasAhead = known.from > now.wall + setBack && !isBehind();
  if (!suspended && !wasAhead) return { ...rest, source };
  return { ...rest, source, from: now.wall, ...(wasAhead && known.since > now.wall ? { since: now.wall } : {}) };
}

/** The service is stopped: what runs ends, nothing begins, and nothing is made up for afterwards. */
export function suspend(state: ScheduleState, schedule: Schedule, now: Now): Followed {
  const writer = createWriter(state, schedule, now);
  writer.end({ outcome: 'stopped' });
  const { asked: _nobody, ...rest } = writer.state;
  return { state: { ...rest, suspended: true }, news: writer.news };
}

/** One look at the schedule. `progress` is about `state.current`. */
export function followSchedule(
  state: ScheduleState,
  asked: Asked,
  progress: RunProgress | undefined,
  now: Now,
): Followed {
  const { schedule } = asked;
  const times = dueTimes(schedule);
  const writer = createWriter(state, schedule, now);
  if (progress?.is === 'ended') writer.end(progress.result);
  const over = progress && isOver(writer.state.current, progress, schedule, now);
  if (progress && over) writer.end(over);
  const due = times.last(state.from, now.wall);
  if (due) takeDue(writer, due, asked, progress, now);
  if (writer.state.asked) takeAsked(writer, asked, now);
  const next = times.next(Math.max(now.wall, writer.state.from) as Wall);
  const moments = [next, deadlineOf(writer.state.current, progress, schedule)].filter((at) => at !== undefined);
  const first = moments.length === 0 ? undefined : Math.min(...moments);
  return {
    state: writer.state,
    news: writer.news,
    ...(next === undefined ? {} : { next }),
    ...(first === undefined ? {} : { wakeAt: (now.mono + Math.max(0, first - now.wall)) as Mono }),
  };
}

/** What does not run any more is not tried beyond the next due time, and what never ran not beyond its deadline. */
function isOver(
  current: JobRun | undefined,
  progress: RunProgress,
  schedule: Schedule,
  now: Now,
): RunProgress['result'] | undefined {
  if (!current || progress.is === 'active' || progress.is === 'assumed') return undefined;
  if ((current.skipped ?? 0) > 0) return progress.result;
  const deadline = deadlineOf(current, progress, schedule);
  return deadline !== undefined && now.wall > deadline ? progress.result : undefined;
}

/** Until when a run that found no node may start; those that were asked for wait. */
function deadlineOf(
  current: JobRun | undefined,
  progress: RunProgress | undefined,
  schedule: Schedule,
): Wall | undefined {
  if (!current || current.cause === 'asked' || schedule.starting_deadline === undefined) return undefined;
  if (progress && progress.is !== 'unplaced') return undefined;
  return (current.due + Math.max(punctual, schedule.starting_deadline)) as Wall;
}

function takeDue(
  writer: Writer,
  { due, earlier }: { readonly due: Wall; readonly earlier: number },
  asked: Asked,
  progress: RunProgress | undefined,
  now: Now,
): void {
  const late = now.wall - due;
  writer.passed(due, earlier);
  const { current } = writer.state;
  const why = whyNot(late, current, asked, progress);
  if (why !== undefined) {
    writer.skip(due, why);
    return;
  }
  if (current && progress) writer.end(progress.is === 'active' ? { outcome: 'replaced' } : progress.result);
  writer.begin({ due, cause: late > punctual ? 'catch_up' : 'due' }, asked, lateText(late, earlier));
}

/** Why a due time gets no run. */
function whyNot(
  late: number,
  current: JobRun | undefined,
  { schedule, instances }: Asked,
  progress: RunProgress | undefined,
): string | undefined {
  const limit = schedule.starting_deadline;
  if (limit !== undefined && late > Math.max(punctual, limit)) {
    return `${formatAge(late)} late, and it may start ${formatDuration(limit)} after its time at most`;
  }
  if (instances === 0) return 'no instance is wanted';
  const isInTheWay = current && progress?.is === 'active' && schedule.concurrency === 'skip';
  return isInTheWay ? `the run of ${formatWall(current.due)} still goes on` : undefined;
}

function lateText(late: number, earlier: number): string {
  if (late <= punctual) return '';
  const many = earlier === mostCounted ? `at least ${earlier}` : String(earlier);
  const more = earlier === 0 ? '' : `; of ${many} before it nothing is made up for`;
  return `, ${formatAge(late)} late${more}`;
}

function takeAsked(writer: Writer, asked: Asked, now: Now): void {
  const { asked: request, current } = writer.state;
  writer.forgetAsked();
  if (!request || asked.instances === 0 || (current && !request.again)) return;
  writer.end({ outcome: 'replaced' });
  writer.begin({ due: now.wall, cause: 'asked' }, asked, `, asked for by ${request.actor}`);
}

interface Writer {
  readonly state: ScheduleState;
  readonly news: readonly RunNews[];
  passed(due: Wall, missed: number): void;
  skip(due: Wall, why: string): void;
  forgetAsked(): void;
  /** Ends the run that is under way, if there is one. */
  end(result: Pick<EndedRun, 'outcome' | 'exit_code' | 'node' | 'reason'>): void;
  begin(run: Pick<JobRun, 'due' | 'cause'>, asked: Asked, how: string): void;
}

function createWriter(start: ScheduleState, { history }: Schedule, now: Now): Writer {
  let state = start;
  const news: RunNews[] = [];
  return {
    get state() {
      return state;
    },
    news,
    passed(due, missed) {
      state = { ...state, from: due, skipped: state.skipped + missed };
    },
    skip(due, why) {
      const { current } = state;
      state = {
        ...state,
        skipped: state.skipped + 1,
        ...(current ? { current: { ...current, skipped: (current.skipped ?? 0) + 1 } } : {}),
      };
      news.push({
        kind: 'run_skipped',
        message: `no run at ${formatWall(due)}: ${why} (${state.skipped} skipped so far)`,
      });
    },
    forgetAsked() {
      const { asked: _done, ...rest } = state;
      state = rest;
    },
    end(result) {
      const { current, ...rest } = state;
      if (!current) return;
      const { after: _own, ...run } = current;
      const ended: EndedRun = { ...run, ended: now.wall, ...result };
      state = { ...rest, runs: [ended, ...state.runs].slice(0, history) };
      const took = formatAge(Math.max(0, now.wall - current.started));
      news.push({
        kind: 'run_ended',
        message: `the run of ${formatWall(current.due)} ${endText(ended)}, after ${took}`,
      });
    },
    begin({ due, cause }, { digest, mark }, how) {
      state = { ...state, current: { due, cause, started: now.wall, digest, after: mark } };
      news.push({ kind: 'run_started', message: `the run of ${formatWall(due)} begins${how}` });
    },
  };
}

/** How a run ends that does not come to its own end. */
export const outcomeOf: Readonly<Record<Exclude<RunProgress['is'], 'ended'>, RunOutcome>> = {
  active: 'replaced',
  retrying: 'failed',
  assumed: 'unconfirmed',
  lost: 'lost',
  unplaced: 'missed',
};
