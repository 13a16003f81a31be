/** Archives of images and a real Engine: what it takes, what it has already, what it refuses. */
import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import Docker from 'dockerode';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEngine } from '../../agent/runtimes/docker/engine.ts';
import { createDockerRuntime } from '../../agent/runtimes/docker/index.ts';
import { loadArchive } from '../../agent/runtimes/docker/load.ts';
import { readImageArchive } from '../../cli/services/image-archive.ts';
import { describeWithEngine } from '../support/engine.ts';
import { idOf, imageTar, type SavedImage } from '../support/image-tar.ts';
import { unique } from '../support/machine.ts';

const never = new AbortController().signal;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-load-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

await describeWithEngine('an archive of images', (socket) => {
  const docker = new Docker({ socketPath: socket });
  const runtime = createDockerRuntime({ socket, cluster: 'c'.repeat(64), node: 'load', ip: '127.0.0.1' });
  const repository = `oakctl/${unique('load')}`;
  let image: SavedImage;
  beforeEach(() => {
    image = { names: [`${repository}:1`], content: randomBytes(400_000) };
  });
  afterEach(async () => {
    const all = await docker.listImages();
    const own = all.flatMap(({ RepoTags }) => RepoTags ?? []).filter((name) => name.startsWith(`${repository}:`));
    for (const name of own) await docker.getImage(name).remove({ force: true });
  });

  /** What the CLI reads of a file, and its content. */
  async function archiveOf(content: Buffer) {
    const file = join(folder, 'images.tar');
    await writeFile(file, content);
    return readImageArchive(file, never);
  }
  const load = (file: string) => runtime.loadImages(createReadStream(file), never);
  const isThere = (name: string) =>
    docker
      .getImage(name)
      .inspect()
      .then(
        ({ Id }) => Id,
        () => undefined,
      );

  it.each([
    ['plain', (content: Buffer) => content],
    ['packed by gzip', gzipSync],
  ])('(%s) is taken under its name and its id, and is had from then on', async (_, pack) => {
    const { file, images } = await archiveOf(pack(imageTar([image])));
    expect(await runtime.ownImages(images, never)).toBeUndefined();
    await load(file);
    expect(await isThere(`${repository}:1`)).toBe(idOf(image));
    const own = { already: true, images: [{ id: idOf(image), names: [`${repository}:1`] }] };
    expect(await runtime.ownImages(images, never)).toEqual(own);
    await load(file);
    expect(await runtime.ownImages(images, never)).toEqual(own);
  });

  it('that the engine itself saved is read, and comes back after it was removed', async () => {
    await load((await archiveOf(imageTar([image]))).file);
    const file = join(folder, 'saved.tar');
    await pipeline(await docker.getImage(`${repository}:1`).get(), createWriteStream(file));
    await docker.getImage(`${repository}:1`).remove();
    expect(await isThere(idOf(image))).toBeUndefined();
    const { images, bytes } = await readImageArchive(file, never);
    expect(bytes).toBe((await stat(file)).size);
    expect(images).toMatchObject([{ names: [`${repository}:1`] }]);
    expect(images[0]?.ids).toContain(idOf(image));
    await load(file);
    expect(await runtime.ownImages(images, never)).toMatchObject({ already: true });
  });

  it('whose image is there under another name gives it the name, and nothing is sent', async () => {
    await load((await archiveOf(imageTar([image]))).file);
    const { images } = await archiveOf(imageTar([{ ...image, names: [`${repository}:2`] }]));
    expect(await runtime.ownImages(images, never)).toMatchObject({ already: false });
    expect(await isThere(`${repository}:2`)).toBe(idOf(image));
    expect(await runtime.ownImages(images, never)).toMatchObject({ already: true });
  });

  it('for other machines is refused before anything is sent', async () => {
    const { images } = await archiveOf(imageTar([{ ...image, architecture: 's390x' }]));
    await expect(runtime.ownImages(images, never)).rejects.toThrow('IMAGE_WRONG_ARCHITECTURE');
  });

  it('with a name that no image can have is refused', async () => {
    const images = [{ ids: [idOf(image)], names: ['../../containers/x'] }];
    await expect(runtime.ownImages(images, never)).rejects.toThrow('BAD_REQUEST');
  });

  it('that breaks off, or is left, leaves no image', async () => {
    const content = imageTar([image]);
    async function* torn() {
      yield content.subarray(0, content.length / 2);
      throw new Error('gone');
    }
    await expect(runtime.loadImages(torn(), never)).rejects.toThrow('gone');
    const leave = new AbortController();
    async function* left() {
      yield content.subarray(0, content.length - 3_000);
      leave.abort(new Error('left'));
      yield content.subarray(content.length - 3_000);
    }
    await expect(runtime.loadImages(left(), leave.signal)).rejects.toThrow('left');
    expect(await isThere(`${repository}:1`)).toBeUndefined();
  });

  it('that is none is told in the words of the engine', async () => {
    async function* nonsense() {
      yield Buffer.from('nonsense'.repeat(1_000));
    }
    await expect(runtime.loadImages(nonsense(), never)).rejects.toThrow('IMAGE_LOAD_FAILED');
  });
});

describe('an engine that takes an archive', () => {
  /** An engine that only loads, in its own way. */
  async function engineThat(answer: Parameters<typeof createServer>[1]) {
    const socket = join(folder, 'engine.sock');
    const server = createServer((request, response) => {
      if (request.url?.includes('_ping')) return void response.setHeader('api-version', '1.41').end('OK');
      answer?.(request, response);
    });
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const close = (): void => {
      server.close();
      server.closeAllConnections();
    };
    return { engine: createEngine(socket), close };
  }
  async function* pieces(count: number) {
    for (let at = 0; at < count; at += 1) yield Buffer.alloc(64 * 1024);
  }

  it.each([
    ['takes nothing', () => {}],
    ['says nothing', (request: { resume(): unknown }) => request.resume()],
  ])('and %s is RUNTIME_UNAVAILABLE', async (_, answer) => {
    const { engine, close } = await engineThat(answer as never);
    try {
      await expect(loadArchive(engine, pieces(200), 300, never)).rejects.toThrow('RUNTIME_UNAVAILABLE');
    } finally {
      close();
    }
  });

  it('and has no room says so while it takes', async () => {
    const { engine, close } = await engineThat((request, response) => {
      request.once('data', () => {
        response.statusCode = 500;
        response.end('{"message":"write /layer.tar: no space left on device"}');
      });
    });
    try {
      await expect(loadArchive(engine, pieces(200), 5_000, never)).rejects.toThrow('IMAGE_NO_SPACE');
    } finally {
      close();
    }
  });

  it('and fails at the end says so, too', async () => {
    const { engine, close } = await engineThat((request, response) => {
      request.resume().once('end', () => {
        response.end('{"status":"Loading layer"}\r\n{"errorDetail":{"message":"bad"},"error":"bad layer"}\r\n');
      });
    });
    try {
      await expect(loadArchive(engine, pieces(3), 5_000, never)).rejects.toThrow('the engine says: bad layer');
    } finally {
      close();
    }
  });
});
