/**
 * A container registry that speaks enough of the distribution API for engines and for our own questions, and that is scriptable:
 * moods, a login (basic, or by token), and content that is pushed under tags. Engines take plain HTTP from 127.0.0.0/8.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { arch } from 'node:os';
import { gzipSync } from 'node:zlib';
import { type TarEntry, tar } from '../../schemas/io/tar.ts';

/** `stalls`: no answer. `stalls midway`: of a blob the first half comes, and then nothing. */
export type RegistryMood = 'serves' | 'knows nothing' | 'denies' | 'breaks' | 'stalls' | 'stalls midway';

/** What an image is made of. */
export interface TinyImage {
  readonly entries: readonly TarEntry[];
  readonly command?: readonly string[];
  /** Default: of this machine. */
  readonly architecture?: string;
}

export interface RegistryLogin {
  readonly kind: 'basic' | 'token';
  readonly username: string;
  readonly password: string;
}

export interface TinyRegistry {
  /** `127.0.0.1:<port>`. */
  readonly host: string;
  /** Reference of the image that is there from the beginning. */
  readonly image: string;
  /** How it answers from now on. */
  mood: RegistryMood;
  /** Puts an image under a tag, in place of what was there; answers the digest of its manifest. */
  push(repository: string, tag: string, image: TinyImage): string;
  /** Requests so far: method, path, and whether they carried a valid login. */
  readonly log: readonly { readonly method: string; readonly path: string; readonly known: boolean }[];
  requests(): number;
  close(): Promise<void>;
}

const manifestType = 'application/vnd.docker.distribution.manifest.v2+json';
const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const ownArchitecture = arch() === 'x64' ? 'amd64' : arch();

/** Starts it on a free port. Its first image differs at every start, so that no engine has it. */
export async function startRegistry(login?: RegistryLogin): Promise<TinyRegistry> {
  const blobs = new Map<string, Buffer>();
  /** By `<repository>:<tag>` and by digest. */
  const manifests = new Map<string, Buffer>();
  const log: { method: string; path: string; known: boolean }[] = [];
  const registry = { mood: 'serves' as RegistryMood };
  let host = '';

  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '';
    const known = login === undefined || isKnown(login, request.headers.authorization);
    log.push({ method: request.method ?? '', path, known });
    if (registry.mood === 'stalls') return;
    if (registry.mood === 'breaks') return refuse(response, 503, 'UNAVAILABLE', 'the registry is down');
    if (path.startsWith('/token')) return giveToken(response, login, known);
    if (!known) return challenge(response, host, login);
    if (path === '/v2/') return void response.end('{}');
    if (registry.mood === 'denies')
      return refuse(response, 403, 'DENIED', 'requested access to the resource is denied');
    const [, repository = '', kind, name = ''] = /^\/v2\/(.+)\/(blobs|manifests)\/([^/?]+)/.exec(path) ?? [];
    const found = kind === 'blobs' ? blobs.get(name) : (manifests.get(`${repository}:${name}`) ?? manifests.get(name));
    if (!found || registry.mood === 'knows nothing')
      return refuse(response, 404, 'MANIFEST_UNKNOWN', 'manifest unknown');
    response.setHeader('content-length', found.length);
    if (kind === 'manifests') {
      response.setHeader('content-type', manifestType);
      response.setHeader('docker-content-digest', digestOf(found));
    }
    if (kind === 'blobs' && registry.mood === 'stalls midway')
      return void response.write(found.subarray(0, found.length / 2));
    response.end(request.method === 'HEAD' ? undefined : found);
  };

  const push = (repository: string, tag: string, image: TinyImage): string => {
    const manifest = imageManifest(blobs, image);
    manifests.set(`${repository}:${tag}`, manifest);
    manifests.set(digestOf(manifest), manifest);
    return digestOf(manifest);
  };
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  push('tiny/image', '1', textImage(`${process.pid} ${performance.now()}`));
  return Object.assign(registry, {
    host,
    image: `${host}/tiny/image:1`,
    push,
    log,
    requests: () => log.length,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

/** An image that holds a text, and runs nothing. */
export function textImage(text: string): TinyImage {
  return { entries: [{ path: 'content', kind: 'file', content: Buffer.from(text) }] };
}

const issued = 'tiny-token';

function isKnown({ kind, username, password }: RegistryLogin, header: string | undefined): boolean {
  const basic = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return header === basic || (kind === 'token' && header === `Bearer ${issued}`);
}

function giveToken(response: ServerResponse, login: RegistryLogin | undefined, known: boolean) {
  if (login && !known) return refuse(response, 401, 'UNAUTHORIZED', 'incorrect username or password');
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ token: issued, expires_in: 60 }));
}

function challenge(response: ServerResponse, host: string, login: RegistryLogin | undefined): void {
  const how = login?.kind === 'token' ? `Bearer realm="http://${host}/token",service="tiny"` : 'Basic realm="tiny"';
  response.setHeader('www-authenticate', how);
  refuse(response, 401, 'UNAUTHORIZED', 'authentication required');
}

function imageManifest(
  blobs: Map<string, Buffer>,
  { entries, command, architecture = ownArchitecture }: TinyImage,
): Buffer {
  const layer = Buffer.concat([...tar(entries)]);
  const zipped = gzipSync(layer);
  const config = Buffer.from(
    JSON.stringify({
      architecture,
      os: 'linux',
      config: { ...(command && { Cmd: command }) },
      rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    }),
  );
  for (const blob of [config, zipped]) blobs.set(digestOf(blob), blob);
  const part = (mediaType: string, blob: Buffer) => ({ mediaType, size: blob.length, digest: digestOf(blob) });
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: part('application/vnd.docker.container.image.v1+json', config),
      layers: [part('application/vnd.docker.image.rootfs.diff.tar.gzip', zipped)],
    }),
  );
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}
