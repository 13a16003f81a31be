/** Questions on the terminal, passwords without echo; or what is piped in. Never an argument: others could read that. */
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Flags } from '@oclif/core';
import { ProblemError, problem } from '../schemas/problem.ts';
import type { Terminal } from './confirm.ts';

export const passwordStdinFlag = Flags.boolean({
  description: 'read passwords from standard input, one a line, in place of asking',
});

export interface AskOptions {
  /** What is typed is not shown. */
  readonly hidden?: boolean;
}

/** The answer. USAGE without a terminal; REFUSED when there is no answer (Ctrl-D). */
export async function ask(
  question: string,
  { hidden = false }: AskOptions,
  signal: AbortSignal,
  terminal: Terminal = process,
): Promise<string> {
  if (!terminal.stdin.isTTY) {
    const message = `there is no terminal to ask on: ${question.replace(/:? *$/, '')}?`;
    throw new ProblemError(problem('USAGE', message, { hint: '`--password-stdin`, and `--user`' }));
  }
  const { createInterface } = await import('node:readline/promises');
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: terminal.stdin, output: hidden ? nowhere : terminal.stderr, terminal: true });
  const closed = new AbortController();
  // Its keys do not become signals while it listens.
  lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  lines.once('close', () => closed.abort());
  if (hidden) terminal.stderr.write(question);
  try {
    return await lines.question(hidden ? '' : question, { signal: AbortSignal.any([signal, closed.signal]) });
  } catch (error) {
    if (signal.aborted || !closed.signal.aborted) throw error;
    throw new ProblemError(problem('REFUSED', 'nothing was done'));
  } finally {
    lines.close();
    if (hidden) terminal.stderr.write('\n');
  }
}

/** Which password is meant. */
type Which = 'password' | 'old password' | 'new password';

export interface Passwords {
  /** USAGE when it is not there, or empty. */
  next(which: Which): Promise<string>;
  /** One that is being chosen: asked for twice. */
  chosen(): Promise<string>;
}

/** Passwords from the lines of standard input, or from the terminal. */
export function passwords(fromStdin: boolean, signal: AbortSignal): Passwords {
  let piped: Promise<string[]> | undefined;
  const line = async (): Promise<string> => {
    piped ??= text(process.stdin).then((all) => all.split(/\r?\n/));
    return (await piped).shift() ?? '';
  };
  const next = async (which: Which): Promise<string> => {
    const question = `${which.charAt(0).toUpperCase()}${which.slice(1)}: `;
    const password = fromStdin ? await line() : await ask(question, { hidden: true }, signal);
    if (password !== '') return password;
    throw new ProblemError(problem('USAGE', fromStdin ? `standard input holds no ${which}` : `no ${which} was given`));
  };
  return {
    next,
    async chosen() {
      const password = await next('new password');
      if (fromStdin || (await ask('Once more: ', { hidden: true }, signal)) === password) return password;
      throw new ProblemError(problem('USAGE', 'they are not the same; nothing was done'));
    },
  };
}
