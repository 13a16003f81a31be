/** Requests over kept connections, and readers of the event stream: times as a client sees them, in ms. */
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';

export interface Target {
  readonly url: string;
  readonly token: string;
}

/** One request; its whole answer is read. Throws unless it is 2xx. */
export async function ask(target: Target, agent: Agent, path: string, body?: unknown): Promise<number> {
  const began = performance.now();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${target.token}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    };
    const method = body === undefined ? 'GET' : 'POST';
    const sent = request(`${target.url}${path}`, { method, headers, agent }, resolve).on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
  let bytes = 0;
  for await (const piece of response) bytes += (piece as Buffer).length;
  if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode}, ${bytes} bytes`);
  return performance.now() - began;
}

export interface Load {
  readonly perSecond: number;
  /** Sorted. */
  readonly times: readonly number[];
}

/** Asks again and again on so many connections. */
export async function load(target: Target, path: string, connections: number, ms: number): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const times: number[] = [];
  try {
    await ask(target, agent, path);
    const began = performance.now();
    const worker = async (): Promise<void> => {
      while (performance.now() - began < ms) times.push(await ask(target, agent, path));
    };
    await Promise.all(Array.from({ length: connections }, worker));
    const seconds = (performance.now() - began) / 1000;
    return { perSecond: times.length / seconds, times: times.sort((a, b) => a - b) };
  } finally {
    agent.destroy();
  }
}

export interface Readers {
  /** For each event that was seen: when the first and when the last reader had it, and how many had. */
  readonly seen: ReadonlyMap<string, { readonly first: number; last: number; count: number }>;
  close(): void;
}

/** Opens the event stream so many times; resolves when all are connected. */
export async function openReaders(target: Target, count: number): Promise<Readers> {
  const seen = new Map<string, { readonly first: number; last: number; count: number }>();
  const open: ClientRequest[] = [];
  const agent = new Agent({ maxSockets: Number.POSITIVE_INFINITY });
  const note = (text: string): void => {
    const now = performance.now();
    for (const [, id = ''] of text.matchAll(/^id: (.+)$/gm)) {
      const event = seen.get(id) ?? { first: now, last: now, count: 0 };
      event.last = now;
      event.count += 1;
      seen.set(id, event);
    }
  };
  const connect = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${target.token}` };
      const sent = request(`${target.url}/v1/events?after=latest&follow=true`, { headers, agent }, (response) => {
        if (response.statusCode !== 200) return reject(new Error(`events: ${response.statusCode}`));
        response.setEncoding('utf8');
        response.on('data', note).on('error', () => {});
        resolve();
      });
      sent.on('error', reject).end();
      open.push(sent);
    });
  // Not all in one moment: that would be a herd.
  for (let n = 0; n < count; n += 50) await Promise.all(Array.from({ length: Math.min(50, count - n) }, connect));
  return {
    seen,
    close() {
      for (const one of open) one.destroy();
      agent.destroy();
    },
  };
}
