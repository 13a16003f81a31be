/** Of each value of a service the file and line where it was written: what `oakctl render` shows. */
import type { Origin } from './descriptor-parsed.ts';
import { besideOf } from './overlay.ts';
import { formatPath } from './parse.ts';
import type { Path, YamlDocument } from './yaml.ts';

/** In the order of the text. Maps and the environment are taken apart, other lists are one value. */
export function originsOf(value: unknown, path: Path, document: Pick<YamlDocument, 'locate'>, file: string): Origin[] {
  const walk = (part: unknown, below: Path): Origin[] => {
    const members = membersOf(part, below);
    if (members) return members.flatMap(([key, member]) => walk(member, [...below, key]));
    const { line, file: written = file } = document.locate([...path, ...below]);
    const text = typeof part === 'string' ? (besideOf(part) ?? part) : JSON.stringify(part);
    return [{ field: formatPath(below), value: text, file: written, line }];
  };
  return walk(value, []);
}

function membersOf(value: unknown, path: Path): readonly (readonly [string | number, unknown])[] | undefined {
  if (Array.isArray(value)) return path.at(-1) === 'environment' ? [...value.entries()] : undefined;
  return typeof value === 'object' && value !== null ? Object.entries(value) : undefined;
}
