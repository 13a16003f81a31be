/** This process's own terminal, for sessions inside instances. */
import { once } from 'node:events';
import type { TerminalSize } from '../schemas/exec.ts';
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
