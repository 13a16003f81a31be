/** Variables in a compose file: `$NAME`, `${NAME}`, and with a default, a replacement, or a demand. Pure. */

/** What became of a text, and what it asked for that was not given. */
export interface Filled {
  readonly text: string;
  /** Variables that count as empty, since nobody gave them. */
  readonly unset: readonly string[];
  /** What the file demands of whoever runs it (`${NAME:?why}`). */
  readonly demanded: readonly string[];
}

const variable = /\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])((?:[^{}]|\{[^{}]*\})*))?\})/g;

/** Fills in variables as compose does; `$$` is a dollar. Source: Compose Specification, "Interpolation". */
export function fillIn(written: string, given: Readonly<Record<string, string>>): Filled {
  const unset: string[] = [];
  const demanded: string[] = [];
  const nested = (text: string): string => {
    const filled = fillIn(text, given);
    unset.push(...filled.unset);
    demanded.push(...filled.demanded);
    return filled.text;
  };
  const text = written.replace(variable, (all, plain?: string, name = plain, how = '', word = '') => {
    if (name === undefined) return all.slice(1);
    const value = given[name];
    const isGiven = value !== undefined && (value !== '' || !how.startsWith(':'));
    if (how.endsWith('+')) return isGiven ? nested(word) : '';
    if (isGiven) return value;
    if (how.endsWith('-')) return nested(word);
    if (how.endsWith('?')) demanded.push(word === '' ? name : `${name}: ${word}`);
    else unset.push(name);
    return value ?? '';
  });
  return { text, unset, demanded };
}

/** The variables of an `.env` or `env_file`: lines of NAME=value, comments, quotes. A line that is none of these is passed over. */
export function parseEnvironment(text: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const [, name, value = ''] = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined) continue;
    const [, quote, quoted] = /^(["'])(.*)\1(?:\s+#.*)?$/.exec(value) ?? [];
    if (quoted === undefined) found[name] = value.replace(/(^|\s)#.*$/, '').trimEnd();
    else found[name] = quote === '"' ? quoted.replace(/\\(["\\$])/g, '$1').replace(/\\n/g, '\n') : quoted;
  }
  return found;
}
