/** The passphrase of a backup: from a file, so that it stands in no list of processes and no history. */
import { readFile } from 'node:fs/promises';
import { Flags } from '@oclif/core';
import { ProblemError, problem } from '../../schemas/problem.ts';

const shortest = 8;

export const passphraseFlag = {
  'passphrase-file': Flags.string({ description: 'file whose first line seals the backup, or opens it' }),
};

/** USAGE when it cannot be read, or is too short to keep anything. */
export async function readPassphrase(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new ProblemError(problem('USAGE', `the passphrase cannot be read (${cause.code})`, { file }), { cause });
  });
  const passphrase = text.split(/\r?\n/, 1)[0] ?? '';
  if (passphrase.length >= shortest) return passphrase;
  const message = `the passphrase has ${passphrase.length} characters: at least ${shortest}`;
  throw new ProblemError(problem('USAGE', message, { file }));
}
