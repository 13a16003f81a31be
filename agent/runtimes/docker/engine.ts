/**
 * The connection to an engine: API version by negotiation, and a time limit on every call, because neither the engine nor the
 * library has one. A call that the engine does not answer is RUNTIME_UNAVAILABLE ("unknown", never "dead"); one that it refuses
 * keeps its HTTP status for {@link statusOf}.
 */
import type { Readable } from 'node:stream';
import Docker from 'dockerode';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { CopyKey } from '../runtime.ts';

/** Where an engine listens unless told otherwise. */
export const defaultSocket = '/var/run/docker.sock';

/** Time limits in ms. */
export const limits = {
  read: 10_000,
  change: 60_000,
  stopExtra: 10_000,
  pullStall: 60_000,
  loadStall: 300_000,
} as const;

type Call<T> = (docker: Docker) => Promise<T>;

export interface Engine {
  /** One request. Throws the caller's abort reason, RUNTIME_UNAVAILABLE, or the engine's refusal. */
  call<T>(limit: number, signal: AbortSignal, action: Call<T>): Promise<T>;
  /** A request whose answer is a stream: the limit covers the wait for its first byte of header, `signal` all of it. */
  stream(limit: number, signal: AbortSignal, action: Call<NodeJS.ReadableStream>): Promise<Readable>;
}

/** Oldest API that is spoken, and the newest that was looked at; an engine in between is spoken to in its own version. */
const oldestApi = '1.41';
const newestApi = '1.51';

/** Nothing is connected before the first call; a lost engine is negotiated with anew. */
export function createEngine(socket: string = defaultSocket): Engine {
  let negotiated: Promise<Docker> | undefined;

  async function connect(signal: AbortSignal): Promise<Docker> {
    // Shared by all calls that wait for it, hence with a limit of its own instead of the first caller's signal.
    negotiated ??= negotiate(socket, AbortSignal.timeout(limits.read));
    const pending = negotiated;
    try {
      return await orAborted(pending, signal);
    } catch (error) {
      if (negotiated === pending && !signal.aborted) negotiated = undefined;
      throw error;
    }
  }

  async function attempt<T>(link: Link, signal: AbortSignal, action: Call<T>): Promise<T> {
    try {
      const docker = await connect(link.signal);
      return await orAborted(action(cutBy(docker, link.signal)), link.signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof ProblemError || statusOf(error) !== undefined) throw error;
      negotiated = undefined;
      throw unavailable(socket, link.expired() ? `no answer within ${link.limit} ms` : messageOf(error), error);
    }
  }

  return {
    async call(limit, signal, action) {
      const link = linkSignal(limit, signal);
      try {
        return await attempt(link, signal, action);
      } finally {
        link.release();
      }
    },
    async stream(limit, signal, action) {
      const link = linkSignal(limit, signal);
      try {
        const stream = (await attempt(link, signal, action)) as Readable;
        link.disarm();
        stream.once('close', link.release);
        return stream;
      } catch (error) {
        link.release();
        throw error;
      }
    },
  };
}

/**
 * The library with this signal on each request, as not all of its calls take one: an engine that hangs in one call and answers others
 * would keep a connection for each that was given up.
 */
function cutBy(docker: Docker, abortSignal: AbortSignal): Docker {
  const modem: Docker['modem'] = Object.create(docker.modem, {
    dial: {
      value: (options: object, callback: Parameters<Docker['modem']['dial']>[1]) =>
        docker.modem.dial({ ...options, abortSignal } as never, callback),
    },
  });
  return Object.create(docker, { modem: { value: modem } });
}

/** NOT_FOUND, of what is asked about a container. */
export function noContainer({ instance, copy }: CopyKey): ProblemError {
  return new ProblemError(problem('NOT_FOUND', `there is no container of copy ${copy}`, { subject: instance }));
}

/** HTTP status of an engine's refusal; undefined for everything else. */
export function statusOf(error: unknown): number | undefined {
  const status = (error as { statusCode?: unknown } | undefined)?.statusCode;
  return typeof status === 'number' ? status : undefined;
}

/** What the engine said, without the library's frame around it. */
export function messageOf(error: unknown): string {
  const said = (error as { json?: { message?: unknown } } | undefined)?.json?.message;
  if (typeof said === 'string') return said.trim();
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^\(HTTP code \d+\) [a-z ]+ - /, '').trim();
}

/** The problem of an engine that does not answer, or answers what cannot be understood. */
export function unavailable(socket: string, why: string, cause: unknown): ProblemError {
  const hint = /EACCES/.test(why)
    ? 'give this user access to the socket, e.g. by the group docker'
    : 'is the engine running? `docker version` tells';
  const text = `the container engine at ${socket} does not answer: ${why}`;
  return new ProblemError(problem('RUNTIME_UNAVAILABLE', text, { disposition: 'retry', hint }), { cause });
}

/** Asks for the engine's version of the API, which a ping answers in a header. */
async function negotiate(socket: string, signal: AbortSignal): Promise<Docker> {
  const response = await ping(socket, signal);
  const offered = String(response.headers['api-version'] ?? '');
  response.resume();
  if (!/^1\.\d+$/.test(offered) || compareApi(offered, oldestApi) < 0) {
    const text = `the container engine at ${socket} speaks API ${offered || 'of an unknown version'}, and ${oldestApi} is needed`;
    throw new ProblemError(problem('RUNTIME_UNAVAILABLE', text, { hint: 'install Docker Engine 20.10 or newer' }));
  }
  const version = compareApi(offered, newestApi) > 0 ? newestApi : offered;
  return new Docker({ socketPath: socket, version: `v${version}` });
}

function ping(socket: string, abortSignal: AbortSignal): Promise<Readable & { headers: Record<string, unknown> }> {
  const docker = new Docker({ socketPath: socket });
  const request = { path: '/_ping', method: 'GET', isStream: true, abortSignal, statusCodes: { 200: true } };
  return new Promise((resolve, reject) => {
    docker.modem.dial(request, (error: unknown, response) =>
      error ? reject(error) : resolve(response as Readable & { headers: Record<string, unknown> }),
    );
  });
}

/** The promise, or the abort reason if that comes first. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function compareApi(a: string, b: string): number {
  return Number(a.split('.')[1]) - Number(b.split('.')[1]);
}

interface Link {
  readonly signal: AbortSignal;
  readonly limit: number;
  expired(): boolean;
  /** No more limit; the caller's signal still counts. */
  disarm(): void;
  release(): void;
}

/** A signal that follows `signal` and a timer, and lets go of both. */
function linkSignal(limit: number, signal: AbortSignal): Link {
  const controller = new AbortController();
  const follow = () => controller.abort(signal.reason);
  let expired = false;
  const timer = setTimeout(() => {
    expired = true;
    controller.abort(new Error('time limit'));
  }, limit);
  if (signal.aborted) follow();
  else signal.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    limit,
    expired: () => expired,
    disarm: () => clearTimeout(timer),
    release: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', follow);
    },
  };
}
