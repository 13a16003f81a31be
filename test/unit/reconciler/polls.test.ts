import { describe, expect, it } from 'vitest';
import type { Source } from '../../../reconciler/context.ts';
import { createPolls, type Pace } from '../../../reconciler/polls.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const source = (name: string, repository?: string) =>
  ({ name, ...(repository && { repository }) }) as unknown as Source;
const well: Pace = { poll: 60_000, failures: 0, isBusy: false };

function create(sources: readonly Source[], paces: Record<string, Pace>, random = 0.5) {
  const clock = createVirtualClock();
  const looks: string[] = [];
  const polls = createPolls({
    sources,
    clock,
    random: { number: () => random } as never,
    paceOf: ({ name }) => paces[name] ?? well,
    look: ({ name }) => void looks.push(`${name}@${clock.now().mono}`),
  });
  return { clock, looks, polls };
}

describe('polls', () => {
  it('look at all sources of a repository together, when the first of them is due', async () => {
    const [a, b, c] = [source('a', 'r'), source('b', 'r'), source('c', 'other')];
    const { clock, looks, polls } = create([a, b, c], { b: { ...well, poll: 10_000 } });
    const start = clock.now().mono;
    polls.schedule(a);
    polls.schedule(b);
    await clock.advance(59_000);
    expect(looks).toEqual([`a@${start + 10_000}`, `b@${start + 10_000}`]);
  });

  it('wait for the last pass of a repository', async () => {
    const [a, b] = [source('a', 'r'), source('b', 'r')];
    const paces: Record<string, Pace> = { b: { ...well, isBusy: true } };
    const { clock, looks, polls } = create([a, b], paces);
    polls.schedule(a);
    await clock.advance(600_000);
    expect(looks).toEqual([]);
    paces['b'] = well;
    polls.schedule(b);
    await clock.advance(60_000);
    expect(looks).toHaveLength(2);
    polls.stop();
    polls.schedule(a);
    await clock.advance(600_000);
    expect(looks).toHaveLength(2);
  });

  it.each([
    ['a first failure', { failures: 1 }, 5_000],
    ['a third', { failures: 3 }, 20_000],
    ['many: no less often than while all is well', { failures: 30 }, 60_000],
    ['a refusal', { failures: 1, refusal: 0 }, 60_000],
    ['a third refusal', { failures: 3, refusal: 0 }, 240_000],
    ['many refusals', { failures: 30, refusal: 0 }, 900_000],
    ['a wish to be left alone', { failures: 1, refusal: 1_800_000 }, 1_800_000],
  ])('after %s', async (_, pace, wait) => {
    const one = source('a');
    const { clock, looks, polls } = create([one], { a: { ...well, ...pace } }, 'refusal' in pace ? 0 : 0.5);
    const start = clock.now().mono;
    polls.schedule(one);
    await clock.advance(wait - 1);
    expect(looks).toEqual([]);
    await clock.advance(1);
    expect(looks).toEqual([`a@${start + wait}`]);
  });
});
