/** records/ on disk: one JSON document under lowdb, over the durable file. */
import { type Adapter, Low } from 'lowdb';
import { createDurableFiles, type DurableFs } from '../../schemas/io/durable-files.ts';
import type { Log } from '../../schemas/io/log.ts';
import { parseMessage } from '../../schemas/parse.ts';
import type { Files } from '../../schemas/ports.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { emptyRecords, type Records } from '../core/records.ts';
import type { RecordsStore } from '../ports.ts';
import { RecordsSchema } from './records-schema.ts';

export interface RecordsStoreOptions {
  /** The records folder. Lock it first (lockFolder): one process writes here. */
  readonly folder: string;
  readonly log?: Log;
  /** Default: the machine's own. */
  readonly fs?: DurableFs;
}

const fileName = 'records.json';

interface Waiting {
  records: Records;
  readonly callers: { resolve(): void; reject(error: unknown): void }[];
}

/**
 * Saves are written in order. Calls that come while a write is under way share the next one: it holds the newest records, and
 * each caller hears of it when it is on disk. Errors: FILE_DAMAGED from load, FILE_UNWRITABLE from save.
 */
export function createRecordsStore({ folder, log, fs }: RecordsStoreOptions): RecordsStore {
  const files = createDurableFiles({
    folder,
    ...(fs && { fs }),
    damaged: (file, what) => log?.('error', 'records are damaged; the previous version is used', { file, what }),
  });
  const db = new Low<Records>(createAdapter(files, folder), emptyRecords);
  let waiting: Waiting | undefined;
  let writing = false;

  const drain = async (): Promise<void> => {
    writing = true;
    for (let batch = waiting; batch; batch = waiting) {
      waiting = undefined;
      db.data = batch.records;
      try {
        await db.write();
        for (const caller of batch.callers) caller.resolve();
      } catch (error) {
        for (const caller of batch.callers) caller.reject(error);
      }
    }
    writing = false;
  };

  return {
    async load() {
      await db.read();
      return db.data;
    },
    save: (records) =>
      new Promise((resolve, reject) => {
        waiting ??= { records, callers: [] };
        waiting.records = records;
        waiting.callers.push({ resolve, reject });
        if (!writing) void drain();
      }),
  };
}

/**
 * lowdb's adapter over a durable file. What is not there is null, which lowdb takes as "use the defaults". Records never change in
 * place, so a member that is the same value has the same text: 10,000 nodes are not written out anew for each rollout.
 */
function createAdapter(files: Files, folder: string): Adapter<Records> {
  const texts = new WeakMap<object, string>();
  const textOf = (value: unknown): string => {
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    const text = texts.get(value) ?? JSON.stringify(value);
    texts.set(value, text);
    return text;
  };
  const write = (records: Records): string => {
    const members = Object.entries(records).filter(([, value]) => value !== undefined);
    return `{${members.map(([key, value]) => `${JSON.stringify(key)}:${textOf(value)}`).join(',')}}`;
  };
  return {
    async read() {
      const text = await files.read(fileName);
      return text === undefined ? null : parseRecords(text, `${folder}/${fileName}`);
    },
    write: (records) => files.write(fileName, write(records)),
  };
}

function parseRecords(text: string, file: string): Records {
  const parsed = parseMessage<Records>(RecordsSchema, text, Number.MAX_SAFE_INTEGER);
  if (parsed.ok) return parsed.value;
  const why = [parsed.problem.subject, parsed.problem.message].filter(Boolean).join(': ');
  throw new ProblemError(
    problem('FILE_DAMAGED', `these are not records of version 1 (${why})`, {
      subject: file,
      hint: 'a newer oakctl may have written them; else restore records/ from a backup',
    }),
  );
}
