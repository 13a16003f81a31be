/** Events that go on when the stream breaks: after the last one that came, and with a word about what was missed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterEvent, EventPosition } from '../../schemas/cluster-events.ts';
import type { ApiClient } from '../../schemas/io/api-client.ts';
import { isProblemError } from '../../schemas/problem.ts';

/** ms between two attempts to reach a reconciler that is away. */
const retry = 1000;

/** Until the signal aborts. Fails as the first attempt does; later a reconciler that is away is waited for. `say`: narration. */
export async function* followEvents(
  api: Pick<ApiClient, 'events'>,
  from: EventPosition,
  say: (text: string) => void,
  signal: AbortSignal,
): AsyncGenerator<ClusterEvent, void, undefined> {
  let after = from;
  let reached = false;
  let away = false;
  // As a call: it changes while others are waited for.
  const over = () => signal.aborted;
  while (!over()) {
    let why = 'the reconciler ended the stream of events';
    try {
      for await (const event of api.events({ after, follow: true }, signal)) {
        if (away) say('The reconciler answers again.');
        away = false;
        reached = true;
        after = { run: event.run, seq: event.seq };
        yield event;
      }
    } catch (error) {
      if (over()) return;
      if (!reached || !isProblemError(error) || !['UNREACHABLE', 'UNAVAILABLE'].includes(error.problem.code))
        throw error;
      why = error.problem.message;
    }
    if (over()) return;
    if (!away) say(`${why}; trying again.`);
    away = true;
    await sleep(retry, undefined, { signal }).catch(() => {});
  }
}
