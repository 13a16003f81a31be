/** Counts what happens to the containers of a cluster, by the Engine's own event stream: no polling in the measurement. */
import type { Readable } from 'node:stream';
import Docker from 'dockerode';

export interface EventCounter {
  /** Resolves when `count` more containers than at the call had this event. Call it before causing them. */
  next(event: 'start' | 'destroy', count: number): Promise<void>;
  close(): void;
}

export async function countEvents(fingerprint: string): Promise<EventCounter> {
  const filters = JSON.stringify({
    type: ['container'],
    event: ['start', 'destroy'],
    label: [`io.oakctl.cluster=${fingerprint}`],
  });
  const stream = (await new Docker().getEvents({ filters })) as Readable;
  const seen = { start: 0, destroy: 0 };
  const waiting = new Set<() => void>();
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const { Action } = JSON.parse(line) as { Action: string };
      if (Action === 'start' || Action === 'destroy') seen[Action] += 1;
    }
    for (const look of waiting) look();
  });
  return {
    next: (event, count) => {
      const target = seen[event] + count;
      return new Promise((resolve, reject) => {
        const failed = setTimeout(
          () => reject(new Error(`only ${seen[event] - target + count} of ${count} ${event}`)),
          180_000,
        );
        const look = (): void => {
          if (seen[event] < target) return;
          waiting.delete(look);
          clearTimeout(failed);
          resolve();
        };
        waiting.add(look);
      });
    },
    close: () => void stream.destroy(),
  };
}
