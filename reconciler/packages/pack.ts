/** Makes a package of the agent: an archive that is the same, byte for byte, whenever it is made of the same. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type TarEntry, tar } from '../../schemas/io/tar.ts';
import { type PackageArchitecture, type PackageView, packageFile } from '../../schemas/packages.ts';
import { packageContents } from './contents.ts';

export interface PackWish {
  /** Folder of our own package, built and with its node_modules. */
  readonly root: string;
  readonly arch: PackageArchitecture;
  /** The program that goes into it. */
  readonly node: { readonly path: string; readonly version: string };
  /** Folder to write to; made if it is missing. */
  readonly into: string;
}

/** The package, and of what it was made: the same sources are not packed twice. */
interface Made extends PackageView {
  readonly key: string;
}

/** Folder in the archive. */
const top = 'oakctl-agent';

const launcher = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/node" "$here/../dist/cli/bin/oakctl.js" "$@"
`;

interface Item {
  readonly path: string;
  readonly mode: number;
  /** Where its content lies, or the content. */
  readonly from: string | Buffer;
}

/** Writes the package and what describes it, unless both are there and of the same sources. */
export async function makePackage({ root, arch, node, into }: PackWish): Promise<PackageView> {
  const { items, version } = itemsOf(root, node.path);
  const key = keyOf(items, node);
  const file = packageFile(arch);
  const known = readMade(into, file);
  if (known?.key === key) return viewOf(known);
  await mkdir(into, { recursive: true });
  const temporary = join(into, `.${file}.${process.pid}`);
  try {
    await pipeline(Readable.from(tar(entriesOf(items))), createGzip(), createWriteStream(temporary));
    const { size: bytes } = statSync(temporary);
    const unpacked = items.reduce(
      (sum, { from }) => sum + (typeof from === 'string' ? statSync(from).size : from.length),
      0,
    );
    const sha256 = await hashOf(temporary);
    const made: Made = { arch, file, version, node: node.version, bytes, unpacked, sha256, key };
    await writeFile(`${temporary}.json`, `${JSON.stringify(made)}\n`);
    // An archive without its description is not seen, and one with that of another is not of the size that it says.
    await rename(temporary, join(into, file));
    await rename(`${temporary}.json`, join(into, `${file}.json`));
    return viewOf(made);
  } finally {
    for (const left of [temporary, `${temporary}.json`]) await rm(left, { force: true });
  }
}

function itemsOf(root: string, node: string): { readonly items: readonly Item[]; readonly version: string } {
  const { files, texts, version } = packageContents(root);
  // Where Node comes with its licence.
  const licence = join(dirname(node), '..', 'LICENSE');
  const items: Item[] = [
    { path: 'bin/node', mode: 0o755, from: node },
    { path: 'bin/oakctl', mode: 0o755, from: Buffer.from(launcher) },
    ...(existsSync(licence) ? [{ path: 'LICENSE.node', mode: 0o644, from: licence }] : []),
    ...Object.entries(texts).map(([path, text]) => ({ path, mode: 0o644, from: Buffer.from(text) })),
    ...files.map(({ from, to }) => ({ path: to, mode: 0o644, from })),
  ];
  return { items, version };
}

/** Read one by one, as they are written: Node alone has 100 MB. */
function* entriesOf(items: readonly Item[]): Generator<TarEntry> {
  for (const { path, mode, from } of items) {
    const content = typeof from === 'string' ? readFileSync(from) : from;
    yield { path: `${top}/${path}`, kind: 'file', mode, content };
  }
}

/** Changes with what goes in. Of Node itself, which is large, only version, size and time are looked at. */
function keyOf(items: readonly Item[], node: PackWish['node']): string {
  const hash = createHash('sha256').update(`1 ${node.version}\n`);
  for (const { path, from } of items) {
    const { size, mtimeMs } = from === node.path ? statSync(from) : { size: 0, mtimeMs: 0 };
    const content = from === node.path ? '' : typeof from === 'string' ? readFileSync(from) : from;
    hash.update(`${path} ${size} ${mtimeMs} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** What is said of a package that lies whole in a folder. */
export function readMade(folder: string, file: string): Made | undefined {
  try {
    const made = JSON.parse(readFileSync(join(folder, `${file}.json`), 'utf8')) as Partial<Made>;
    const isSound = made.file === file && /^[0-9a-f]{64}$/.test(made.sha256 ?? '');
    const isWhole = isSound && statSync(join(folder, file)).size === made.bytes;
    return isWhole ? (made as Made) : undefined;
  } catch {
    return undefined;
  }
}

export function viewOf({ key: _key, ...view }: Made): PackageView {
  return view;
}
