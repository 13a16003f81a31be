import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readImageArchive } from '../../../../cli/services/image-archive.ts';
import { tar } from '../../../../schemas/io/tar.ts';
import { idOf, imageTar, type SavedImage } from '../../../support/image-tar.ts';

const never = new AbortController().signal;
const shop: SavedImage = {
  names: ['shop:1.4', 'shop:latest'],
  content: Buffer.alloc(3_000_000, 7),
  architecture: 'arm64',
};
const bare: SavedImage = { names: [], content: Buffer.from('bare'), architecture: 'amd64' };
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oakctl-archive-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function read(content: Buffer) {
  const file = join(folder, 'images.tar');
  await writeFile(file, content);
  return readImageArchive(file, never);
}
const codeOf = (content: Buffer) =>
  read(content).then(
    () => 'no failure',
    (error) => `${error.problem.code} ${error.problem.message} ${error.problem.hint}`,
  );
const json = (path: string, value: unknown) =>
  ({ path, kind: 'file', content: Buffer.from(JSON.stringify(value)) }) as const;

describe('an archive of images', () => {
  it.each([
    ['plain', (content: Buffer) => content],
    ['packed by gzip', gzipSync],
  ])('%s tells ids, names and architecture, and how long it is', async (_, pack) => {
    const content = pack(imageTar([shop, bare]));
    expect(await read(content)).toMatchObject({
      bytes: content.length,
      images: [
        { ids: [idOf(shop)], names: ['shop:1.4', 'shop:latest'], arch: 'arm64' },
        { ids: [idOf(bare)], names: [], arch: 'amd64' },
      ],
    });
  });

  it('of a newer engine tells also what an image is called by its manifest', async () => {
    const named = (letter: string, name: string) => ({
      digest: digest(letter),
      annotations: { 'io.containerd.image.name': name },
    });
    const index = { manifests: [named('a', 'docker.io/library/shop:1.4'), named('b', 'docker.io/library/other:1')] };
    const { images } = await read(imageTar([shop, bare], [json('index.json', index)]));
    expect(images.map(({ ids }) => ids)).toEqual([[idOf(shop), digest('a')], [idOf(bare)]]);
    const one = await read(imageTar([bare], [json('index.json', { manifests: [{ digest: digest('c') }] })]));
    expect(one.images[0]?.ids).toEqual([idOf(bare), digest('c')]);
  });

  it('may have long names and folders in it', async () => {
    const long = { path: `${'long/'.repeat(40)}name`, kind: 'file', content: Buffer.from('x') } as const;
    const { images } = await read(imageTar([bare], [{ path: 'folder', kind: 'folder' }, long]));
    expect(images).toHaveLength(1);
  });

  it('that is something else says what', async () => {
    expect(await codeOf(Buffer.from('no archive at all'.repeat(100)))).toContain('ARCHIVE_INVALID it is no tar');
    expect(await codeOf(Buffer.alloc(0))).toContain('ARCHIVE_INVALID it is no tar');
    expect(await codeOf(Buffer.from('fd377a585a0000', 'hex'))).toContain('xz -d');
    const other = Buffer.concat([...tar([json('package.json', {})])]);
    expect(await codeOf(other)).toContain('no manifest.json');
    expect(await codeOf(Buffer.concat([...tar([json('manifest.json', [null])])]))).toContain('no Config');
  });

  it('that breaks off is told so, wherever it does', async () => {
    const whole = imageTar([shop]);
    for (const length of [600, 512 + 1_000_000, whole.length - 2_000])
      expect(await codeOf(whole.subarray(0, length))).toContain('breaks off');
    const zipped = gzipSync(whole);
    expect(await codeOf(zipped.subarray(0, zipped.length - 20))).toMatch(/ARCHIVE_INVALID .*(gzip|breaks off)/);
  });

  it('with a configuration that was changed is refused', async () => {
    const damaged = imageTar([bare]);
    damaged.write('"armXX"', damaged.indexOf('"amd64"'));
    expect(await codeOf(damaged)).toContain('another one than its name says');
  });

  it('must be a file that can be read', async () => {
    await expect(readImageArchive(join(folder, 'none.tar'), never)).rejects.toThrow('NOT_FOUND');
    await expect(readImageArchive(folder, never)).rejects.toThrow('ARCHIVE_INVALID');
  });
});
