/** Files that commands write where somebody says. */
import { open, rm } from 'node:fs/promises';
import { ProblemError, problem } from '../../schemas/problem.ts';

/** Writes a file that was not there, whole or not at all; for its owner only if it is `secret`. REFUSED, FILE_UNWRITABLE. */
export async function writeNew(file: string, text: string, how: 'secret' | 'open'): Promise<void> {
  const handle = await open(file, 'wx', how === 'secret' ? 0o600 : 0o666).catch((cause: NodeJS.ErrnoException) => {
    const isThere = cause.code === 'EEXIST';
    const message = isThere ? 'the file is there already' : `the file cannot be written (${cause.code})`;
    throw new ProblemError(
      problem(isThere ? 'REFUSED' : 'FILE_UNWRITABLE', message, {
        file,
        hint: isThere ? 'another --out' : 'is its folder there, and may you write in it?',
      }),
      { cause },
    );
  });
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (cause) {
    await rm(file, { force: true });
    const { code = '' } = cause as NodeJS.ErrnoException;
    throw new ProblemError(problem('FILE_UNWRITABLE', `the file cannot be written (${code})`, { file }), { cause });
  } finally {
    await handle.close();
  }
}
