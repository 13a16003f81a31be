/** Counts what happens to the containers of a cluster, by the Engines' own event streams: no polling in the measurement. */
import type { Readable } from 'node:stream';
import Docker from 'dockerode';

const counted = ['start', 'die', 'destroy'] as const;
export type CountedEvent = (typeof counted)[number];

export interface EventCounter {
  /** Resolves when `count` more containers than at the call had this event. Call it before causing them. */
  next(event: CountedEvent, count: number): Promise<void>;
  close(): void;
}

/** ms that are waited for events before it is a failure. */
const patience = 180_000;

/** Containers with `label` (`key=value`) on these engines; default the machine's one. An engine that dies says nothing more. */
export async function countEvents(label: string, engines: readonly Docker[] = [new Docker()]): Promise<EventCounter> {
  const filters = JSON.stringify({ type: ['container'], event: counted, label: [label] });
  const seen: Record<CountedEvent, number> = { start: 0, die: 0, destroy: 0 };
  const waiting = new Map<() => void, NodeJS.Timeout>();
  const note = (action: string): void => {
    if (!(counted as readonly string[]).includes(action)) return;
    seen[action as CountedEvent] += 1;
    for (const look of [...waiting.keys()]) look();
  };
  const streams = await Promise.all(
    engines.map(async (engine) => readActions((await engine.getEvents({ filters })) as Readable, note)),
  );
  return {
    next: (event, count) => {
      const target = seen[event] + count;
      return new Promise((resolve, reject) => {
        const look = (): void => {
          if (seen[event] < target) return;
          clearTimeout(waiting.get(look));
          waiting.delete(look);
          resolve();
        };
        const failed = (): void => {
          waiting.delete(look);
          reject(new Error(`only ${seen[event] - target + count} of ${count} ${event}`));
        };
        waiting.set(look, setTimeout(failed, patience));
      });
    },
    close: () => {
      for (const timer of waiting.values()) clearTimeout(timer);
      for (const stream of streams) stream.destroy();
    },
  };
}

function readActions(stream: Readable, note: (action: string) => void): Readable {
  onLines(stream, (line) => note((JSON.parse(line) as { Action: string }).Action));
  // Its engine was killed: who waits for more runs into the limit.
  stream.on('error', () => undefined);
  return stream;
}

/** Calls `take` with every complete line. */
export function onLines(stream: Readable, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
}
