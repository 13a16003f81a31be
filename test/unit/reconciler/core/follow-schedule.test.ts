import { describe, expect, it } from 'vitest';
import {
  type Asked,
  followSchedule,
  type RunProgress,
  stateFor,
  suspend,
} from '../../../../reconciler/core/follow-schedule.ts';
import type { ScheduleState } from '../../../../reconciler/core/runs.ts';
import type { Mono, Now, Wall } from '../../../../schemas/ports.ts';
import type { Schedule } from '../../../../schemas/spec.ts';

const minute = 60_000;
const start = Date.UTC(2026, 0, 1, 0, 7);
/** `n` minutes after 00:07. */
const at = (n: number): Now => ({ mono: (5_000 + n * minute) as Mono, wall: (start + n * minute) as Wall });
const clock = (state: ScheduleState | undefined, n = 0) =>
  new Date(state?.runs[n]?.due ?? 0).toISOString().slice(11, 16);

const usual: Schedule = { cron: '*/15 * * * *', time_zone: 'UTC', concurrency: 'skip', history: 3 };
const asked = (changes: Partial<Asked> = {}): Asked => ({
  schedule: usual,
  source: 'direct',
  digest: 'd1',
  instances: 1,
  mark: '1.5',
  ...changes,
});
const right = (): boolean => false;
const begin = (schedule = usual): ScheduleState => stateFor(undefined, asked({ schedule }), at(0), right);
const active: RunProgress = { is: 'active', result: { outcome: 'replaced' } };
const done: RunProgress = { is: 'ended', result: { outcome: 'completed', exit_code: 0, node: 'pi1' } };
/** A state with the run of 00:15 under way. */
const running = (schedule = usual) => followSchedule(begin(schedule), asked({ schedule }), undefined, at(8)).state;

describe('a schedule', () => {
  it('runs nothing when it is new, and says when it is due', () => {
    const { state, news, next, wakeAt } = followSchedule(begin(), asked(), undefined, at(0));
    expect(state).toMatchObject({ runs: [], skipped: 0 });
    expect(state).not.toHaveProperty('current');
    expect(news).toEqual([]);
    expect(next).toBe(at(8).wall);
    expect(wakeAt).toBe(at(8).mono);
  });

  it('begins a run at its time and ends it with how it ended', () => {
    expect(running().current).toEqual({
      due: at(8).wall,
      cause: 'due',
      started: at(8).wall,
      digest: 'd1',
      after: '1.5',
    });
    const { state, news } = followSchedule(running(), asked(), done, at(10));
    expect(state).not.toHaveProperty('current');
    expect(state.runs).toMatchObject([{ outcome: 'completed', exit_code: 0, node: 'pi1', ended: at(10).wall }]);
    expect(news.map(({ kind }) => kind)).toEqual(['run_ended']);
  });

  it('looked at twice is the same', () => {
    const once = followSchedule(running(), asked(), active, at(9));
    expect(followSchedule(once.state, asked(), active, at(9))).toEqual({ ...once, news: [] });
  });

  it('remembers as many runs as asked', () => {
    let state = begin();
    for (let n = 0; n < 5; n += 1) {
      state = followSchedule(state, asked(), undefined, at(8 + 15 * n)).state;
      state = followSchedule(state, asked(), done, at(9 + 15 * n)).state;
    }
    expect(state.runs).toHaveLength(3);
    expect([clock(state), clock(state, 2)]).toEqual(['01:15', '00:45']);
  });
});

describe('the run before still goes on', () => {
  it('the due time is skipped, and counted', () => {
    const { state, news } = followSchedule(running(), asked(), active, at(23));
    expect(state.current).toMatchObject({ due: at(8).wall, skipped: 1 });
    expect(state.skipped).toBe(1);
    expect(news).toMatchObject([
      { kind: 'run_skipped', message: expect.stringContaining('2026-01-01T00:15:00Z still goes on') },
    ]);
  });

  it('or that run is replaced', () => {
    const schedule: Schedule = { ...usual, concurrency: 'replace' };
    const { state, news } = followSchedule(running(schedule), asked({ schedule, mark: '1.9' }), active, at(23));
    expect(state.current).toMatchObject({ due: at(23).wall, after: '1.9' });
    expect(state.runs).toMatchObject([{ outcome: 'replaced', due: at(8).wall }]);
    expect(news.map(({ kind }) => kind)).toEqual(['run_ended', 'run_started']);
  });

  it.each([
    ['retrying', 'failed'],
    ['lost', 'lost'],
    ['unplaced', 'missed'],
    ['assumed', 'unconfirmed'],
  ] as const)('what is %s ends as %s when the next one is due', (is, outcome) => {
    const { state } = followSchedule(running(), asked(), { is, result: { outcome } }, at(23));
    expect(state.current).toMatchObject({ due: at(23).wall });
    expect(state.runs).toMatchObject([{ outcome }]);
    expect(state.skipped).toBe(0);
  });

  it('what fails after the next one was skipped is not tried again', () => {
    const skipped = followSchedule(running(), asked(), active, at(23)).state;
    const { state } = followSchedule(
      skipped,
      asked(),
      { is: 'retrying', result: { outcome: 'failed', exit_code: 3 } },
      at(25),
    );
    expect(state).not.toHaveProperty('current');
    expect(state.runs).toMatchObject([{ outcome: 'failed', exit_code: 3, skipped: 1 }]);
  });
});

