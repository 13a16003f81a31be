import { expect, it } from 'vitest';
import { commandNames, loadCommand } from '../support/commands.ts';

/**
 * The public surface of the CLI: every command with its arguments, flags and aliases. What disappears or changes here breaks
 * somebody's script. `npx vitest run --project contract --update` writes it anew.
 */
it('the commands and flags are those of commands.golden.json', async () => {
  const surface = await Promise.all(commandNames.map(async (name) => [name, await describeCommand(name)]));
  const text = `${JSON.stringify(Object.fromEntries(surface), undefined, 2)}\n`;
  await expect(text).toMatchFileSnapshot('commands.golden.json');
});

async function describeCommand(name: string) {
  const command = await loadCommand(name);
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
