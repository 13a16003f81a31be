/** A container registry with one image, scriptable: for pulls that need no network. Engines take plain HTTP from 127.0.0.0/8. */
import { createHash } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { arch } from 'node:os';
import { gzipSync } from 'node:zlib';
import { tar } from '../../schemas/io/tar.ts';

export type RegistryMood = 'serves' | 'knows nothing' | 'denies' | 'breaks' | 'stalls';

export interface TinyRegistry {
  /** Reference of the one image. */
  readonly image: string;
  /** How it answers from now on. */
  mood: RegistryMood;
  /** Requests so far. */
  requests(): number;
  close(): Promise<void>;
}

const manifestType = 'application/vnd.docker.distribution.manifest.v2+json';
const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** Starts it on a free port. The image differs at every start, so that no engine has it. */
export async function startRegistry(): Promise<TinyRegistry> {
  const blobs = new Map<string, Buffer>();
  const manifest = imageManifest(blobs, `${process.pid} ${performance.now()}`);
  let requests = 0;
  const registry = { mood: 'serves' as RegistryMood };
  const server = createServer((request, response) => {
    requests += 1;
    const path = request.url ?? '';
    const blob = blobs.get(path.split('/').at(-1) ?? '');
    if (registry.mood === 'stalls') return;
    if (registry.mood === 'breaks') return refuse(response, 503, 'UNAVAILABLE', 'the registry is down');
    if (path === '/v2/') return void response.end('{}');
    if (registry.mood === 'denies')
      return refuse(response, 403, 'DENIED', 'requested access to the resource is denied');
    if (registry.mood === 'knows nothing') return refuse(response, 404, 'MANIFEST_UNKNOWN', 'manifest unknown');
    if (blob) return void response.end(blob);
    response.setHeader('content-type', manifestType);
    response.setHeader('docker-content-digest', digestOf(manifest));
    response.setHeader('content-length', manifest.length);
    response.end(request.method === 'HEAD' ? undefined : manifest);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(registry, {
    image: `127.0.0.1:${port}/tiny/image:1`,
    requests: () => requests,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

function imageManifest(blobs: Map<string, Buffer>, content: string): Buffer {
  const layer = Buffer.concat([...tar([{ path: 'content', kind: 'file', content: Buffer.from(content) }])]);
  const zipped = gzipSync(layer);
  const architecture = arch() === 'x64' ? 'amd64' : arch();
  const config = Buffer.from(
    JSON.stringify({ architecture, os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [digestOf(layer)] } }),
  );
  for (const blob of [config, zipped]) blobs.set(digestOf(blob), blob);
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: {
        mediaType: 'application/vnd.docker.container.image.v1+json',
        size: config.length,
        digest: digestOf(config),
      },
      layers: [
        {
          mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
          size: zipped.length,
          digest: digestOf(zipped),
        },
      ],
    }),
  );
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}
