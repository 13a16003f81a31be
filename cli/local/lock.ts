/** One verb at a time works on a cluster of this machine: two `up` at once would start everything twice. */
import { lockFolder } from '../../schemas/io/folder-lock.ts';
import { isProblemError, ProblemError } from '../../schemas/problem.ts';
import type { LocalPaths } from './folders.ts';

/** Runs `act` while no other `up`, `stop` or `down` of the cluster runs. FOLDER_LOCKED when one does. */
export async function exclusively<T>(paths: LocalPaths, act: () => Promise<T>): Promise<T> {
  const lock = await lockFolder(paths.run).catch((error: unknown) => {
    throw withHint(error);
  });
  try {
    return await act();
  } finally {
    await lock.release();
  }
}

function withHint(error: unknown): unknown {
  if (!isProblemError(error)) return error;
  const hint = 'another `oakctl up`, `stop` or `down` works on this cluster: wait for it';
  return new ProblemError({ ...error.problem, hint }, { cause: error });
}
