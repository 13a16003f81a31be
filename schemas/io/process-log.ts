/**
 * The log of a long-lived process: JSON lines on stderr. Where stderr leads to is often the disk that the process must outlive:
 * what cannot be written is counted, and never ends anything.
 */
import { writeSync } from 'node:fs';
import { type Logger, pino } from 'pino';
import type { Log } from './log.ts';

const stderr = 2;
/** A pipe that nobody empties is waited for this often, this long (ms), before a line is given up. */
const patience = { tries: 20, pause: 10 } as const;

/** Where lines go. Returns how many bytes were taken. */
type Write = (bytes: Uint8Array) => number;

/** The log of this process; `base` is in every line. */
export function createProcessLog(base: Readonly<Record<string, unknown>>): {
  readonly logger: Logger;
  readonly log: Log;
} {
  const logger = pino(
    { base: { ...base } },
    createLines((bytes) => writeSync(stderr, bytes)),
  );
  return { logger, log: (level, event, fields = {}) => logger[level]({ event, ...fields }) };
}

/** A destination that takes every line and never throws. After lines were lost, the next one that arrives is preceded by their number. */
export function createLines(write: Write): { write(line: string): void } {
  let lost = 0;
  /** What a full disk cut off is ended by a line break, so that the next line can be read. */
  let torn = false;

  const put = (text: string): void => {
    let rest: Uint8Array = Buffer.from(text);
    for (let tries = 0; rest.length > 0; ) {
      try {
        const taken = write(rest);
        torn = taken < rest.length;
        rest = rest.subarray(taken);
      } catch (error) {
        tries += 1;
        // Who did not read the last line is not waited for again: a pause at each line would stop the process.
        if (!isBusy(error) || lost > 0 || tries > patience.tries) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, patience.pause);
      }
    }
  };

  return {
    write(line) {
      try {
        if (torn) put('\n');
        if (lost > 0) put(`${JSON.stringify({ level: 40, time: Date.now(), event: 'log_lines_lost', lines: lost })}\n`);
        lost = 0;
        put(line);
      } catch {
        lost += 1;
      }
    },
  };
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EAGAIN' || error.code === 'EBUSY');
}
