/**
 * Which copies came to their end, over restarts of the agent: who prunes a container takes its exit code with it, and asks for no
 * second run.
 */
import { type Static, Type } from 'typebox';
import { parseMessage } from '../schemas/parse.ts';
import type { Clock, Files } from '../schemas/ports.ts';
import { isProblemError, type Problem } from '../schemas/problem.ts';
import { keyText } from './core/memory.ts';
import type { Ledger } from './ledger.ts';
import { type AgentState, remember } from './state.ts';

const file = 'completed';

const CompletedFile = Type.Object({
  v: Type.Literal(1),
  /** `<instance>/<copy>` of jobs of the ledger. */
  copies: Type.Array(Type.String()),
});
type CompletedFile = Static<typeof CompletedFile>;

export interface CompletedDeps {
  readonly state: AgentState;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly files: Files;
  trouble(found: Problem): void;
}

export interface Completed {
  /** What an earlier life left. After the ledger was read. A file that cannot be read says nothing. */
  load(): Promise<void>;
  /** Statuses are known: writes down which copies are at their end now, if these are others than before. */
  note(): void;
  /** Once all of it is on disk. */
  idle(): Promise<void>;
}

export function createCompleted({ state, ledger, clock, files, trouble }: CompletedDeps): Completed {
  let written = '';
  let writing = Promise.resolve();

  const write = async (text: string, copies: readonly string[]): Promise<void> => {
    try {
      await files.write(file, JSON.stringify({ v: 1, copies: [...copies] } satisfies CompletedFile));
    } catch (error) {
      if (!isProblemError(error)) throw error;
      // At the next report it is tried again.
      if (written === text) written = '';
      trouble(error.problem);
    }
  };

  return {
    async load() {
      const text = await files.read(file).catch(() => undefined);
      const parsed = text === undefined ? undefined : parseMessage<CompletedFile>(CompletedFile, text);
      if (!parsed?.ok) return;
      const known = new Set(parsed.value.copies);
      const since = clock.now().mono;
      for (const job of ledger.part().jobs) {
        const key = keyText(job);
        if (known.has(key)) remember(state, key, (memory) => ({ ...memory, status: { value: 'completed', since } }));
      }
      written = parsed.value.copies.join(' ');
    },
    note() {
      if (!ledger.known()) return;
      const keys = ledger.part().jobs.map(keyText);
      const copies = keys.filter((key) => state.copies.get(key)?.status?.value === 'completed');
      const text = copies.join(' ');
      if (text === written) return;
      written = text;
      writing = writing.then(() => write(text, copies));
    },
    idle: () => writing,
  };
}
