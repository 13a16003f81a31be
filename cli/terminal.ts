/** This process's own terminal, for sessions inside instances. */
import { once } from 'node:events';
import { Writable } from 'node:stream';
import type { TerminalSize } from '../schemas/exec.ts';
import { ProblemError, problem } from '../schemas/problem.ts';
import type { Terminal } from './confirm.ts';
import type { ExecTerminal } from './services/exec.ts';

export function terminalSize(): TerminalSize | undefined {
  const { columns, rows } = process.stdout;
  return columns > 0 && rows > 0 ? { columns, rows } : undefined;
}

/** Raw: every key goes down as it is, Ctrl-C too; answers how to put it back, which is done at any end of the process as well. */
export function rawMode(): () => void {
  if (!process.stdin.isTTY) return () => {};
  const restore = () => {
    process.off('exit', restore);
    process.stdin.setRawMode(false);
  };
  process.stdin.setRawMode(true);
  process.on('exit', restore);
  return restore;
}

export function ownTerminal(options: { readonly input: boolean; readonly tty: boolean }): ExecTerminal {
  return {
    ...(options.input && { input: process.stdin }),
    async write(stream, data) {
      if (!process[stream].write(data)) await once(process[stream], 'drain');
    },
    onResize(changed) {
      if (!options.tty) return () => {};
      const tell = () => {
        const size = terminalSize();
        if (size) changed(size);
      };
      process.stdout.on('resize', tell);
      return () => process.stdout.off('resize', tell);
    },
  };
}

/** One line that is typed, or pasted, and not shown. REFUSED when the input ends instead. */
export async function askHidden(question: string, signal: AbortSignal, { stdin, stderr }: Terminal): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: nowhere, terminal: true, historySize: 0 });
  // The terminal is raw, so that Ctrl-C is a key like others.
  lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  stderr.write(question);
  const ended = once(lines, 'close', { signal }).then(() => {
    throw new ProblemError(problem('REFUSED', 'nothing was done'));
  });
  try {
    return await Promise.race([lines.question('', { signal }), ended]);
  } finally {
    ended.catch(() => undefined);
    lines.close();
    stderr.write('\n');
  }
}
