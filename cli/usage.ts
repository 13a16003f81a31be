/** What is said about a command line that is not understood: what is wrong, and what was probably meant. */
import { stripVTControlCharacters } from 'node:util';
import { isProblemError, type Problem, problem } from '../schemas/problem.ts';
import { nearest } from '../schemas/spelling.ts';

/**
 * A failure as problems; undefined for a bug. What oclif says about a command line becomes USAGE, with a suggestion. `command` is as it
 * is typed, e.g. `nodes ls`.
 */
export function problemsOf(
  error: Error,
  knownFlags: readonly string[] = [],
  command?: string,
): readonly Problem[] | undefined {
  if (isProblemError(error)) return error.problems;
  const oclif = error as Error & { oclif?: { exit?: number }; flags?: readonly string[] | object };
  if (oclif.oclif === undefined) return undefined;
  const lines = stripVTControlCharacters(error.message)
    .split('\n')
    .map((line) => line.trim().replace(/^Missing required flag (?=\w)/, 'Missing required flag --'))
    .filter((line) => line && !line.startsWith('See more help') && !/^The following errors? occurred:$/.test(line));
  const message = (lines[0] ?? '').replace(/:$/, '');
  const text = [message, ...lines.slice(1)].join('; ');
  const unknown = Array.isArray(oclif.flags) ? String(oclif.flags[0] ?? '') : '';
  const meant = unknown ? flagMeant(unknown, knownFlags) : valueMeant(message);
  const help = command === undefined ? 'see `--help`' : `\`oakctl ${command} --help\` says what it takes`;
  return [problem('USAGE', text, { hint: meant ? `did you mean \`${meant}\`?` : help })];
}

function flagMeant(unknown: string, knownFlags: readonly string[]): string | undefined {
  const [name = ''] = unknown.replace(/^-+/, '').split('=', 1);
  const meant = nearest(name, knownFlags);
  return meant && `--${meant}`;
}

/** Of a flag that takes one of a few words. */
function valueMeant(message: string): string | undefined {
  const [, flag = '', typed = '', options] = /^Expected (--?[\w-]+)=(.*) to be one of: (.+)$/.exec(message) ?? [];
  const meant = options === undefined ? undefined : nearest(typed, options.split(', '));
  return meant && `${flag} ${meant}`;
}

/** What can be typed before arguments and flags. */
export interface Words {
  readonly commands: readonly string[];
  readonly topics: readonly string[];
}

/** The words are no command: one of them is misspelt, or a command gets arguments that it does not take. */
export function unknownCommand(words: readonly string[], known: Words): Problem {
  const command = longestPrefix(words, known.commands);
  if (command) {
    const extra = words.slice(command.split(' ').length).join(' ');
    const hint = `\`oakctl ${command} --help\` says what it takes`;
    return problem('USAGE', `\`oakctl ${command}\` takes no argument \`${extra}\``, { hint });
  }
  const meant = suggestCommand(words, known);
  const topic = longestPrefix(words, known.topics);
  const length = meant?.split(' ').length ?? (topic ? topic.split(' ').length + 1 : 1);
  return problem('USAGE', `there is no command \`${words.slice(0, length).join(' ')}\``, {
    hint: meant
      ? `did you mean \`oakctl ${meant}\`?`
      : `\`oakctl ${topic ? `${topic} ` : ''}--help\` lists the commands`,
  });
}

function longestPrefix(words: readonly string[], known: readonly string[]): string | undefined {
  for (let count = words.length; count > 0; count -= 1) {
    const prefix = words.slice(0, count).join(' ');
    if (known.includes(prefix)) return prefix;
  }
  return undefined;
}

/** The command or topic that was probably meant by the words typed, of which the last ones may be arguments. */
export function suggestCommand(words: readonly string[], { commands, topics }: Words): string | undefined {
  for (let count = Math.min(3, words.length); count > 0; count -= 1) {
    const typed = words.slice(0, count).join(' ');
    const candidates = [...commands, ...topics].filter((one) => one.split(' ').length === count && one !== typed);
    const meant = nearest(typed, candidates);
    if (meant) return meant;
  }
  return undefined;
}
