import { expect, it } from 'vitest';
import { createComparison } from '../../../agent/comparison.ts';
import type { CopyKey } from '../../../agent/core/copy.ts';
import { keyText } from '../../../agent/core/memory.ts';
import type { Runtime } from '../../../agent/runtimes/runtime.ts';
import { createState } from '../../../agent/state.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';
import { container, jobOf } from './support.ts';

it('looks again at a copy of which the engine did not tell, though it tells of others', async () => {
  const clock = createVirtualClock();
  const state = createState(['docker']);
  const run = container('app:1');
  const jobs = ['a', 'b'].map((name) => jobOf(`shop.default.${name}.default.instance.0`, '1-1', run));
  const looks: string[] = [];
  let hangs = true;
  const runtime = {
    name: 'docker',
    async differences({ instance }: CopyKey) {
      looks.push(instance);
      if (hangs && instance === jobs[0]?.instance) throw new ProblemError(problem('RUNTIME_UNAVAILABLE', 'it hangs'));
      return ['paused'];
    },
  } as unknown as Runtime;
  const part = () => ({ jobs, documents: Object.fromEntries(jobs.map(({ digest }) => [digest, run])) });
  const life = new AbortController();
  const comparison = createComparison(
    { runtimes: new Map([['docker', runtime]]), ledger: { part } as never, state, clock, changed: () => undefined },
    life.signal,
  );
  for (const one of jobs) comparison.suspect(one);
  const drifts = () => jobs.map((one) => state.copies.get(keyText(one))?.drift?.what);
  await clock.advance(1_000);
  expect(drifts()).toEqual([undefined, 'paused']);
  await clock.advance(60_000);
  expect(looks.length).toBeLessThan(8);
  hangs = false;
  await clock.advance(60_000);
  expect(drifts()).toEqual(['paused', 'paused']);
  const seen = looks.length;
  await clock.advance(600_000);
  expect(looks).toHaveLength(seen);
  hangs = true;
  comparison.suspect(jobs[0] as CopyKey);
  await clock.advance(1_000);
  life.abort();
  await clock.advance(600_000);
  expect(looks).toHaveLength(seen + 1);
});
