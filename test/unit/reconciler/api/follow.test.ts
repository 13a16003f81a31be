import { describe, expect, it, vi } from 'vitest';
import type { EventPosition } from '../../../../schemas/cluster-events.ts';
import { ProblemError, problem } from '../../../../schemas/problem.ts';
import { fakeEvent, fakeInstance, seqOf } from '../../../support/fake-control-plane.ts';
import { injectedApi as api } from '../../../support/injected-api.ts';

describe('streams of text', () => {
  it('sends the events that are kept, and ends', async () => {
    let aborted = false;
    const { get } = api({
      async *events(after, signal) {
        for (const seq of [1, 2, 3].filter((n) => n > seqOf(after))) yield fakeEvent(seq);
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        aborted = true;
      },
    });
    const { text } = await get('/v1/events?after=1');
    expect(text).toContain(`id: run-1.2\ndata: ${JSON.stringify(fakeEvent(2))}\n\n`);
    expect(text.match(/^id: /gm)).toHaveLength(2);
    await vi.waitFor(() => expect(aborted).toBe(true));
  });

  it('goes on after Last-Event-ID, whatever the query says', async () => {
    const asked: EventPosition[] = [];
    const { get } = api({
      async *events(after) {
        asked.push(after);
        yield fakeEvent(1);
      },
    });
    await get('/v1/events?after=1', { 'last-event-id': 'run-1.7' });
    for (const query of ['', '?after=3', '?after=ab12.4', '?after=latest']) await get(`/v1/events${query}`);
    expect(asked).toEqual([{ run: 'run-1', seq: 7 }, 0, 3, { run: 'ab12', seq: 4 }, 'latest']);
    for (const bad of ['x', '-1', '.5', 'a.b', '1.5x', '1&after=2', 'ü.1', `${'a'.repeat(65)}.1`]) {
      const { status, json } = await get(`/v1/events?after=${encodeURI(bad)}`);
      expect([bad, status, json().problems[0].subject]).toEqual([bad, 400, 'after']);
    }
  });

  it('asks for the log of the one instance that is meant', async () => {
    const asked: unknown[] = [];
    const { get } = api({
      instances: () => [
        fakeInstance('shop.prod.web.default.instance.0'),
        fakeInstance('shop.prod.web.default.instance.1'),
      ],
      async *logs(instance, options) {
        asked.push([instance, options]);
        yield 'one\n';
        yield 'two\n';
      },
    });
    const { status, text } = await get('/v1/instances/web.1/logs?tail=5');
    expect([status, text]).toEqual([200, 'one\ntwo\n']);
    expect(asked).toEqual([['shop.prod.web.default.instance.1', { follow: false, tail: 5 }]]);
    expect((await get('/v1/instances/web/logs')).status).toBe(400);
  });

  it('answers a log that cannot be had with its status', async () => {
    const { get } = api({
      instances: () => [fakeInstance('shop.prod.web.default.instance.0')],
      // biome-ignore lint/correctness/useYield: it fails before the first piece
      async *logs() {
        throw new ProblemError(problem('UNAVAILABLE', 'the agent did not open the stream'));
      },
    });
    expect((await get('/v1/instances/web.0/logs')).status).toBe(503);
  });
});
