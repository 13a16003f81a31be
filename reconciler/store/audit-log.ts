/**
 * The audit log on disk: one JSON text a line, in two files that take turns, so that it never grows beyond twice their size. What is
 * added is on the disk a moment later: entries that come together are written and synced together, and nobody waits for them.
 */
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { type AuditEntry, AuditEntrySchema } from '../../schemas/audit.ts';
import type { Log } from '../../schemas/io/log.ts';
import { parseMessage } from '../../schemas/parse.ts';

export interface AuditLog {
  add(entry: AuditEntry): void;
  /** The newest that fit, the oldest of them first. */
  read(last: number, fits: (entry: AuditEntry) => boolean): Promise<readonly AuditEntry[]>;
  /** Resolves when all is written that can be; what waits for the disk is tried once more. */
  close(): Promise<void>;
}

/** Bytes of one file: some 20,000 entries. */
const usual = 4 * 1024 * 1024;
/** Lines that wait for a disk that takes none. */
const mostWaiting = 10_000;
const longestLine = 4096;
/** Lines that are read at a stretch. */
const breath = 1_000;

export function createAuditLog({
  folder,
  log,
  most = usual,
}: {
  readonly folder: string;
  readonly log: Log;
  readonly most?: number;
}): AuditLog {
  const file = join(folder, 'log.jsonl');
  const older = join(folder, 'log.1.jsonl');
  let waiting: string[] = [];
  let last: Promise<void> = Promise.resolve();
  let fails = false;
  let isAsked = false;
  let lost = 0;
  /** Of the file. Unknown at first, and after a failure: a line may have been cut off. */
  let size: number | undefined;

  const write = async (lines: string): Promise<void> => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const known = size ?? (await sizeOf(file));
    const text = size === undefined && known > 0 ? `\n${lines}` : lines;
    size = undefined;
    const turns = known > 0 && known + Buffer.byteLength(text) > most;
    if (turns) await rename(file, older);
    const isNew = turns || known === 0;
    await synced(file, 'a', (handle) => handle.appendFile(text));
    if (isNew) await synced(folder, 'r', async () => undefined);
    size = (isNew ? 0 : known) + Buffer.byteLength(text);
  };
  /** Also while a write hangs: the newest are kept, and how many were not is said with the next write. */
  const bounded = (lines: string[]): string[] => {
    const over = lines.length - mostWaiting;
    if (over <= 0) return lines;
    lost += over;
    return lines.slice(over);
  };
  const flush = async (): Promise<void> => {
    isAsked = false;
    const lines = waiting;
    if (lines.length === 0) return;
    waiting = [];
    try {
      await write(lines.join(''));
      if (fails || lost > 0) log('info', 'audit_written_again', { entries: lines.length, lost });
      fails = false;
      lost = 0;
    } catch (error) {
      waiting = bounded([...lines, ...waiting]);
      if (!fails) log('warn', 'audit_unwritable', { why: String(error) });
      fails = true;
    }
  };

  /** With all written that can be, and while no file takes the place of the other. */
  const afterAll = <T>(act: () => Promise<T>): Promise<T> => {
    const done = last.then(flush).then(act);
    last = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  };

  return {
    add(entry) {
      waiting.push(`${JSON.stringify(entry)}\n`);
      // A whole half at once: to cut it off for each entry would copy all of them each time.
      if (waiting.length > mostWaiting * 1.5) waiting = bounded(waiting);
      if (isAsked) return;
      isAsked = true;
      last = last.then(flush);
    },
    async read(wanted, fits) {
      const texts = await afterAll(() => Promise.all([older, file].map(readIfThere)));
      const lines = texts.flatMap((text) => text.split('\n'));
      const found: AuditEntry[] = [];
      while (found.length < wanted) {
        const line = lines.pop();
        if (line === undefined) break;
        // All of them take a second of a board: others have their turn in between.
        if (lines.length % breath === 0) await turn();
        const entry = entryOf(line);
        if (entry && fits(entry)) found.push(entry);
      }
      return found.reverse();
    },
    close: () => afterAll(async () => undefined),
  };
}

/** A line that was cut off is none. */
function entryOf(line: string): AuditEntry | undefined {
  const parsed = parseMessage<AuditEntry>(AuditEntrySchema, line, longestLine);
  return parsed.ok ? parsed.value : undefined;
}

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(({ size }) => size, absent(0));
}

async function readIfThere(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(absent(''));
}

function absent<T>(instead: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return instead;
    throw error;
  };
}

type Handle = Awaited<ReturnType<typeof open>>;

async function synced(path: string, flags: string, work: (handle: Handle) => Promise<void>): Promise<void> {
  const handle = await open(path, flags, 0o600);
  try {
    await work(handle);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
