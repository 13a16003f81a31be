/** A process that can die between any two awaits: once dead, its timers do not fire and nothing of it reaches a disk. */
import type { Records } from '../../reconciler/core/records.ts';
import type { RecordsStore } from '../../reconciler/ports.ts';
import type { Clock, Files } from '../../schemas/ports.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';

export interface MortalProcess {
  readonly alive: boolean;
  die(): void;
  clock(clock: Clock): Clock;
  files(files: Files): Files;
  store(disk: Disk): RecordsStore;
}

/** Where records lie, outside of every process. */
export interface Disk {
  records: Records;
  /** While set, every save fails. */
  full: boolean;
  /** Saves that begin now go on when this is over. */
  busy?: Promise<void>;
  /** Saves so far, of all processes. */
  saves: number;
  /** Called around every save with its number; may let the process die. */
  onSave: (number: number, moment: 'before' | 'after') => void;
}

/** Never settles: what a dead process waits for. */
const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

export function createMortalProcess(): MortalProcess {
  let alive = true;
  // As a call: it changes while others are waited for.
  const isAlive = (): boolean => alive;
  return {
    get alive() {
      return alive;
    },
    die() {
      alive = false;
    },
    clock: (clock) => ({
      now: () => clock.now(),
      after: (ms, run) => clock.after(ms, () => void (alive && run())),
    }),
    files: (files) => ({
      ...files,
      write: (name, text) => (alive ? files.write(name, text) : never()),
      remove: (name) => (alive ? files.remove(name) : never()),
    }),
    store: (disk) => ({
      load: () => Promise.resolve(disk.records),
      async save(next) {
        if (!isAlive()) return never();
        // A turn later, as a disk does: others go on meanwhile.
        await new Promise<void>((resolve) => setImmediate(resolve));
        await disk.busy;
        disk.saves += 1;
        const number = disk.saves;
        if (isAlive()) disk.onSave(number, 'before');
        if (!isAlive()) return never();
        if (disk.full) throw new ProblemError(problem('FILE_UNWRITABLE', 'no space left', { disposition: 'retry' }));
        disk.records = structuredClone(next);
        disk.onSave(number, 'after');
        if (!isAlive()) return never();
      },
    }),
  };
}
