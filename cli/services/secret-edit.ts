/** The values of a secret in an editor: as the value itself, or as a YAML map of several. */
import { ProblemError, problem } from '../../schemas/problem.ts';
import { placeOfValue } from '../../schemas/secret-file.ts';
import { secretKeyPattern } from '../../schemas/secret-names.ts';
import type { SopsLeaf } from '../../schemas/sops.ts';

/** Shows a text under this file name, and answers what became of it. */
export type OpenEditor = (file: string, text: string) => Promise<string>;

/** The values as they were left. USAGE for what is none, without a word of it. */
export async function editSecret(
  name: string,
  values: readonly SopsLeaf[],
  open: OpenEditor,
): Promise<readonly SopsLeaf[]> {
  const single = placeOfValue(name, undefined);
  const [first] = values;
  if (first?.[0] === single) {
    const text = withoutNewline(await open(name, first[1]), first[1]);
    if (text === '') throw empty(name);
    return [[single, text]];
  }
  const { stringify } = await import('yaml');
  const before = Object.fromEntries(values.map(([path, text]) => [path.slice(single.length, -1), text]));
  const written = await open(`${name}.yaml`, stringify(before, { lineWidth: 0 }));
  return readMap(name, await parsed(name, written));
}

/** Messages of the parser would quote what it stumbled over. */
async function parsed(name: string, text: string): Promise<unknown> {
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text, { schema: 'failsafe', logLevel: 'silent' });
  const line = document.errors[0]?.linePos?.[0].line;
  if (document.errors.length > 0) throw invalid(name, `line ${line ?? 1} is no YAML; quotes make a text of anything`);
  try {
    return document.toJS();
  } catch {
    throw invalid(name, 'what was written has anchors that lead nowhere; quotes make a text of anything');
  }
}

/** Editors end the last line. */
function withoutNewline(text: string, before: string): string {
  return before.endsWith('\n') || !text.endsWith('\n') ? text : text.slice(0, -1);
}

function readMap(name: string, value: unknown): readonly SopsLeaf[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(name, 'what was written is no map of keys and values');
  const entries = Object.entries(value);
  if (entries.length === 0) throw empty(name);
  return entries.map(([key, text], index): SopsLeaf => {
    if (!secretKeyPattern.test(key) || key.endsWith('_unencrypted'))
      throw invalid(name, `entry ${index + 1} has no key that a secret can have`);
    if (typeof text !== 'string' || text === '') throw invalid(name, `${key} is empty, or no text`);
    return [placeOfValue(name, key), text];
  });
}

function invalid(name: string, message: string): ProblemError {
  const hint = `nothing was changed; again: \`oakctl secret edit ${name}\``;
  return new ProblemError(problem('USAGE', message, { subject: name, hint }));
}

function empty(name: string): ProblemError {
  return invalid(name, 'the secret would be empty');
}
