import type { FakeRuntime } from './fake-runtime.ts';
import type { MemoryFiles } from './memory-files.ts';

/** A node of the memory cluster: its agent, engine and disk. */
export interface MemoryNode {
  readonly name: string;
  readonly id: string;
  readonly ip: string;
  readonly runtime: FakeRuntime;
  readonly files: MemoryFiles;
  /** Ends the agent without a word; copies live on unless `withCopies`. */
  kill(withCopies?: boolean): void;
  /** Starts an agent on what is on its disk. */
  start(): Promise<void>;
  readonly running: boolean;
}
