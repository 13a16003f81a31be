/** Asks before something is destroyed. */
import { ProblemError, problem } from '../schemas/problem.ts';

export interface Terminal {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream;
}

/** Returns when the answer is yes. USAGE without a terminal and without --yes; REFUSED when the answer is no. */
export async function confirm(
  question: string,
  yes: boolean,
  signal: AbortSignal,
  terminal: Terminal = process,
): Promise<void> {
  if (yes) return;
  if (!terminal.stdin.isTTY) {
    throw new ProblemError(
      problem('USAGE', `${question} There is no terminal to ask on`, { hint: 'say it by `--yes`' }),
    );
  }
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: terminal.stdin, output: terminal.stderr });
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal });
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    lines.close();
  }
  throw new ProblemError(problem('REFUSED', 'nothing was done'));
}
