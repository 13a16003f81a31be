/** records/ on disk: one JSON document under lowdb, over the durable file. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Adapter, Low } from 'lowdb';
import { createDurableFiles, type DurableFs } from '../../schemas/io/durable-files.ts';
import type { Log } from '../../schemas/io/log.ts';
import { checkMessage, type Parsed } from '../../schemas/parse.ts';
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
  /** Ends when all of this turn of the event loop have asked. */
  readonly turn?: () => Promise<void>;
}

const fileName = 'records.json';
/** Down to which level the texts of what did not change are kept: entries of a member, files of a source. */
const entryLevel = 2;
const filesLevel = 4;

interface Waiting {
  records: Records;
  readonly callers: { resolve(): void; reject(error: unknown): void }[];
}

/**
 * Saves are written in order. Calls of one turn, or that come while a write is under way, share the next one: it holds the newest
 * records, and each caller hears of it when it is on disk. Errors: FILE_DAMAGED from load, FILE_UNWRITABLE from save.
 */
export function createRecordsStore({ folder, log, fs, turn = nextTurn }: RecordsStoreOptions): RecordsStore {
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
    // What follows from one thing is often asked for by several, a few steps of the same turn apart.
    await turn();
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
 * place, so what is the same value has the same text: 10,000 nodes are not written out anew for each rollout, nor 10,000 rollouts for
 * one of them, nor all files of a source for a commit that changes one.
 */
function createAdapter(files: Files, folder: string): Adapter<Records> {
  const texts = new WeakMap<object, string>();
  const textOf = (value: unknown, levels: number): string => {
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    const text =
      texts.get(value) ??
      (levels > 0 && !Array.isArray(value) ? membersOf(value, () => levels) : JSON.stringify(value));
    texts.set(value, text);
    return text;
  };
  const membersOf = (value: object, levelsOf: (key: string) => number): string => {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    const written = members.map(([key, member]) => `${JSON.stringify(key)}:${textOf(member, levelsOf(key) - 1)}`);
    return `{${written.join(',')}}`;
  };
  const write = (records: Records): string =>
    membersOf(records, (key) => (key === 'sources' ? filesLevel : entryLevel));
  return {
    async read() {
      const text = await files.read(fileName);
      return text === undefined ? null : parseRecords(text, `${folder}/${fileName}`);
    },
    write: (records) => files.write(fileName, write(records)),
  };
}

/**
 * Records as they were written. Their texts and names come from everywhere: what is refused where it enters must not be refused here, or
 * nothing starts any more.
 */
export function readRecords(text: string): Parsed<Records> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, problem: problem('BAD_REQUEST', 'the text is not JSON') };
  }
  return checkMessage<Records>(RecordsSchema, value);
}

function parseRecords(text: string, file: string): Records {
  const parsed = readRecords(text);
  if (parsed.ok) return parsed.value;
  const why = [parsed.problem.subject, parsed.problem.message].filter(Boolean).join(': ');
  throw new ProblemError(
    problem('FILE_DAMAGED', `these are not records of version 1 (${why})`, {
      subject: file,
      hint: 'a newer oakctl may have written them; else restore records/ from a backup',
    }),
  );
}
