/** What happens: events as server-sent events, logs as text. Both last as long as the reader stays. */
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { ClusterEvent } from '../../../schemas/cluster-events.ts';
import { formatServerEvent, keepAliveComment } from '../../../schemas/io/event-stream.ts';
import type { ControlPlane } from '../../control-plane.ts';
import { resolveInstance } from '../../core/resolve.ts';
import { needs } from '../access.ts';
import { flagOf, type NamedRoute, numberOf, type Query } from '../bodies.ts';
import { sendFlow } from '../flow.ts';
import { found } from './read.ts';

/** ms of silence after which a reader gets a comment. */
const keepAlive = 15_000;
const maxTail = 100_000;

/** Routes whose answers last as long as their reader stays. */
export const endlessRoutes: ReadonlySet<string> = new Set(['/v1/events', '/v1/instances/:name/logs']);

export function followRoutes(app: FastifyInstance): void {
  app.get<{ Querystring: Query }>('/v1/events', needs('read'), async ({ query, headers, control }, reply) => {
    const last = headers['last-event-id'];
    const seen = last === undefined ? query : { after: last };
    const after = numberOf(seen, 'after', Number.MAX_SAFE_INTEGER) ?? 0;
    const follow = flagOf(query, 'follow');
    return sendFlow(reply, 'text/event-stream', (signal) => eventLines(control, after, follow, signal));
  });
  app.get<NamedRoute & { Querystring: Query }>(
    '/v1/instances/:name/logs',
    needs('read'),
    async ({ params, query, control }, reply) => {
      const instance = found(resolveInstance(control.instances(), params.name));
      const tail = numberOf(query, 'tail', maxTail);
      const options = { follow: flagOf(query, 'follow'), ...(tail === undefined ? {} : { tail }) };
      return sendFlow(reply, 'text/plain; charset=utf-8', (signal) => control.logs(instance.name, options, signal));
    },
  );
}

/** Kept events come without waiting for anything, so the first pause is where the live ones would begin. */
async function* eventLines(
  control: ControlPlane,
  after: number,
  follow: boolean,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const over = new AbortController();
  const events = control.events(after, AbortSignal.any([signal, over.signal]))[Symbol.asyncIterator]();
  try {
    // The first comment sends the headers: the reader knows that it is connected.
    yield keepAliveComment;
    let next = events.next();
    for (;;) {
      if (!(await settles(next, follow ? keepAlive : 0))) {
        if (!follow) return;
        yield keepAliveComment;
        continue;
      }
      const { lines, waiting } = await gather(events, next);
      yield lines;
      if (!waiting) return;
      next = waiting;
    }
  } finally {
    over.abort();
  }
}

type Next = Promise<IteratorResult<ClusterEvent, unknown>>;

/** The event that is there and those that come within this turn of the loop, as one text: a herd of nodes makes thousands at once. */
async function gather(events: AsyncIterator<ClusterEvent>, first: Next): Promise<{ lines: string; waiting?: Next }> {
  const over = nextTurn('over' as const);
  let lines = '';
  let next = first;
  for (;;) {
    const result = await Promise.race([next, over]);
    if (result === 'over') return { lines, waiting: next };
    if (result.done) return { lines };
    lines += formatServerEvent(result.value.seq, JSON.stringify(result.value));
    next = events.next();
  }
}

/** Whether the promise settles, either way, before `ms` are over. */
async function settles(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(ms, false, { signal: timer.signal, ref: false }).catch(() => false);
  const settled = promise.then(
    () => true,
    () => true,
  );
  const result = await Promise.race([settled, late]);
  timer.abort();
  return result;
}
