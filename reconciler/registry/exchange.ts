/** One HTTP exchange with a registry: over TLS, or in the open where that is granted; by a proxy where there is one. */
import { type ClientRequest, type IncomingMessage, request as openPlain } from 'node:http';
import { request as openTls } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { hostOf, isLoopback } from '../../schemas/addresses.ts';
import type { Registries } from '../../schemas/registries.ts';

/** Longest body that is read, in bytes: manifests are refused by engines beyond 4 MiB. */
const longest = 4 * 1024 * 1024;

export interface Asked {
  readonly url: URL;
  readonly method: 'GET' | 'HEAD';
  readonly headers: Readonly<Record<string, string>>;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** Sends a request and reads the whole answer. Throws what the connection throws, and the abort reason. Redirects are not followed. */
export async function ask(
  asked: Asked,
  via: Pick<Registries, 'proxy' | 'noProxy'>,
  signal: AbortSignal,
): Promise<Answered> {
  signal.throwIfAborted();
  const proxy = proxyFor(asked.url, via);
  const isTls = asked.url.protocol === 'https:';
  const tunnel = proxy && isTls ? await connect(proxy, asked.url, signal) : undefined;
  try {
    return await new Promise((resolve, reject) => {
      const { method, headers, url } = asked;
      const base = { method, headers: { ...headers, host: url.host }, signal, agent: false as const };
      const request = isTls
        ? openTls(url, { ...base, rejectUnauthorized: true, ...(tunnel && { socket: tunnel }) })
        : proxy
          ? openPlain({
              ...base,
              headers: { ...base.headers, ...loginOf(proxy) },
              hostname: proxy.hostname,
              port: proxy.port || 80,
              path: url.href,
            })
          : openPlain(url, base);
      receive(request, resolve, reject);
    });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    tunnel?.destroy();
  }
}

function receive(request: ClientRequest, resolve: (answer: Answered) => void, reject: (error: Error) => void): void {
  request.on('error', reject);
  request.on('response', (response) => {
    const pieces: Buffer[] = [];
    let size = 0;
    response.on('error', reject);
    response.on('data', (piece: Buffer) => {
      size += piece.length;
      if (size > longest) return request.destroy(new Error(`the answer is longer than ${longest} bytes`));
      pieces.push(piece);
    });
    response.on('end', () =>
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) }),
    );
  });
  request.end();
}

/** A tunnel through the proxy. */
function connect(proxy: URL, to: URL, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const path = `${to.hostname}:${to.port || 443}`;
    const request = openPlain({
      method: 'CONNECT',
      hostname: proxy.hostname,
      port: proxy.port || 80,
      path,
      headers: { host: path, ...loginOf(proxy) },
      signal,
      agent: false,
    });
    request.on('error', reject);
    request.on('connect', (response, socket) => {
      if (response.statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(new Error(`the proxy ${proxy.host} answers HTTP ${response.statusCode}`));
    });
    // An answer that opens no tunnel.
    request.on('response', (response) => {
      response.resume();
      reject(new Error(`the proxy ${proxy.host} answers HTTP ${response.statusCode}`));
    });
    request.end();
  });
}

function loginOf({ username, password }: URL): Record<string, string> {
  if (username === '') return {};
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(login).toString('base64')}` };
}

function proxyFor({ hostname, host }: URL, { proxy, noProxy }: Pick<Registries, 'proxy' | 'noProxy'>): URL | undefined {
  if (proxy === undefined || isLoopback(hostOf({ hostname }))) return undefined;
  const isLeftOut = noProxy.some(
    (one) =>
      one === host || one === hostname || (isIP(hostname) === 0 && hostname.endsWith(`.${one.replace(/^\./, '')}`)),
  );
  return isLeftOut ? undefined : new URL(proxy);
}
