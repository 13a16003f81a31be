/** Archives in memory, as a container engine imports them: plain ustar, all owned by root, all of the same time. */

/** One entry. Paths are relative, without a leading slash, and at most 99 bytes long. */
export type TarEntry =
  | { readonly path: string; readonly kind: 'folder'; readonly mode?: number }
  | { readonly path: string; readonly kind: 'file'; readonly content: Buffer; readonly mode?: number }
  | { readonly path: string; readonly kind: 'link'; readonly target: string };

const block = 512;
const types = { folder: '5', file: '0', link: '2' } as const;

/** The archive as pieces to be written one after the other; contents are not copied. */
export function* tar(entries: Iterable<TarEntry>): Generator<Buffer> {
  for (const entry of entries) {
    yield header(entry);
    if (entry.kind !== 'file') continue;
    yield entry.content;
    yield Buffer.alloc((block - (entry.content.length % block)) % block);
  }
  yield Buffer.alloc(2 * block);
}

function header(entry: TarEntry): Buffer {
  const target = entry.kind === 'link' ? entry.target : '';
  if (Buffer.byteLength(entry.path) > 99 || Buffer.byteLength(target) > 99)
    throw new RangeError(`path too long for an archive: ${entry.path}`);
  const bytes = Buffer.alloc(block);
  const mode = entry.kind === 'link' ? 0o777 : (entry.mode ?? (entry.kind === 'folder' ? 0o755 : 0o644));
  bytes.write(entry.path, 0);
  bytes.write(octal(mode, 7), 100);
  bytes.write(octal(0, 7), 108);
  bytes.write(octal(0, 7), 116);
  bytes.write(octal(entry.kind === 'file' ? entry.content.length : 0, 11), 124);
  bytes.write(octal(0, 11), 136);
  bytes.write(types[entry.kind], 156);
  bytes.write(target, 157);
  bytes.write('ustar\u000000', 257);
  // The checksum counts its own field as blanks.
  bytes.fill(' ', 148, 156);
  bytes.write(
    `${octal(
      bytes.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\0 `,
    148,
  );
  return bytes;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
