/** What can stand next on a command line: pure, from the commands that there are and the words typed so far. */

/** The part of oclif.manifest.json that matters here. */
export interface Surface {
  readonly commands: Readonly<Record<string, SurfaceCommand>>;
}

export interface SurfaceCommand {
  readonly description?: string;
  readonly hidden?: boolean;
  readonly strict?: boolean;
  readonly args: Readonly<Record<string, object>>;
  readonly flags: Readonly<Record<string, SurfaceFlag>>;
}

export interface SurfaceFlag {
  readonly type: string;
  readonly char?: string;
  readonly description?: string;
  readonly options?: readonly string[];
  readonly multiple?: boolean;
}

/** Names that only the cluster, or the files of this user, know. */
export type NameKind =
  | 'apps'
  | 'services'
  | 'instances'
  | 'nodes'
  | 'holds'
  | 'contexts'
  | 'tokens'
  | 'overrides'
  | 'users'
  | 'apiTokens';

export interface Suggestion {
  readonly value: string;
  readonly description?: string;
}

export interface Suggestions {
  /** Known at once. */
  readonly fixed: readonly Suggestion[];
  /** To be asked for. */
  readonly kinds: readonly NameKind[];
  /** Only what begins with this counts. */
  readonly prefix: string;
}

/** Names that an argument takes, by command; else by the name of the argument. */
const kindsOfCommand: Readonly<Record<string, readonly NameKind[]>> = {
  adopt: ['services', 'overrides'],
  'apps ls': ['apps'],
  'services ls': ['services'],
  'instances ls': ['services', 'instances'],
  'nodes ls': ['nodes'],
  'keys rotate node': ['nodes'],
  'nodes token revoke': ['tokens'],
  'users token revoke': ['apiTokens'],
  'contexts use': ['contexts'],
  'contexts rm': ['contexts'],
  delete: ['apps', 'services'],
  logs: ['services', 'instances'],
  restart: ['services', 'instances'],
  'overrides rm': ['overrides'],
  why: ['apps', 'services', 'instances'],
  suspend: ['apps', 'services'],
  resume: ['apps', 'services'],
};
const kindsOfWord: Readonly<Record<string, readonly NameKind[]>> = {
  service: ['services'],
  instance: ['instances'],
  node: ['nodes'],
  hold: ['holds'],
  app: ['apps'],
  context: ['contexts'],
  to: ['nodes'],
  account: ['users'],
};
const nothing: readonly NameKind[] = [];

/** `typed`: the words after the program's name; the last one is being typed and may be empty. */
export function suggest(typed: readonly string[], surface: Surface): Suggestions {
  const words = joinValues(typed);
  const prefix = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const commands = visible(surface);
  const { command, positionals, pending } = walk(before, commands);
  const found = command === undefined ? undefined : commands.get(command);
  const inline = /^--([\w-]+)=(.*)$/.exec(prefix);
  if (before.includes('--')) return { fixed: [], kinds: nothing, prefix };
  if (pending) return { ...valuesOf(pending.name, pending.flag), prefix };
  if (inline && found) {
    const [, name = '', value = ''] = inline;
    const { fixed } = valuesOf(name, found.flags[name]);
    const whole = fixed.map((one) => ({ ...one, value: `--${name}=${one.value}` }));
    return { fixed: whole, kinds: nothing, prefix: `--${name}=${value}` };
  }
  if (prefix.startsWith('-')) return { fixed: found ? flagsOf(found, before) : [], kinds: nothing, prefix };
  if (!found) return { fixed: nextWords(positionals, commands), kinds: nothing, prefix };
  return { fixed: [], kinds: kindsAt(command ?? '', found, positionals.length), prefix };
}

/** Some shells cut `--flag=value` into three words. */
function joinValues(words: readonly string[]): readonly string[] {
  const joined: string[] = [];
  for (const word of words) {
    if (word === '=' && joined.at(-1)?.startsWith('--')) joined.push('');
    else if (joined.at(-1) === '' && joined.at(-2)?.startsWith('--') && joined.length > 1) joined.splice(-1, 1, word);
    else joined.push(word);
  }
  return joined;
}

type Commands = ReadonlyMap<string, SurfaceCommand>;

function visible({ commands }: Surface): Commands {
  const shown = Object.entries(commands).filter(([, { hidden }]) => !hidden);
  return new Map(shown.map(([id, command]) => [id.replaceAll(':', ' '), command]));
}

interface Walked {
  /** The command, once its words are complete. */
  readonly command?: string;
  /** Its arguments so far; words of a command that is not complete yet. */
  readonly positionals: readonly string[];
  /** The last word is a flag that waits for its value. */
  readonly pending?: { readonly name: string; readonly flag: SurfaceFlag };
}

/** Reads the words that are complete. */
function walk(words: readonly string[], commands: Commands): Walked {
  // Before the command is known, flags are those that all have.
  const [any] = commands.values();
  let command: string | undefined;
  let plain: string[] = [];
  let pending: Walked['pending'];
  for (const word of words) {
    if (pending) {
      pending = undefined;
      continue;
    }
    if (word.startsWith('-')) {
      pending = waiting(word, (command === undefined ? any : commands.get(command))?.flags ?? {});
      continue;
    }
    plain.push(word);
    if (command === undefined && commands.has(plain.join(' '))) {
      command = plain.join(' ');
      plain = [];
    }
  }
  return { positionals: plain, ...(command !== undefined && { command }), ...(pending && { pending }) };
}

function waiting(word: string, flags: SurfaceCommand['flags']): Walked['pending'] {
  const found = Object.entries(flags).find(([name, { char }]) => word === `--${name}` || (char && word === `-${char}`));
  return found?.[1].type === 'option' ? { name: found[0], flag: found[1] } : undefined;
}

function valuesOf(name: string, flag: SurfaceFlag | undefined): Pick<Suggestions, 'fixed' | 'kinds'> {
  return {
    fixed: (flag?.options ?? []).map((value) => ({ value })),
    kinds: kindsOfWord[name] ?? nothing,
  };
}

/** Flags that are not there yet, or may be there again. */
function flagsOf(command: SurfaceCommand, before: readonly string[]): readonly Suggestion[] {
  return Object.entries(command.flags)
    .filter(([name, { multiple }]) => multiple || !before.some((word) => word.split('=', 1)[0] === `--${name}`))
    .map(([name, { description }]) => ({ value: `--${name}`, ...(description && { description }) }));
}

function nextWords(typed: readonly string[], commands: Commands): readonly Suggestion[] {
  const next = new Map<string, Suggestion>();
  for (const [name, { description }] of commands) {
    const words = name.split(' ');
    if (words.length <= typed.length || !typed.every((word, i) => word === words[i])) continue;
    const value = words[typed.length] ?? '';
    const last = words.length === typed.length + 1;
    const known = next.get(value);
    if (!known || last)
      next.set(value, { value, ...(last && description && { description: firstClause(description) }) });
  }
  return [...next.values()].sort((a, b) => (a.value < b.value ? -1 : 1));
}

function firstClause(description: string): string {
  return description.split(/[;:]/, 1)[0] ?? description;
}

function kindsAt(command: string, { args, strict }: SurfaceCommand, position: number): readonly NameKind[] {
  const names = Object.keys(args);
  if (position >= Math.max(names.length, strict === false ? Number.POSITIVE_INFINITY : 0)) return nothing;
  const word = names[Math.min(position, names.length - 1)] ?? '';
  return kindsOfCommand[command] ?? kindsOfWord[word] ?? nothing;
}
