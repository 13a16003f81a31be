/** Server-sent events (text/event-stream), as far as oakctl uses them: `id` and one `data` line per event. */

/** Longest line that is read: far above any event, far below trouble. */
const maxLength = 1024 * 1024;

/** An event as text. `data` must not hold a line break: JSON never does. */
export function formatServerEvent(id: string, data: string): string {
  return `id: ${id}\ndata: ${data}\n\n`;
}

/** A comment: keeps idle connections open and finds dead ones. Readers skip it. */
export const keepAliveComment = ': still here\n\n';

/** The `data` of each event, in order. Throws RangeError when a line passes 1 MiB. */
export async function* readServerEvents(pieces: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  let rest = '';
  let data: string[] = [];
  for await (const piece of pieces) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLength)
      throw new RangeError(`a line of an event stream is longer than ${maxLength} characters`);
    for (const line of lines.map((text) => text.replace(/\r$/, ''))) {
      if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
      if (line !== '' || data.length === 0) continue;
      yield data.join('\n');
      data = [];
    }
  }
}
