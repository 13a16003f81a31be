/** Snapshots as files: written whole or not at all, and readable by their owner only. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ClusterSnapshot } from '../../schemas/cluster-snapshot.ts';
import { ProblemError, problem } from '../../schemas/problem.ts';

export interface SavedSnapshot {
  readonly file: string;
  readonly cluster: string;
  /** ms since 1970. */
  readonly taken: number;
  readonly bytes: number;
}

/** FILE_UNWRITABLE. */
export async function saveSnapshot(snapshot: ClusterSnapshot, file: string): Promise<SavedSnapshot> {
  const text = `${JSON.stringify(snapshot)}\n`;
  const beside = join(dirname(file), `.oakctl-snapshot-${process.pid}`);
  try {
    await writeFile(beside, text, { mode: 0o600 });
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new ProblemError(problem('FILE_UNWRITABLE', `${file} cannot be written (${why})`), { cause: error });
  }
  return { file, cluster: snapshot.cluster, taken: snapshot.taken, bytes: Buffer.byteLength(text) };
}

/** NOT_FOUND. */
export async function readSnapshot(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const hint = '`oakctl snapshot --out <file>` writes one';
    throw new ProblemError(problem('NOT_FOUND', `${file} cannot be read (${error.code ?? error.message})`, { hint }));
  });
}
