import { access } from 'node:fs/promises';
import { readTwin, replaceSynced } from '../../schemas/io/twin-file.ts';
import type { Random } from '../../schemas/ports.ts';

/** Printable, and too long to be guessed: its owner may write another one by hand. */
const tokenPattern = /^[!-~]{32,}$/;

/**
 * The token that closes the API, made once. Whoever reads the file may do everything. Who removes the file gets another one: what
 * lies beside it mends a damaged file, and brings no token back that was taken away.
 */
export async function openApiToken(file: string, random: Random): Promise<string> {
  const isWhole = (text: string): boolean => tokenPattern.test(text.trim());
  const found = (await isThere(file)) && (await readTwin(file, isWhole));
  if (found && 'text' in found) return found.text.trim();
  const token = Buffer.from(random.bytes(32)).toString('base64url');
  await replaceSynced(file, `${token}\n`);
  await readTwin(file, isWhole);
  return token;
}

function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}
