import { describe, expect, it } from 'vitest';
import { createJournal } from '../../../reconciler/journal.ts';
import type { ClusterEvent, EventPosition } from '../../../schemas/cluster-events.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';

const aJournal = (limit = 5) => createJournal({ clock: createVirtualClock(), run: 'r1', limit });

/** Events that a follower gets until `count` came. */
async function take(
  journal: ReturnType<typeof aJournal>,
  after: EventPosition,
  count: number,
): Promise<ClusterEvent[]> {
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

  const told = (events: readonly ClusterEvent[]) =>
    events.map(({ seq, kind, message }) => (kind === 'events_missed' ? `${seq}: ${message}` : seq));

  it('keeps the last ones; who was further behind is told what is missing, and goes on with what is kept', async () => {
    const journal = aJournal(3);
    fill(journal, 1, 10);
    expect(told(await take(journal, 2, 4))).toEqual(['7: 5 events, up to number 7, are not kept any more', 8, 9, 10]);
    expect(told(await take(journal, { run: 'r1', seq: 6 }, 2))).toEqual([
      expect.stringContaining('1 events'),
      8,
      9,
      10,
    ]);
    expect(told(await take(journal, { run: 'r1', seq: 7 }, 3))).toEqual([8, 9, 10]);
    // Who asks for all that is kept misses nothing.
    expect(told(await take(journal, 0, 3))).toEqual([8, 9, 10]);
  });

  it('tells a follower that fell behind while it followed', async () => {
    const journal = aJournal(3);
    const events = journal.follow(0, new AbortController().signal)[Symbol.asyncIterator]();
    fill(journal, 1, 1);
    expect((await events.next()).value.seq).toBe(1);
    fill(journal, 2, 9);
    const rest = [await events.next(), await events.next()].map(({ value }) => value);
    expect(told(rest)).toEqual(['6: 5 events, up to number 6, are not kept any more', 7]);
  });

  it('says that a number is of an earlier process, also one that it has reached itself, and begins with what is kept', async () => {
    const journal = aJournal();
    fill(journal, 1, 2);
    const restarted = expect.stringContaining('started again');
    expect(told(await take(journal, 4_000, 3))).toEqual([restarted, 1, 2]);
    expect(told(await take(journal, { run: 'r0', seq: 1 }, 3))).toEqual([restarted, 1, 2]);
    // After what it was told it goes on where that ends.
    const [gap] = await take(journal, { run: 'r0', seq: 1 }, 1);
    expect(told(await take(journal, gap ?? 0, 2))).toEqual([1, 2]);
  });

  it('gives only what comes to who asks for the latest', async () => {
    const journal = aJournal();
    fill(journal, 1, 3);
    const following = take(journal, 'latest', 1);
    await Promise.resolve();
    fill(journal, 4, 4);
    expect(told(await following)).toEqual([4]);
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
