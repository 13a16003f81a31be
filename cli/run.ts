/** Finds and runs a command; answers the exit code. */
import { Config, flush, run } from '@oclif/core';
import { problem } from '../schemas/problem.ts';
import { nearest } from '../schemas/spelling.ts';
import { globalFlags, problemsOf } from './base-command.ts';
import { exitCodes } from './exit-codes.ts';
import { createPaint, wantsColour } from './render/paint.ts';
import { renderProblems } from './render/problems.ts';

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
  const problems = missing ? [await unknownCommand(missing, root)] : problemsOf(error);
  const paint = createPaint(wantsColour(process.stderr, process.env, argv.includes('--no-color')));
  process.stderr.write(`${problems ? renderProblems(problems, paint) : (error.stack ?? error.message)}\n`);
  return missing ? exitCodes.usage : exitCodes.failed;
}

async function unknownCommand(id: string, root: string) {
  const words = id.split(':');
  const known = (await Config.load(root)).commandIDs.map((command) => command.replaceAll(':', ' '));
  const meant = suggestCommand(words, known);
  const typed = words.slice(0, meant ? meant.split(' ').length : 1).join(' ');
  return problem('USAGE', `there is no command \`${typed}\``, {
    hint: meant ? `did you mean \`oakctl ${meant}\`?` : '`oakctl --help` lists the commands',
  });
}

/** The command that was probably meant by the words typed, of which the last ones may be arguments. */
export function suggestCommand(words: readonly string[], known: readonly string[]): string | undefined {
  for (let count = Math.min(3, words.length); count > 0; count -= 1) {
    const candidates = known.filter((command) => command.split(' ').length === count);
    const meant = nearest(words.slice(0, count).join(' '), candidates);
    if (meant) return meant;
  }
  return known.find((command) => command.startsWith(`${words[0] ?? ''} `));
}
