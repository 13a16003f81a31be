import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createListView } from '../../../cli/list-view.ts';
import { instanceListing } from '../../../cli/render/listings.ts';
import type { OutputFormat } from '../../../cli/render/output.ts';
import { plain } from '../../../cli/render/paint.ts';
import { type Watched, watchRows } from '../../../cli/watch.ts';
import type { ClusterEvent } from '../../../schemas/cluster-events.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import { eventually } from '../../support/eventually.ts';
import { fakeEvent, fakeInstance } from '../../support/fake-control-plane.ts';

const times = { gather: 1, refresh: 60_000, retry: 1 };
const away = () => new ProblemError(problem('UNREACHABLE', 'no answer'));

/** A cluster of one number, which tests change. */
function fakeCluster() {
  const state = { rows: [1] as readonly number[], up: true, connections: 0 };
  const shown: (readonly number[])[] = [];
  const said: string[] = [];
  let tell = (_: ClusterEvent | 'end' | 'break') => {};
  const watched: Watched<number> = {
    list: async () => {
      if (!state.up) throw away();
      return state.rows;
    },
    async *events(signal) {
      if (!state.up) throw away();
      state.connections += 1;
      while (!signal.aborted) {
        const event = await new Promise<ClusterEvent | 'end' | 'break'>((resolve) => {
          tell = resolve;
          signal.addEventListener('abort', () => resolve('end'), { once: true });
        });
        if (event === 'end') return;
        if (event === 'break') throw away();
        yield event;
      }
    },
    show: async (rows) => void shown.push(rows),
    say: (text) => void said.push(text),
  };
  return { state, shown, said, watched, tell: (what: ClusterEvent | 'end' | 'break') => tell(what) };
}

describe('watching', () => {
  it('lists first, and again when something happened', async () => {
    const { state, shown, watched, tell } = fakeCluster();
    const stop = new AbortController();
    const watching = watchRows(watched, stop.signal, times);
    await eventually(() => state.connections === 1);
    expect(shown).toEqual([[1]]);
    state.rows = [1, 2];
    tell(fakeEvent(1));
    await eventually(() => shown.length === 2);
    expect(shown[1]).toEqual([1, 2]);
    stop.abort();
    await watching;
  });

  it('shows ages without an event', async () => {
    const { shown, watched } = fakeCluster();
    const stop = new AbortController();
    const watching = watchRows(watched, stop.signal, { ...times, refresh: 1 });
    await eventually(() => shown.length > 3);
    stop.abort();
    await watching;
  });

  it.each(['end', 'break'] as const)('waits for a reconciler whose stream came to an %s', async (how) => {
    const { state, shown, said, watched, tell } = fakeCluster();
    const stop = new AbortController();
    const watching = watchRows(watched, stop.signal, { ...times, refresh: 5 });
    await eventually(() => state.connections === 1);
    state.up = false;
    tell(how);
    await eventually(() => said.length === 1);
    await sleep(20);
    expect(said).toHaveLength(1);
    state.rows = [7];
    state.up = true;
    await eventually(() => expect(shown.at(-1)).toEqual([7]));
    await eventually(() => expect(said[1]).toBe('The reconciler answers again.'));
    stop.abort();
    await watching;
  });

  it('fails as the first listing does', async () => {
    const { state, watched } = fakeCluster();
    state.up = false;
    await expect(watchRows(watched, new AbortController().signal, times)).rejects.toThrow('UNREACHABLE');
  });

  it('shows nothing any more of what was named and is gone', async () => {
    const { shown, state, watched, tell } = fakeCluster();
    const stop = new AbortController();
    let gone = false;
    const list = async () => {
      if (gone) throw new ProblemError(problem('NOT_FOUND', 'gone'));
      return [1];
    };
    const watching = watchRows({ ...watched, list }, stop.signal, times);
    await eventually(() => state.connections === 1);
    gone = true;
    tell(fakeEvent(1));
    await eventually(() => expect(shown.at(-1)).toEqual([]));
    stop.abort();
    await watching;
  });
});

describe('a list that is shown again', () => {
  const [a, b] = [fakeInstance('shop.d.web.d.instance.0'), fakeInstance('shop.d.web.d.instance.1')];
  const shownAs = async (format: OutputFormat, isTTY = false) => {
    const texts: string[] = [];
    const stream = { isTTY, columns: 200, rows: 24, write: (text: string) => void texts.push(text) };
    const view = createListView(format, instanceListing, plain, stream);
    await view.show([a]);
    await view.show([{ ...a, age: 5000, seen: 100 }]);
    await view.show([a, { ...b, status: 'starting', healthy: false }]);
    await view.show([b]);
    return texts;
  };

  it('without a terminal prints what changed, and no ages', async () => {
    const [first, second, third] = await shownAs('table');
    expect(first?.split('\n')).toMatchObject([expect.stringMatching(/^NAME/), expect.stringContaining('.0'), '']);
    expect(second).toMatch(/^shop.d.web.d.instance.1 +starting.*\n$/);
    expect(third).toMatch(/^shop.d.web.d.instance.1 +running.*\nshop.d.web.d.instance.0 {2}gone\n$/);
  });

  it('on a terminal is drawn over what was there', async () => {
    const texts = await shownAs('table', true);
    expect(texts).toHaveLength(4);
    expect(texts[3]).toContain('\u001b[3A');
  });

  it('as JSON is one line per change, whole', async () => {
    const texts = await shownAs('json');
    expect(texts.map((text) => JSON.parse(text).items.length)).toEqual([1, 2, 1]);
    expect(texts.every((text) => text.split('\n').length === 2)).toBe(true);
  });

  it('as names tells those that come', async () => {
    expect(await shownAs('name')).toEqual([`${a.name}\n`, `${b.name}\n`]);
  });
});
