/** Archives of images as `docker save` writes them, of little images that run nothing. */
import { createHash } from 'node:crypto';
import { arch } from 'node:os';
import { type TarEntry, tar } from '../../schemas/io/tar.ts';

export interface SavedImage {
  readonly names: readonly string[];
  /** What its one file holds. */
  readonly content: Buffer;
  /** Default: of this machine. */
  readonly architecture?: string;
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const ownArchitecture = arch() === 'x64' ? 'amd64' : arch();

/** The id of the image, by its configuration, and its entries; `index`: with what newer engines write beside the old form. */
function entriesOf({ content, architecture = ownArchitecture }: SavedImage) {
  const layer = Buffer.concat([...tar([{ path: 'content', kind: 'file', content }])]);
  const rootfs = { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] };
  const config = Buffer.from(JSON.stringify({ architecture, os: 'linux', config: {}, rootfs }));
  const hex = sha256(config);
  const entries: TarEntry[] = [
    { path: `${hex}/layer.tar`, kind: 'file', content: layer },
    { path: `${hex}.json`, kind: 'file', content: config },
  ];
  return { hex, entries };
}

export function idOf(image: SavedImage): string {
  return `sha256:${entriesOf(image).hex}`;
}

/** The archive. manifest.json comes last, as engines write it; `more` goes before everything. */
export function imageTar(images: readonly SavedImage[], more: readonly TarEntry[] = []): Buffer {
  const all = images.map((image) => ({ image, ...entriesOf(image) }));
  const manifest = all.map(({ image, hex }) => ({
    Config: `${hex}.json`,
    RepoTags: image.names.length > 0 ? image.names : null,
    Layers: [`${hex}/layer.tar`],
  }));
  const text = Buffer.from(JSON.stringify(manifest));
  const entries = [...more, ...all.flatMap((one) => one.entries)];
  return Buffer.concat([...tar([...entries, { path: 'manifest.json', kind: 'file', content: text }])]);
}
