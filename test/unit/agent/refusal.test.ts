import { describe, expect, it } from 'vitest';
import { createRefusal } from '../../../agent/refusal.ts';
import { type Problem, ProblemError, problem } from '../../../schemas/problem.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

describe('an agent that the broker refuses', () => {
  it('asks why, once a minute, and tells only what it is told of itself', async () => {
    const clock = createVirtualClock();
    const told: Problem[] = [];
    let answer: Problem | undefined = problem('REVOKED', 'edge-7 was removed');
    let asked = 0;
    const standing = async (): Promise<void> => {
      asked += 1;
      if (answer) throw new ProblemError(answer);
    };
    const refused = createRefusal({ clock, standing, told: (found) => told.push(found) }, new AbortController().signal);
    refused();
    refused();
    await clock.settle();
    expect(asked).toBe(1);
    expect(told.map(({ message }) => message)).toEqual(['edge-7 was removed']);
    for (const code of ['UNREACHABLE', 'UNAUTHORIZED'] as const) {
      answer = problem(code, 'nothing about this node');
      await clock.advance(60_000);
      refused();
    }
    answer = undefined;
    await clock.advance(60_000);
    refused();
    await clock.settle();
    expect(asked).toBe(4);
    expect(told).toHaveLength(1);
  });

  it('may end in the middle of the question', async () => {
    const life = new AbortController();
    const lost: unknown[] = [];
    const note = (error: unknown): void => void lost.push(error);
    process.on('unhandledRejection', note);
    const standing = (asked: AbortSignal): Promise<never> =>
      new Promise((_, reject) => asked.addEventListener('abort', () => reject(asked.reason as Error)));
    createRefusal({ clock: createVirtualClock(), standing, told: () => undefined }, life.signal)();
    life.abort();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(lost).toEqual([]);
  });
});
