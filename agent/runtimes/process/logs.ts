/** Log files of processes: kept short by size, read line by line. */
import { copyFile, open, rename, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createCutter } from '../lines.ts';
import type { LogLine } from '../runtime.ts';
import { files } from './shim.ts';

/** As the engine's: 10 MB, and two older files. */
const largest = 10 * 1024 * 1024;
const streams = ['stdout', 'stderr'] as const;
const chunkBytes = 64 * 1024;
/** ms between two looks at a log that is followed. */
const followEvery = 200;

/**
 * Moves full logs aside. The process keeps its file open, so that the content is copied and the file cut; what is written in
 * between is lost, as with every rotation of this kind.
 */
export async function rotateLogs(folder: string, limit = largest): Promise<void> {
  for (const stream of streams) {
    const path = join(folder, files[stream]);
    if ((await sizeOf(path)) < limit) continue;
    await rename(`${path}.1`, `${path}.2`).catch(ignoreAbsent);
    await copyFile(path, `${path}.1`);
    await truncate(path, 0);
  }
}

/**
 * Lines of both streams, `tail` of each at most. With `follow` also what comes, until `ended` says that nothing will. The two
 * streams are two files without times, so that their order is kept within each only.
 */
export async function* readLogs(
  folder: string,
  options: { readonly tail?: number; readonly follow?: boolean },
  ended: () => Promise<boolean>,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const readers = streams.map((stream) => createReader(join(folder, files[stream]), stream));
  const follow = options.follow === true;
  // What has no end of line yet is a line of its own, unless it may still get one.
  for (const reader of readers) yield* lastLines(follow ? reader.history() : reader.all(), options.tail);
  while (follow && !signal.aborted) {
    // Asked before reading: what was written before the end is read after it.
    const last = await ended();
    for (const reader of readers) yield* reader.news();
    if (last) break;
    await wait(followEvery, undefined, { signal }).catch(() => {});
  }
  for (const reader of readers) yield* reader.rest();
}

async function* lastLines(lines: AsyncIterable<LogLine>, tail: number | undefined): AsyncGenerator<LogLine> {
  if (tail === undefined) {
    yield* lines;
    return;
  }
  let kept: LogLine[] = [];
  for await (const line of lines) {
    kept.push(line);
    if (kept.length > 2 * tail + chunkBytes) kept = kept.slice(-tail);
  }
  if (tail > 0) yield* kept.slice(-tail);
}

function createReader(path: string, stream: LogLine['stream']) {
  const cutter = createCutter(stream);
  let offset = 0;
  async function* news(): AsyncGenerator<LogLine> {
    // Shorter than what was read: it was moved aside.
    if ((await sizeOf(path)) < offset) offset = 0;
    for await (const chunk of chunksOf(path, offset)) {
      offset += chunk.length;
      yield* cutter.cut(chunk);
    }
  }
  async function* history(): AsyncGenerator<LogLine> {
    for (const older of [`${path}.2`, `${path}.1`])
      for await (const chunk of chunksOf(older, 0)) yield* cutter.cut(chunk);
    yield* news();
  }
  async function* all(): AsyncGenerator<LogLine> {
    yield* history();
    yield* cutter.end();
  }
  return { news, history, all, rest: () => cutter.end() };
}

async function* chunksOf(path: string, from: number): AsyncGenerator<Buffer> {
  const file = await open(path, 'r').catch(ignoreAbsent);
  if (!file) return;
  try {
    for (let at = from; ; ) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(chunkBytes), 0, chunkBytes, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(ignoreAbsent))?.size ?? 0;
}

function ignoreAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
