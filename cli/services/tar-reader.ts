/** Reads the entries of a tar archive in their order: ustar, GNU and pax. Links and folders are passed over. */

/** Bytes in their order. */
export interface TarSource {
  /** So many bytes, fewer only at the end. */
  read(length: number): Promise<Buffer>;
  /** False when the archive ends before. */
  skip(length: number): Promise<boolean>;
}

interface TarFile {
  readonly path: string;
  readonly size: number;
}

interface TarVisitor {
  /** Is its content to be read? */
  wants(file: TarFile): boolean;
  take(file: TarFile, content: Buffer): void;
  /** An entry was passed over. May throw. */
  passed?(): void;
}

const block = 512;
/** Of a pax header or a long name, in bytes. */
const longestExtra = 1024 * 1024;

/** `whole`; `torn`: it ends in the middle; `none`: this is no tar archive. */
export async function readTar(source: TarSource, visitor: TarVisitor): Promise<'whole' | 'torn' | 'none'> {
  let own: { path?: string; size?: number } = {};
  for (let first = true; ; first = false) {
    const header = await source.read(block);
    if (first && (header.length < block || !isHeader(header))) return 'none';
    // The end is marked by two empty blocks; some writers leave them out.
    if (header.length === 0 || isEmpty(header)) return 'whole';
    if (header.length < block || !isHeader(header)) return 'torn';
    const type = String.fromCharCode(header[156] ?? 0);
    const size = own.size ?? numberAt(header, 124, 12);
    if (!Number.isSafeInteger(size) || size < 0) return 'torn';
    const padded = Math.ceil(size / block) * block;
    if (type === 'x' || type === 'L') {
      if (size > longestExtra) return 'torn';
      const content = await source.read(padded);
      if (content.length < padded) return 'torn';
      own = type === 'x' ? { ...own, ...paxOf(content.subarray(0, size)) } : { ...own, path: textOf(content) };
      continue;
    }
    const file = { path: (own.path ?? pathOf(header)).replace(/^\.\//, ''), size };
    own = {};
    const isFile = type === '0' || type === '\0' || type === '7';
    if (isFile && visitor.wants(file)) {
      const content = await source.read(padded);
      if (content.length < padded) return 'torn';
      visitor.take(file, content.subarray(0, size));
    } else {
      if (!(await source.skip(padded))) return 'torn';
      visitor.passed?.();
    }
  }
}

function isEmpty(header: Buffer): boolean {
  return header.every((byte) => byte === 0);
}

/** The sum of all bytes, its own field counted as blanks, stands in the header. */
function isHeader(header: Buffer): boolean {
  if (isEmpty(header)) return true;
  let sum = 8 * 0x20;
  for (const [at, byte] of header.entries()) if (at < 148 || at >= 156) sum += byte;
  return sum === numberAt(header, 148, 8);
}

/** Octal, or binary with the first bit set (sizes above 8 GiB). */
function numberAt(header: Buffer, at: number, length: number): number {
  if (((header[at] ?? 0) & 0x80) !== 0) return Number(header.readBigUInt64BE(at + length - 8));
  return Number.parseInt(textOf(header.subarray(at, at + length)).trim() || '0', 8);
}

function pathOf(header: Buffer): string {
  const name = textOf(header.subarray(0, 100));
  const isUstar = header.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isUstar ? textOf(header.subarray(345, 500)) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

/** Records `<length> <key>=<value>\n`. */
function paxOf(content: Buffer): { path?: string; size?: number } {
  const found: { path?: string; size?: number } = {};
  for (let at = 0; at < content.length; ) {
    const length = Number.parseInt(content.toString('latin1', at, at + 20), 10);
    if (!(length > 0)) break;
    const record = content.toString('utf8', at, at + length - 1);
    const [key, value = ''] = record.slice(record.indexOf(' ') + 1).split(/=(.*)/s, 2);
    if (key === 'path') found.path = value;
    if (key === 'size' && /^\d{1,15}$/.test(value)) found.size = Number(value);
    at += length;
  }
  return found;
}
