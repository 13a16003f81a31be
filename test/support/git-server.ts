/** `git http-backend` behind a web server of the test: with a password, with faults, and with a count of what was asked. */
import { spawn } from 'node:child_process';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';

/** What the server does instead of its work. */
export type GitFault =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** The answer ends after so many bytes, as when a connection breaks. */
  | { readonly kind: 'truncated'; readonly after: number }
  /** No answer, and no end. */
  | { readonly kind: 'stalled' };

export interface GitRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
}

export interface GitServer {
  /** `http://127.0.0.1:port`, or https. */
  readonly url: string;
  readonly requests: readonly GitRequest[];
  /** Bytes of all answers. */
  sent: number;
  /** Whoever does not say `user:password` is refused. */
  password?: string | undefined;
  fault?: GitFault | undefined;
  forget(): void;
  close(): Promise<void>;
}

/** Serves the bare repositories of a folder. `dumb`: as files, as a web server that knows nothing of git. */
export async function serveGit(
  folder: string,
  { tls, dumb = false }: { tls?: { cert: string; key: string }; dumb?: boolean } = {},
): Promise<GitServer> {
  const requests: GitRequest[] = [];
  const handle: RequestListener = (request, response) => {
    requests.push({
      method: request.method ?? '',
      path: request.url ?? '',
      authorization: request.headers.authorization,
    });
    const { fault, password } = server;
    if (fault?.kind === 'stalled') return;
    if (fault?.kind === 'status') return void response.writeHead(fault.status, fault.headers).end('no');
    const expected = password && `Basic ${Buffer.from(password).toString('base64')}`;
    if (expected && request.headers.authorization !== expected)
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
    answer(folder, dumb, request, response, (bytes) => {
      server.sent += bytes;
      return fault?.kind === 'truncated' ? fault.after : Number.POSITIVE_INFINITY;
    });
  };
  const listener = tls ? createHttpsServer(tls, handle) : createHttpServer(handle);
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  const server: GitServer = {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    requests,
    sent: 0,
    forget() {
      requests.length = 0;
      server.sent = 0;
    },
    close: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
        listener.closeAllConnections();
      }),
  };
  return server;
}

/** As CGI: headers first, then what git says. `sending` answers after how many bytes of it the connection breaks. */
function answer(
  folder: string,
  dumb: boolean,
  request: IncomingMessage,
  response: ServerResponse,
  sending: (bytes: number) => number,
): void {
  const { pathname, search } = new URL(request.url ?? '/', 'http://localhost');
  const backend = spawn(
    'git',
    ['-c', 'safe.directory=*', ...(dumb ? ['-c', 'http.uploadpack=false'] : []), 'http-backend'],
    {
      env: {
        PATH: process.env['PATH'],
        GIT_PROJECT_ROOT: folder,
        GIT_HTTP_EXPORT_ALL: '1',
        GIT_CONFIG_NOSYSTEM: '1',
        HOME: join(dirname(folder), 'nobody'),
        PATH_INFO: decodeURIComponent(pathname),
        QUERY_STRING: dumb ? '' : search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        ...(request.headers['content-encoding'] && { HTTP_CONTENT_ENCODING: request.headers['content-encoding'] }),
        ...(request.headers['git-protocol'] && { GIT_PROTOCOL: String(request.headers['git-protocol']) }),
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  );
  request.pipe(backend.stdin);
  backend.stdin.on('error', () => undefined);
  response.on('close', () => backend.kill());
  let head = Buffer.alloc(0);
  let begun = false;
  let bytes = 0;
  const write = (chunk: Buffer): void => {
    bytes += chunk.length;
    const most = sending(chunk.length);
    if (bytes <= most) return void response.write(chunk);
    response.write(chunk.subarray(0, Math.max(0, most - bytes + chunk.length)), () => response.destroy());
  };
  backend.stdout.on('data', (chunk: Buffer) => {
    if (begun) return write(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    begun = true;
    const headers = head
      .toString('latin1', 0, end)
      .split('\r\n')
      .map((line) => line.split(': ') as [string, string]);
    const status = Number(headers.find(([name]) => name === 'Status')?.[1].split(' ')[0] ?? 200);
    response.writeHead(status, headers.filter(([name]) => name !== 'Status').flat());
    write(head.subarray(end + 4));
  });
  backend.stdout.on('end', () => response.end());
}
