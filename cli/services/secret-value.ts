/** Where the value of a secret comes from: standard input, a file, or a question without an echo. Never from the command line. */
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { ProblemError, problem } from '../../schemas/problem.ts';
import { longestSecret } from '../../schemas/secret-file.ts';
import type { Terminal } from '../confirm.ts';
import { ask } from '../prompt.ts';

/** USAGE for what is empty, no text, too long, or not written twice the same. */
export async function readValue(
  file: string | undefined,
  signal: AbortSignal,
  terminal: Terminal = process,
): Promise<string> {
  if (file !== undefined) return checked(await bytesOf(file));
  if (!terminal.stdin.isTTY) return withoutNewline(checked(await buffer(terminal.stdin)));
  const value = await ask('Value: ', { hidden: true }, signal, terminal);
  if (value !== (await ask('Again: ', { hidden: true }, signal, terminal)))
    throw new ProblemError(problem('USAGE', 'the two are not the same: nothing was changed'));
  return checked(Buffer.from(value));
}

async function bytesOf(file: string): Promise<Buffer> {
  return readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw new ProblemError(problem('USAGE', `the value cannot be read (${cause.code})`, { file }), { cause });
  });
}

/** `echo` ends its one line. What has several lines is taken as it is. */
function withoutNewline(text: string): string {
  return checkedText(/^[^\n]*\n$/.test(text) ? text.replace(/\r?\n$/, '') : text);
}

function checked(bytes: Buffer): string {
  if (bytes.length > longestSecret) {
    const message = `the value has ${bytes.length} bytes: encrypted at most ${longestSecret} characters`;
    throw new ProblemError(problem('USAGE', message));
  }
  const text = bytes.toString('utf8');
  if (Buffer.from(text).equals(bytes)) return checkedText(text);
  throw new ProblemError(problem('USAGE', 'the value is no UTF-8 text', { hint: 'base64 makes one of it' }));
}

function checkedText(text: string): string {
  if (text !== '') return text;
  throw new ProblemError(problem('USAGE', 'the value is empty', { hint: '`--file <file>`, or pipe it in' }));
}
