import { describe, expect, it } from 'vitest';
import { createJournal } from '../../../reconciler/journal.ts';
import type { ClusterEvent } from '../../../schemas/cluster-events.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const aJournal = (limit = 5) => createJournal({ clock: createVirtualClock(), run: 'r1', limit });

/** Events that a follower gets until `count` came. */
async function take(journal: ReturnType<typeof aJournal>, after: number, count: number): Promise<ClusterEvent[]> {
  const end = new AbortController();
  const events: ClusterEvent[] = [];
  for await (const event of journal.follow(after, end.signal)) {
    events.push(event);
    if (events.length === count) end.abort();
  }
  return events;
}

const fill = (journal: ReturnType<typeof aJournal>, from: number, to: number): void => {
  for (let n = from; n <= to; n += 1) journal.add('approved', `s${n}`, '');
};

describe('the journal', () => {
  it('numbers its events and gives those after a number, then the ones to come', async () => {
    const journal = aJournal();
    fill(journal, 1, 3);
    const following = take(journal, 1, 4);
    await Promise.resolve();
    fill(journal, 4, 5);
    expect((await following).map(({ seq, subject, run }) => [seq, subject, run])).toEqual([
      [2, 's2', 'r1'],
      [3, 's3', 'r1'],
      [4, 's4', 'r1'],
      [5, 's5', 'r1'],
    ]);
  });

  it('keeps the last ones; who was further behind goes on with what is kept', async () => {
    const journal = aJournal(3);
    fill(journal, 1, 10);
    expect((await take(journal, 2, 3)).map(({ seq }) => seq)).toEqual([8, 9, 10]);
  });

  it('begins anew for a number of an earlier process', async () => {
    const journal = aJournal();
    fill(journal, 1, 2);
    expect((await take(journal, 4_000, 2)).map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it('gives each follower everything, and ends with its signal', async () => {
    const journal = aJournal(100);
    const followers = [take(journal, 0, 20), take(journal, 0, 20)];
    for (let n = 1; n <= 20; n += 1) {
      journal.add('approved', `s${n}`, '');
      if (n % 7 === 0) await Promise.resolve();
    }
    for (const events of await Promise.all(followers)) expect(events.map(({ seq }) => seq)).toHaveLength(20);
    const ended = AbortSignal.abort();
    const nothing: ClusterEvent[] = [];
    for await (const event of journal.follow(0, ended)) nothing.push(event);
    expect(nothing).toEqual([]);
  });
});
