/** Archives in memory, as a container engine imports them: plain ustar, all owned by root, all of the same time. */

/** One entry. Paths are relative, without a leading slash. Those over 99 bytes get a pax header; targets may not be longer. */
export type TarEntry =
  | { readonly path: string; readonly kind: 'folder'; readonly mode?: number }
  | { readonly path: string; readonly kind: 'file'; readonly content: Buffer; readonly mode?: number }
  | { readonly path: string; readonly kind: 'link'; readonly target: string };

const block = 512;
const types = { folder: '5', file: '0', link: '2', pax: 'x' } as const;
const longestName = 99;

/** The archive as pieces to be written one after the other; contents are not copied. */
export function* tar(entries: Iterable<TarEntry>): Generator<Buffer> {
  for (const entry of entries) {
    if (Buffer.byteLength(entry.path) > longestName) {
      const content = pathRecord(entry.path);
      yield header({ path: 'pax', kind: 'file', content }, types.pax);
      yield* padded(content);
    }
    yield header(entry);
    if (entry.kind === 'file') yield* padded(entry.content);
  }
  yield Buffer.alloc(2 * block);
}

function* padded(content: Buffer): Generator<Buffer> {
  yield content;
  yield Buffer.alloc((block - (content.length % block)) % block);
}

/** `<length of the record> path=<path>\n`: the length counts itself. */
function pathRecord(path: string): Buffer {
  const rest = Buffer.byteLength(` path=${path}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length > length) length += 1;
  return Buffer.from(`${length} path=${path}\n`);
}

function header(entry: TarEntry, type: string = types[entry.kind]): Buffer {
  const target = entry.kind === 'link' ? entry.target : '';
  if (Buffer.byteLength(target) > longestName) throw new RangeError(`target too long for an archive: ${target}`);
  const bytes = Buffer.alloc(block);
  const mode = entry.kind === 'link' ? 0o777 : (entry.mode ?? (entry.kind === 'folder' ? 0o755 : 0o644));
  Buffer.from(entry.path).copy(bytes, 0, 0, longestName);
  bytes.write(octal(mode, 7), 100);
  bytes.write(octal(0, 7), 108);
  bytes.write(octal(0, 7), 116);
  bytes.write(octal(entry.kind === 'file' ? entry.content.length : 0, 11), 124);
  bytes.write(octal(0, 11), 136);
  bytes.write(type, 156);
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
