/** `oakctl __complete -- <words>`: what a shell asks at each press of the key. Loads no command, and says nothing but answers. */
import { readFile } from 'node:fs/promises';
import type { TargetFlags } from '../contexts.ts';
import { homeFolder } from '../home.ts';
import { namesOf } from './names.ts';
import { type Suggestion, type Surface, suggest } from './suggest.ts';

/** Lines `value<tab>description` for the words after `--`. `manifest`: URL of oclif.manifest.json. Never fails. */
export async function complete(argv: readonly string[], manifest: URL): Promise<string> {
  const typed = argv[0] === '--' ? argv.slice(1) : argv;
  const surface = await readFile(manifest, 'utf8').then(
    (text) => JSON.parse(text) as Surface,
    () => undefined,
  );
  if (!surface) return '';
  const { fixed, kinds, prefix } = suggest(typed, surface);
  const home = homeFolder(process.env);
  const names = await Promise.all(kinds.map((kind) => namesOf(kind, targetFlags(typed), process.env, home)));
  const live = names.flat().map((value): Suggestion => ({ value }));
  return [...fixed, ...live]
    .filter(({ value }) => value.startsWith(prefix))
    .map(({ value, description }) => `${value}${description ? `\t${description}` : ''}\n`)
    .join('');
}

/** Flags that say which cluster is meant, as far as they are typed. */
function targetFlags(words: readonly string[]): TargetFlags {
  const typedValue = (flag: string): string | undefined => {
    const at = words.indexOf(`--${flag}`);
    if (at >= 0) return words[at + 1] === '=' ? words[at + 2] : words[at + 1];
    return words.find((word) => word.startsWith(`--${flag}=`))?.slice(flag.length + 3);
  };
  return {
    context: typedValue('context'),
    api: typedValue('api'),
    'token-file': typedValue('token-file'),
    'ca-file': typedValue('ca-file'),
  };
}