describe('nobody was there', () => {
  it('one run is made up for all that were missed', () => {
    const { state, news, next } = followSchedule(begin(), asked(), undefined, at(128));
    expect(state.current).toMatchObject({ due: at(128).wall, cause: 'due' });
    const late = followSchedule(begin(), asked(), undefined, at(130));
    expect(late.state.current).toMatchObject({ due: at(128).wall, cause: 'catch_up', started: at(130).wall });
    expect(late.state.skipped).toBe(8);
    expect(late.news.at(-1)?.message).toContain('2 min late; of 8 before it nothing is made up for');
    expect(news).toHaveLength(1);
    expect(next).toBe(at(143).wall);
  });

  it('unless it is too late for that', () => {
    const schedule: Schedule = { ...usual, starting_deadline: minute };
    const { state, news } = followSchedule(begin(schedule), asked({ schedule }), undefined, at(10));
    expect(state).not.toHaveProperty('current');
    expect(state.skipped).toBe(1);
    expect(news).toMatchObject([{ kind: 'run_skipped' }]);
    const soon = followSchedule(begin(schedule), asked({ schedule }), undefined, at(9));
    expect(soon.state.current).toMatchObject({ cause: 'catch_up' });
  });

  it('a run that finds no node ends at its deadline', () => {
    const schedule: Schedule = { ...usual, starting_deadline: 5 * minute };
    const unplaced: RunProgress = { is: 'unplaced', result: { outcome: 'missed' } };
    const waiting = followSchedule(running(schedule), asked({ schedule }), unplaced, at(12));
    expect(waiting.state.current).toBeDefined();
    expect(waiting.wakeAt).toBe(at(13).mono);
    const { state } = followSchedule(running(schedule), asked({ schedule }), unplaced, at(13.1));
    expect(state.runs).toMatchObject([{ outcome: 'missed' }]);
  });
});

describe('the clock', () => {
  it('set back by less than an hour repeats nothing', () => {
    const ran = followSchedule(running(), asked(), done, at(10)).state;
    const back = stateFor(ran, asked(), at(-20), right);
    const { state, next } = followSchedule(back, asked(), undefined, at(8));
    expect(state).not.toHaveProperty('current');
    expect(next).toBe(at(23).wall);
  });

  it('that was in another year for a while is not waited for', () => {
    const far = { ...begin(), from: (at(0).wall + 366 * 86_400_000) as Wall };
    const { next } = followSchedule(stateFor(far, asked(), at(0), right), asked(), undefined, at(0));
    expect(next).toBe(at(8).wall);
  });

  it('that was in another year when the schedule came is not waited for', () => {
    const year = 366 * 86_400_000;
    const far = { ...begin(), from: (at(0).wall + year) as Wall, since: (at(0).wall + year) as Wall };
    const state = stateFor(far, asked(), at(0), right);
    expect(state).toMatchObject({ since: at(0).wall, from: at(0).wall });
    expect(followSchedule(state, asked(), undefined, at(0)).next).toBe(at(8).wall);
  });

  it('that was not set yet starts nothing', () => {
    const boot: Now = { mono: 0 as Mono, wall: 1_000 as Wall };
    const { state, news } = followSchedule(
      stateFor(begin(), asked(), boot, () => true),
      asked(),
      undefined,
      boot,
    );
    expect(news).toEqual([]);
    expect(state.from).toBe(at(0).wall);
  });
});

describe('what people do', () => {
  it('a run that was asked for begins now, unless one goes on', () => {
    const request = { at: at(1).wall, actor: 'ann', again: false };
    const { state, news } = followSchedule({ ...begin(), asked: request }, asked(), undefined, at(1));
    expect(state.current).toMatchObject({ cause: 'asked', due: at(1).wall });
    expect(state).not.toHaveProperty('asked');
    expect(news[0]?.message).toContain('asked for by ann');
    const other = followSchedule({ ...running(), asked: request }, asked(), active, at(9));
    expect(other.state.current).toMatchObject({ cause: 'due' });
    expect(other.state).not.toHaveProperty('asked');
    const again = followSchedule({ ...running(), asked: { ...request, again: true } }, asked(), active, at(9));
    expect(again.state.runs).toMatchObject([{ outcome: 'replaced' }]);
    expect(again.state.current).toMatchObject({ cause: 'asked' });
  });

  it('what is stopped makes up for nothing', () => {
    const { state } = suspend(running(), usual, at(9));
    expect(state).toMatchObject({ suspended: true, runs: [{ outcome: 'stopped' }] });
    const { next, news } = followSchedule(stateFor(state, asked(), at(100), right), asked(), undefined, at(100));
    expect(news).toEqual([]);
    expect(next).toBe(at(113).wall);
  });

  it('another schedule counts from when it was said; another source changes nothing', () => {
    const ran = followSchedule(running(), asked(), done, at(10)).state;
    const other = stateFor(ran, asked({ schedule: { ...usual, cron: '@daily' } }), at(20), right);
    expect(other).toMatchObject({ since: at(20).wall, from: at(20).wall, runs: ran.runs });
    expect(stateFor(ran, asked({ source: 'fleet' }), at(20), right)).toEqual({ ...ran, source: 'fleet' });
  });

  it('without instances there is no run', () => {
    const { state, news } = followSchedule(begin(), asked({ instances: 0 }), undefined, at(8));
    expect(state).not.toHaveProperty('current');
    expect(news).toMatchObject([{ kind: 'run_skipped', message: expect.stringContaining('no instance is wanted') }]);
  });
});
