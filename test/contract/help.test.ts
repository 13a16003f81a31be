import { Parser } from '@oclif/core';
import { describe, expect, it } from 'vitest';
import { normaliseArguments } from '../../cli/run.ts';
import { commandNames, loadCommand } from '../support/commands.ts';

/** Words of a shell line; quotes hold words together. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

/** The part of an example that is ours: after pipes, variables and the program's name, before redirections. */
function argumentsOf(example: string): string[] {
  const own = example.split('|').find((part) => part.includes('<%= config.bin %>')) ?? '';
  const words = wordsOf(own.slice(own.indexOf('<%= config.bin %>') + '<%= config.bin %>'.length));
  const redirection = words.findIndex((word) => /^[<>&]/.test(word));
  return normaliseArguments(
    (redirection < 0 ? words : words.slice(0, redirection)).map((word) => word.replace(/[)']+$/, '')),
  );
}

async function examplesOf(name: string): Promise<string[]> {
  const { examples = [] } = await loadCommand(name);
  return examples.flatMap((example) => (typeof example === 'string' ? example : example.command).split('\n'));
}

/** The command that the words begin with: the longest one. */
function commandOf(words: readonly string[]): string | undefined {
  return [3, 2, 1].map((count) => words.slice(0, count).join(' ')).find((name) => commandNames.includes(name));
}

describe('the help of', () => {
  it.each(commandNames)('%s has a description, and an example of it that can be typed', async (name) => {
    const command = await loadCommand(name);
    expect(command.description).toBeTruthy();
    const examples = await examplesOf(name);
    expect(examples.map((example) => commandOf(argumentsOf(example)))).toContain(name);
  });

  it.each(commandNames)('%s: its examples are understood', async (name) => {
    for (const example of await examplesOf(name)) {
      const words = argumentsOf(example);
      const used = commandOf(words);
      expect(used, example).toBeDefined();
      const { flags, baseFlags, args, strict } = await loadCommand(used ?? '');
      const rest = words.slice(used?.split(' ').length);
      const own = { flags: { ...baseFlags, ...flags }, args, strict } as Parameters<typeof Parser.parse>[1];
      const problem = await Parser.parse(rest, own).then(
        () => undefined,
        (error: Error) => error.message,
      );
      // A folder that is not on this machine is no fault of the example.
      if (problem !== undefined) expect(problem, example).toMatch(/No directory found/);
    }
  });
});
