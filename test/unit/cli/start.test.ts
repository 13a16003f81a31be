import { EventEmitter } from 'node:events';
import { expect, it, vi } from 'vitest';
import { interruptsOf } from '../../../cli/interrupts.ts';
import { runStart } from '../../../cli/start.ts';

it.each([
  [['--help'], 0, 'stdout', '--once'],
  [['-h'], 0, 'stdout', '--runtime'],
  [['--onec'], 2, 'stderr', '`npm start -- --help`'],
  [['--runtime', 'wasm'], 2, 'stderr', 'docker or process'],
] as const)(
  '`npm start -- %j` ends with %i before it starts anything, and says on %s: %s',
  async (argv, code, where, text) => {
    const write = vi.spyOn(process[where], 'write').mockReturnValue(true);
    try {
      expect(await runStart(argv)).toBe(code);
      expect(write.mock.calls.join('')).toContain(text);
    } finally {
      write.mockRestore();
    }
  },
);

it('Ctrl-C aborts; pressed again it does what is said for the second time and the third, and then nothing', () => {
  const process = new EventEmitter();
  const said: string[] = [];
  const signal = interruptsOf(process, [() => said.push('patience'), () => said.push('end')]);
  process.emit('SIGINT');
  expect([signal.aborted, said]).toEqual([true, []]);
  process.emit('SIGTERM');
  expect(said).toEqual(['patience']);
  process.emit('SIGINT');
  process.emit('SIGINT');
  expect(said).toEqual(['patience', 'end']);
});
