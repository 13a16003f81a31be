import { expect, it } from 'vitest';
import { createSteps, until } from '../../../../cli/story/until.ts';

it('says of a step whether it failed or was ended by Ctrl-C', async () => {
  const said: string[] = [];
  const ended = new AbortController();
  const steps = createSteps(3, (text) => said.push(text.replace(/\(.*\)/, '')), ended.signal);
  await expect(steps.step('first', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  const waiting = steps.step('second', async () => {
    await until(async () => 'nothing yet', 60_000, ended.signal);
    return { said: '', value: 0 };
  });
  ended.abort();
  await expect(waiting).rejects.toThrow();
  await expect(steps.step('last', () => Promise.reject(new Error('not removed')))).rejects.toThrow('not removed');
  expect(said).toEqual(['[1/3] first: FAILED ', '[2/3] second: interrupted ', '[3/3] last: FAILED ']);
});
