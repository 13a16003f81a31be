import { expect, it, vi } from 'vitest';
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
