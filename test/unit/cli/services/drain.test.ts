import { describe, expect, it } from 'vitest';
import { exitCodeOfDrain, waitUntilDrained } from '../../../../cli/services/drain.ts';
import { ProblemError, problem } from '../../../../schemas/problem.ts';
import type { DrainView } from '../../../../schemas/views.ts';
import { fakeNode } from '../../../support/fake-control-plane.ts';

const never = new AbortController().signal;
const left = (...names: string[]) => names.map((instance) => ({ instance, message: 'moves' }));

/** Answers the views one after the other, the last for ever; `undefined`: the reconciler is away. */
function answering(...views: (DrainView | undefined)[]) {
  let asked = 0;
  return {
    async node() {
      const index = Math.min(asked, views.length - 1);
      asked += 1;
      const drain = views[index];
      if (drain) return fakeNode('pi1', { drain });
      throw new ProblemError(problem('UNREACHABLE', 'no answer'));
    },
  };
}

async function drained(timeout: number, ...views: (DrainView | undefined)[]) {
  const shown: number[] = [];
  const wait = { timeout, interval: 1, progress: (now: DrainView) => void shown.push(now.left.length) };
  const done = await waitUntilDrained(answering(...views), 'pi1', wait, never);
  return { done, shown, code: exitCodeOfDrain(done) };
}

describe('waiting for a drain', () => {
  it('ends when nothing is left, over a reconciler that is away, and says what moved', async () => {
    const apart = [{ instance: 'c', message: 'every node has one' }];
    const { done, shown, code } = await drained(
      60_000,
      { left: left('a', 'b'), apart },
      undefined,
      { left: left('b'), apart },
      { left: [], apart },
    );
    expect(done).toEqual({ node: 'pi1', moved: ['a', 'b'], left: [], apart });
    expect(shown).toEqual([2, 1, 0]);
    expect(code).toBe(0);
  });

  it('ends when all that is left failed elsewhere', async () => {
    const stuck = { instance: 'a', message: 'it failed elsewhere', stuck: true as const };
    const { done, code } = await drained(
      60_000,
      { left: [...left('b'), stuck], apart: [] },
      { left: [stuck], apart: [] },
    );
    expect(done).toMatchObject({ moved: ['b'], left: [stuck] });
    expect(code).toBe(1);
  });

  it('is refused when somebody uncordons meanwhile', async () => {
    const api = { node: async () => fakeNode('pi1') };
    const wait = { timeout: 60_000, interval: 1, progress: () => undefined };
    await expect(waitUntilDrained(api, 'pi1', wait, never)).rejects.toThrow('somebody ended it');
  });

  it('ends with its time, and not with an error', async () => {
    const { done, code } = await drained(20, { left: left('a'), apart: [] });
    expect(done).toMatchObject({ moved: [], left: left('a') });
    expect(code).toBe(3);
    await expect(drained(0, undefined)).rejects.toThrow('TIMED_OUT');
  });
});
