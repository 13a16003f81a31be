/** Finds and runs a command; answers the exit code. */
import { Config, flush, run } from '@oclif/core';
import { globalFlags } from './base-command.ts';
import { exitCodes } from './exit-codes.ts';
import { createPaint, wantsColour } from './render/paint.ts';
import { renderProblems } from './render/problems.ts';
import { problemsOf, unknownCommand } from './usage.ts';

/** Runs one command line. Output of the command is flushed when this resolves. `root`: URL or path inside the package. */
export async function runCommandLine(argv: readonly string[], root: string): Promise<number> {
  try {
    const config = await Config.load(root);
    await run(normaliseArguments(argv), config);
    return Number(process.exitCode ?? exitCodes.ok);
  } catch (error) {
    return report(error as Error, argv, root);
  } finally {
    await flush();
  }
}

/** `help nodes ls` is `nodes ls --help`, and global flags may stand before the command. */
export function normaliseArguments(argv: readonly string[]): string[] {
  const flags = leadingFlags(argv);
  const rest = [...argv.slice(flags.length), ...flags];
  return rest[0] === 'help' ? [...rest.slice(1), '--help'] : rest;
}

/** Global flags, with their values, in front of the first word. */
function leadingFlags(argv: readonly string[]): readonly string[] {
  const flags: string[] = [];
  for (;;) {
    const [next, value] = argv.slice(flags.length, flags.length + 2);
    const known = Object.entries(globalFlags).find(
      ([name, flag]) =>
        next === `--${name}` || next?.startsWith(`--${name}=`) || (flag.char && next === `-${flag.char}`),
    );
    if (!known || next === undefined) return flags;
    flags.push(next);
    if (known[1].type === 'option' && !next.includes('=') && value !== undefined) flags.push(value);
  }
}

async function report(error: Error, argv: readonly string[], root: string): Promise<number> {
  const exit = (error as { oclif?: { exit?: number } }).oclif?.exit;
  if ((error as { code?: string }).code === 'EEXIT') return exit ?? exitCodes.ok;
  const missing = /^command (\S+) not found$/i.exec(error.message.split('\n', 1)[0] ?? '')?.[1];
  const problems = missing ? [unknownCommand(missing.split(':'), await knownWords(root))] : problemsOf(error);
  const paint = createPaint(wantsColour(process.stderr, process.env, argv.includes('--no-color')));
  process.stderr.write(`${problems ? renderProblems(problems, paint) : (error.stack ?? error.message)}\n`);
  return missing ? exitCodes.usage : exitCodes.failed;
}

/** Commands and topics as they are typed. */
async function knownWords(root: string): Promise<{ readonly commands: string[]; readonly topics: string[] }> {
  const { commandIDs, topics } = await Config.load(root);
  const typed = (id: string): string => id.replaceAll(':', ' ');
  return { commands: commandIDs.map(typed), topics: topics.map(({ name }) => typed(name)) };
}
