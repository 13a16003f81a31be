/** The bytes of an archive on disk, as they are or unpacked by gzip. What is passed over is not read where that can be helped. */
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { ProblemError, problem } from '../../schemas/problem.ts';
import type { TarSource } from './tar-reader.ts';

export interface ArchiveSource extends TarSource {
  /** Of the file. */
  readonly bytes: number;
  close(): Promise<void>;
}

/** How files begin that are packed in ways that not every engine unpacks. */
const packed: readonly (readonly [string, string])[] = [
  ['fd377a58', 'xz -d'],
  ['28b52ffd', 'zstd -d'],
  ['425a68', 'bzip2 -d'],
];

/** NOT_FOUND, ARCHIVE_INVALID. */
export async function openArchive(file: string): Promise<ArchiveSource> {
  const handle = await open(file, 'r').catch((cause: NodeJS.ErrnoException) => {
    throw new ProblemError(
      problem('NOT_FOUND', `the archive cannot be read (${cause.code})`, {
        file,
        hint: '`docker save -o <archive> <image>` writes one',
      }),
      { cause },
    );
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) {
      const hint = 'it is read once per node: write it to a file first';
      throw new ProblemError(problem('ARCHIVE_INVALID', 'it is no file', { file, hint }));
    }
    const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    const begin = buffer.toString('hex');
    const [, unpack] = packed.find(([sign]) => begin.startsWith(sign)) ?? [];
    if (unpack) {
      const hint = `unpack it first: \`${unpack} ${file}\``;
      throw new ProblemError(problem('ARCHIVE_INVALID', 'it is packed, and not by gzip', { file, hint }));
    }
    if (!begin.startsWith('1f8b')) return plainSource(handle, stat.size);
    await handle.close();
    return gzipSource(file, stat.size);
  } catch (error) {
    await handle.close().catch(() => {});
    throw error;
  }
}

function plainSource(handle: FileHandle, bytes: number): ArchiveSource {
  let at = 0;
  return {
    bytes,
    async read(length) {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, at);
      at += bytesRead;
      return buffer.subarray(0, bytesRead);
    },
    async skip(length) {
      at += length;
      return at <= bytes;
    },
    close: () => handle.close(),
  };
}

/** Only what is asked for next is unpacked. */
function gzipSource(file: string, bytes: number): ArchiveSource {
  const input = createReadStream(file);
  const unpacked = createGunzip();
  input.on('error', (error) => unpacked.destroy(error));
  input.pipe(unpacked);
  const pieces = unpacked[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let rest: Buffer = Buffer.alloc(0);
  const more = async (): Promise<boolean> => {
    const { done, value } = await pieces.next();
    if (!done) rest = value;
    return !done;
  };
  return {
    bytes,
    async read(length) {
      const parts: Buffer[] = [];
      let missing = length;
      while (missing > 0 && (rest.length > 0 || (await more()))) {
        const part = rest.subarray(0, missing);
        rest = rest.subarray(part.length);
        missing -= part.length;
        parts.push(part);
      }
      return Buffer.concat(parts);
    },
    async skip(length) {
      let missing = length;
      while (missing > 0 && (rest.length > 0 || (await more()))) {
        const passed = Math.min(missing, rest.length);
        rest = rest.subarray(passed);
        missing -= passed;
      }
      return missing === 0;
    },
    async close() {
      input.destroy();
      unpacked.destroy();
    },
  };
}
