import { resolve } from 'node:path';
import { Parser } from '@oclif/core';
import { expect, it } from 'vitest';
import Agent from '../../../cli/commands/agent.ts';
import Reconciler from '../../../cli/commands/reconciler.ts';
import { folderFlag, verbRequest } from '../../../cli/flags.ts';
import { ProblemError } from '../../../schemas/problem.ts';

it('a time that no reconciler takes is refused in words, not in milliseconds', () => {
  for (const ms of [999, 40 * 86_400_000]) {
    expect(() => verbRequest({ for: ms })).toThrow(ProblemError);
    expect(() => verbRequest({ for: ms })).toThrow('USAGE --for: at least a second, and at most 30 days');
  }
  expect(verbRequest({ for: 30 * 86_400_000 })).toEqual({ for: 2_592_000_000 });
});

it('a folder is told by its whole path, and must be there', async () => {
  const parse = (folder: string) => Parser.parse(['--folder', folder], { flags: { folder: folderFlag() } });
  expect((await parse('cli')).flags.folder).toBe(resolve('cli'));
  await expect(parse('no-such-folder')).rejects.toThrow(`No directory found at ${resolve('no-such-folder')}`);
  for (const command of [Reconciler, Agent]) {
    const { flags } = await Parser.parse(['--folder', 'cli'], { flags: { folder: command.flags.folder } });
    expect(flags.folder).toBe(resolve('cli'));
  }
});
