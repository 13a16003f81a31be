/** What happens: events as server-sent events, logs as text. Both last as long as the reader stays. */
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { type ClusterEvent, type EventPosition, eventId, parseEventPosition } from '../../../schemas/cluster-events.ts';
import { formatServerEvent, keepAliveComment } from '../../../schemas/io/event-stream.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { ControlPlane } from '../../control-plane.ts';
import { needs } from '../access.ts';
import { flagOf, type NamedRoute, numberOf, type Query } from '../bodies.ts';
import { sendFlow } from '../flow.ts';
import { instanceNamed } from './read.ts';

/** ms of silence after which a reader gets a comment. */
const keepAlive = 15_000;
const maxTail = 100_000;
/** Readers of events at once: each costs a connection. */
const mostListeners = 4_096;
const usualPatience = 60_000;
/** Characters that are handed to one reader at once. */
const mostAtOnce = 64 * 1024;

/** Counts readers of events. */
export interface ListenerMeter {
  listening(count: number): void;
  /** One was cut off, because it did not read. */
  dropped(): void;
}

export interface FollowOptions {
  readonly meter?: ListenerMeter;
  /** ms without taking what is there after which a reader of events is cut off: it can go on where it was. */
  readonly patience?: number;
}

/** Routes whose answers last as long as their reader stays. */
export const endlessRoutes: ReadonlySet<string> = new Set(['/v1/events', '/v1/instances/:name/logs']);

export function followRoutes(app: FastifyInstance, { meter, patience = usualPatience }: FollowOptions = {}): void {
  /** Text of events: written once, however many listen. */
  const texts = new WeakMap<ClusterEvent, string>();
  const format = (event: ClusterEvent): string => {
    const text = texts.get(event) ?? formatServerEvent(eventId(event), JSON.stringify(event));
    texts.set(event, text);
    return text;
  };
  let listeners = 0;
  const count = (change: 1 | -1): void => {
    listeners += change;
    meter?.listening(listeners);
  };
  app.get<{ Querystring: Query }>('/v1/events', needs('read'), async ({ query, headers, control }, reply) => {
    const after = positionOf(headers['last-event-id'] ?? query['after'] ?? '0');
    const follow = flagOf(query, 'follow');
    if (listeners >= mostListeners) {
      const hint = 'try again in a minute; oakctl_event_listeners of /metrics counts them';
      throw new ProblemError(problem('UNAVAILABLE', `${listeners} listen already`, { hint, disposition: 'retry' }));
    }
    count(1);
    reply.raw.once('close', () => count(-1));
    const limit = { patience, onStalled: () => meter?.dropped() };
    return sendFlow(
      reply,
      'text/event-stream',
      (signal) => eventLines(control.events, { after, follow, format }, signal),
      limit,
    );
  });
  app.get<NamedRoute & { Querystring: Query }>(
    '/v1/instances/:name/logs',
    needs('read'),
    async ({ params, query, control }, reply) => {
      const instance = instanceNamed(control, params.name);
      const tail = numberOf(query, 'tail', maxTail);
      const options = { follow: flagOf(query, 'follow'), ...(tail === undefined ? {} : { tail }) };
      return sendFlow(reply, 'text/plain; charset=utf-8', (signal) => control.logs(instance, options, signal));
    },
  );
}

function positionOf(text: string | readonly string[]): EventPosition {
  const position = typeof text === 'string' ? parseEventPosition(text) : undefined;
  if (position !== undefined) return position;
  const what = '`after` must be the number or the id of an event, or `latest`';
  throw new ProblemError(problem('BAD_REQUEST', what, { subject: 'after' }));
}

interface Listening {
  readonly after: EventPosition;
  readonly follow: boolean;
  readonly format: (event: ClusterEvent) => string;
}

/** Kept events come without waiting for anything, so the first pause is where the live ones would begin. */
async function* eventLines(
  open: ControlPlane['events'],
  { after, follow, format }: Listening,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const over = new AbortController();
  const events = open(after, AbortSignal.any([signal, over.signal]))[Symbol.asyncIterator]();
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
      const { lines, waiting } = await gather(events, next, format);
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
async function gather(
  events: AsyncIterator<ClusterEvent>,
  first: Next,
  format: Listening['format'],
): Promise<{ lines: string; waiting?: Next }> {
  const over = nextTurn('over' as const);
  let lines = '';
  let next = first;
  for (;;) {
    const result = await Promise.race([next, over]);
    if (result === 'over') return { lines, waiting: next };
    if (result.done) return { lines };
    lines += format(result.value);
    // A reader that is far behind gets it in pieces, and is waited for in between.
    if (lines.length > mostAtOnce) return { lines, waiting: events.next() };
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
