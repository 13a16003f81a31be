import { readdirSync } from 'node:fs';
import type { Command } from '@oclif/core';
import { expect, it } from 'vitest';

/**
 * The public surface of the CLI: every command with its arguments, flags and aliases. What disappears or changes here breaks
 * somebody's script. `npx vitest run --project contract -u` writes it anew.
 */
it('the commands and flags are those of commands.golden.json', async () => {
  const folder = new URL('../../cli/commands/', import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const surface = await Promise.all(files.sort().map(async (file) => [commandOf(file), await describeCommand(file)]));
  const text = `${JSON.stringify(Object.fromEntries(surface), undefined, 2)}\n`;
  await expect(text).toMatchFileSnapshot('commands.golden.json');
});

it('every command has a description and an example', async () => {
  const folder = new URL('../../cli/commands/', import.meta.url);
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )) {
    const command = await load(file);
    expect(command.description, file).toBeTruthy();
    expect(command.examples.length, file).toBeGreaterThan(0);
  }
});

function commandOf(file: string): string {
  return file.replace(/\.ts$/, '').replaceAll('/', ' ');
}

async function load(file: string): Promise<Command.Class> {
  const url = new URL(`../../cli/commands/${file}`, import.meta.url);
  const { default: command } = (await import(/* @vite-ignore */ url.href)) as { default: Command.Class };
  return command;
}

async function describeCommand(file: string) {
  const command = await load(file);
  const flags = Object.entries({ ...command.baseFlags, ...command.flags }).map(([name, flag]) => {
    const { char, options, required } = flag as { char?: string; options?: readonly string[]; required?: boolean };
    return [name, { ...(char && { char }), ...(options && { options }), ...(required && { required }) }] as const;
  });
  const args = Object.entries(command.args).map(([name, arg]) => (arg.required ? name : `[${name}]`));
  return {
    args: command.strict === false ? [...args, '...'] : args,
    aliases: command.aliases,
    flags: Object.fromEntries(flags.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
