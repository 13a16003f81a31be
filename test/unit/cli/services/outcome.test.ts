import { describe, expect, it } from 'vitest';
import {
  exitCodeOfOutcomes,
  judge,
  type ServiceOutcome,
  type Verdict,
  waitForOutcomes,
} from '../../../../cli/services/outcome.ts';
import type { ClusterEvent } from '../../../../schemas/cluster-events.ts';
import { ProblemError, problem } from '../../../../schemas/problem.ts';
import type { Hold } from '../../../../schemas/status.ts';
import type { Outcome, ServiceView } from '../../../../schemas/views.ts';
import { fakeService } from '../../../support/fake-control-plane.ts';

const name = 'shop.default.web.default';
const digest = `1:${'a'.repeat(64)}`;
const wanted = { name, digest };
const never = new AbortController().signal;

function view(outcome: Outcome, more: Partial<ServiceView> = {}): ServiceView {
  return { ...fakeService(name), digest, outcome, message: `it is ${outcome}`, ...more };
}

const guard: Hold = { id: 'abc', code: 'REMOVAL_GUARD', subject: name, message: 'too many' };
const noRoom: Hold = { code: 'NO_CAPACITY', subject: name, message: 'no node has 64 MB free' };

describe('the verdict', () => {
  it.each([
    ['settled', 'settled'],
    ['failed', 'failed'],
    ['paused', 'failed'],
    ['removing', 'failed'],
    ['rolled_back', 'rolled_back'],
    ['progressing', 'waiting'],
    ['orphaned', 'waiting'],
  ] as const)('of a service that is %s is %s', (outcome, verdict) => {
    expect(judge(wanted, view(outcome)).verdict).toBe(verdict);
  });

  it('of a guard is refused; a lack of room may end, so it waits', () => {
    expect(judge(wanted, view('held', { holds: [guard] }))).toMatchObject({ verdict: 'refused', message: 'too many' });
    expect(judge(wanted, view('held', { holds: [noRoom] })).verdict).toBe('waiting');
  });

  it('waits while another digest is wanted, however well that one runs', () => {
    const other = view('settled', { digest: `1:${'b'.repeat(64)}` });
    expect(judge(wanted, other).verdict).toBe('waiting');
  });

  it('waits for a service that nobody knows yet', () => {
    expect(judge(wanted, undefined).verdict).toBe('waiting');
  });
});

describe('the exit code', () => {
  const of = (...verdicts: Verdict[]) =>
    exitCodeOfOutcomes(verdicts.map((verdict): ServiceOutcome => ({ ...wanted, verdict, message: '' })));

  it('is 0 only when every service is settled', () => {
    expect(of('settled', 'settled')).toBe(0);
    expect(of()).toBe(0);
    expect(of('settled', 'waiting')).toBe(3);
  });

  it('is that of the worst', () => {
    expect(of('rolled_back', 'settled')).toBe(6);
    expect(of('refused', 'waiting')).toBe(4);
    expect(of('rolled_back', 'refused')).toBe(6);
    expect(of('failed', 'rolled_back', 'waiting')).toBe(1);
  });
});

/** Answers one element per question; the last one again and again. */
function script(answers: readonly (readonly ServiceView[] | ProblemError)[]) {
  let asked = 0;
  return {
    asked: () => asked,
    services: async () => {
      const answer = answers[Math.min(asked, answers.length - 1)] ?? [];
      asked += 1;
      if (answer instanceof ProblemError) throw answer;
      return answer;
    },
  };
}

describe('the wait', () => {
  const options = { timeout: 5000, interval: 1, progress: () => {} };

  it('looks before it waits: what is done returns at once', async () => {
    const api = script([[view('settled')]]);
    const [outcome] = await waitForOutcomes(api, [wanted], options, never);
    expect(outcome?.verdict).toBe('settled');
    expect(api.asked()).toBe(1);
  });

  it('waits for no event and no interval once it is done, and lets go of the events', async () => {
    const api = script([[view('settled')]]);
    let following: AbortSignal | undefined;
    const informant = {
      ...api,
      async *events(_: unknown, signal: AbortSignal): AsyncGenerator<ClusterEvent> {
        following = signal;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    };
    const hour = 3_600_000;
    await waitForOutcomes(informant, [wanted], { ...options, timeout: hour, interval: hour }, never);
    expect(api.asked()).toBe(1);
    expect(following?.aborted).toBe(true);
  });

  it('goes on until all have a verdict, telling each state', async () => {
    const told: string[] = [];
    const api = script([[view('progressing')], [view('progressing')], [view('rolled_back')]]);
    const progress = (outcomes: readonly ServiceOutcome[]) => told.push(outcomes.map((o) => o.verdict).join());
    const [outcome] = await waitForOutcomes(api, [wanted], { ...options, progress }, never);
    expect(outcome?.verdict).toBe('rolled_back');
    expect(told).toEqual(['waiting', 'waiting', 'rolled_back']);
  });

  it('asks when an event is about the service, and not for what happens to others', async () => {
    let onAsked = (): void => undefined;
    const asked = new Promise<void>((resolve) => {
      onAsked = resolve;
    });
    const api = script([[view('progressing')], [view('settled')]]);
    const about = (subject: string) => ({ subject }) as ClusterEvent;
    const informant = {
      ...api,
      async *events() {
        await asked;
        for (let n = 0; n < 50; n += 1) yield about(`${wanted.name}ish`);
        yield about(`${wanted.name}.instance.0`);
        await new Promise(() => {});
      },
    };
    const started = performance.now();
    await waitForOutcomes(informant, [wanted], { ...options, progress: () => onAsked() }, never);
    expect(api.asked()).toBe(2);
    expect(performance.now() - started).toBeLessThan(450);
  });

  it('asks as before where nobody tells of events, or tells no more', async () => {
    const views = [[view('progressing')], [view('progressing')], [view('settled')]];
    const failing = async function* (): AsyncGenerator<ClusterEvent> {
      throw new ProblemError(problem('BAD_REQUEST', '`after` must be a number'));
      // biome-ignore lint/correctness/noUnreachable: makes it a generator of events
      yield {} as ClusterEvent;
    };
    const started = performance.now();
    await waitForOutcomes({ ...script(views), events: failing }, [wanted], options, never);
    expect(performance.now() - started).toBeLessThan(450);
  });

  it('survives a reconciler that is away for a moment', async () => {
    const away = new ProblemError(problem('UNREACHABLE', 'no answer'));
    const api = script([away, away, [view('settled')]]);
    expect((await waitForOutcomes(api, [wanted], options, never))[0]?.verdict).toBe('settled');
  });

  it('ends with what is known when the time is over', async () => {
    const api = script([[view('held', { holds: [noRoom], message: noRoom.message })]]);
    const [outcome] = await waitForOutcomes(api, [wanted], { ...options, timeout: 20 }, never);
    expect(outcome).toMatchObject({ verdict: 'waiting', message: noRoom.message });
  });

  it('stops on abort', async () => {
    const abort = new AbortController();
    const progress = () => abort.abort(new Error('enough'));
    const api = script([[view('progressing')]]);
    await expect(waitForOutcomes(api, [wanted], { ...options, progress }, abort.signal)).rejects.toThrow();
  });

  it('passes on what is no absence', async () => {
    const api = script([new ProblemError(problem('UNAUTHORIZED', 'wrong token'))]);
    await expect(waitForOutcomes(api, [wanted], options, never)).rejects.toThrow('wrong token');
  });
});
