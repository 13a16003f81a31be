/** Names of a compose file as names of a descriptor. Pure. */
import type { Findings } from '../../schemas/findings.ts';
import { appNamePattern } from '../../schemas/names.ts';
import type { Path } from '../../schemas/yaml.ts';

/** The nearest name to a text: dashes for what is not allowed, 30 characters. */
export function nameOf(text: string, path: Path, findings: Findings): string {
  const name = spelled(text);
  if (name === undefined)
    findings.error('COMPOSE_INVALID', path, `\`${text}\` cannot be made a name`, 'letters, digits and dashes');
  else if (name !== text) findings.warning('COMPOSE_LOST', path, `${text} is called ${name}`);
  return name ?? text;
}

/** Without a word about what it was changed to. */
export function spelled(text: string): string | undefined {
  const name = text
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 30)
    .replace(/-+$/, '');
  return appNamePattern.test(name) ? name : undefined;
}
