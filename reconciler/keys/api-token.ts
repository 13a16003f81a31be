import { readTwin, replaceSynced } from '../../schemas/io/twin-file.ts';
import type { Random } from '../../schemas/ports.ts';

/** Printable, and too long to be guessed: its owner may write another one by hand. */
const tokenPattern = /^[!-~]{32,}$/;

/** The token that closes the API, made once. Whoever reads the file may do everything. */
export async function openApiToken(file: string, random: Random): Promise<string> {
  const isWhole = (text: string): boolean => tokenPattern.test(text.trim());
  const found = await readTwin(file, isWhole);
  if ('text' in found) return found.text.trim();
  const token = Buffer.from(random.bytes(32)).toString('base64url');
  await replaceSynced(file, `${token}\n`);
  await readTwin(file, isWhole);
  return token;
}
