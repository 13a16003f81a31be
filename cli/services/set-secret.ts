/** `secret set`, `secret edit` and `secret rekey`: which values a secret is to have, before they are encrypted and written. */
import { isProblemError, type Problem, ProblemError, problem } from '../../schemas/problem.ts';
import { placeOfValue } from '../../schemas/secret-file.ts';
import { secretKeyPattern } from '../../schemas/secret-names.ts';
import type { SopsLeaf } from '../../schemas/sops.ts';
import { type OpenedSecret, openSecret } from './sealed-secret.ts';
import { editSecret, type OpenEditor } from './secret-edit.ts';
import { findSecret, placeOfNew, requireSecret, type ShelvedSecret, secretsNamed } from './secret-shelf.ts';
import {
  requireChangeable,
  type SecretApi,
  type SecretNote,
  type SecretTask,
  type WantedSecret,
  writeSecrets,
} from './write-secrets.ts';

export interface NewValue {
  readonly name: string;
  /** Of one of several values. */
  readonly key?: string | undefined;
  readonly value: string;
}

/** Gives a secret a value, or one of its values; makes it if it is not there. REFUSED where another value would be lost. */
export async function setSecret(
  api: SecretApi,
  { name, key, value }: NewValue,
  task: SecretTask,
  signal: AbortSignal,
): Promise<SecretNote> {
  if (key !== undefined) requireKey(key);
  const says = `Set the secret ${name}${key === undefined ? '' : ` (${key})`}`;
  return one(
    await writeSecrets(
      api,
      () => says,
      task,
      signal,
      async ({ repository }) => {
        const found = await findSecret(repository, name);
        const opened = found && (await openSecret(found, task.own));
        const values = withValue(name, opened?.values ?? [], key, value);
        return [{ name, file: found?.file ?? placeOfNew(repository, name), found, opened, values }];
      },
    ),
  );
}

/** Lets somebody change the values of a secret in an editor; what is left as it was changes nothing. NOT_FOUND. */
export async function changeSecret(
  api: SecretApi,
  name: string,
  editor: OpenEditor,
  task: SecretTask,
  signal: AbortSignal,
): Promise<SecretNote> {
  // Where somebody else pushes meanwhile the work is done again: not that of the editor, if it was about the same.
  let edited: { readonly of: string; readonly values: readonly SopsLeaf[] } | undefined;
  return one(
    await writeSecrets(
      api,
      () => `Set the secret ${name}`,
      task,
      signal,
      async ({ repository }) => {
        const found = await requireSecret(repository, name);
        await requireChangeable(repository, found, task);
        const opened = await openSecret(found, task.own);
        if (edited?.of !== found.text)
          edited = { of: found.text, values: await editSecret(name, opened.values, editor) };
        return [{ name, file: found.file, found, opened, values: edited.values }];
      },
    ),
  );
}

/** What `rekey` did, and what is in the way at others. */
interface Rekeyed {
  readonly notes: readonly SecretNote[];
  readonly problems: readonly Problem[];
}

/** Who is to read these secrets (none: all) can read them afterwards, and nobody else. No value and no version changes. */
export async function rekeySecrets(
  api: SecretApi,
  names: readonly string[],
  task: SecretTask,
  signal: AbortSignal,
): Promise<Rekeyed> {
  const problems: Problem[] = [];
  const notes = await writeSecrets(api, subjectOf, task, signal, async ({ repository }) => {
    problems.length = 0;
    const wanted: WantedSecret[] = [];
    for (const found of await secretsNamed(repository, names)) {
      const opened = await openOr(found, task, problems);
      if (opened) wanted.push({ name: found.name, file: found.file, found, opened, values: opened.values });
    }
    return wanted;
  });
  for (const { name, removed } of notes) {
    if (removed.length === 0) continue;
    task.say(`${name}: ${removed.join(', ')} could read its value: change it (\`oakctl secret set ${name}\`)`);
  }
  return { notes, problems };
}

/** One that cannot be opened keeps no other from its readers. */
async function openOr(
  found: ShelvedSecret,
  { own }: SecretTask,
  problems: Problem[],
): Promise<OpenedSecret | undefined> {
  return openSecret(found, own).catch((error: unknown) => {
    if (!isProblemError(error)) throw error;
    problems.push(...error.problems);
    return undefined;
  });
}

/** Most secrets that the first line of a commit names. */
const mostNamed = 5;

function subjectOf(notes: readonly SecretNote[]): string {
  const names = notes.map(({ name }) => name);
  if (names.length > mostNamed) return `Rekey ${names.length} secrets`;
  return `Rekey the secret${names.length === 1 ? '' : 's'} ${names.join(', ')}`;
}

function one(notes: readonly SecretNote[]): SecretNote {
  return notes[0] as SecretNote;
}

function withValue(
  name: string,
  values: readonly SopsLeaf[],
  key: string | undefined,
  value: string,
): readonly SopsLeaf[] {
  const single = placeOfValue(name, undefined);
  const isSingle = values.some(([path]) => path === single);
  if (values.length > 0 && isSingle !== (key === undefined)) {
    const keys = values.map(([path]) => path.slice(single.length, -1)).join(', ');
    const message = isSingle
      ? `the secret ${name} is one value, without a key`
      : `the secret ${name} has several values: ${keys}`;
    const hint = isSingle ? 'leave out `--key`, or take another name' : '`--key` says which, or `oakctl secret edit`';
    throw new ProblemError(problem('REFUSED', message, { subject: name, hint }));
  }
  const place = placeOfValue(name, key);
  const isThere = values.some(([path]) => path === place);
  return isThere
    ? values.map((leaf): SopsLeaf => (leaf[0] === place ? [place, value] : leaf))
    : [...values, [place, value]];
}

/** USAGE for what is no key, and for one that would stand in the open. */
function requireKey(key: string): void {
  if (secretKeyPattern.test(key) && !key.endsWith('_unencrypted')) return;
  const hint = 'letters, digits, -, _ and ., at most 63, starting with a letter or _, and not ending in _unencrypted';
  throw new ProblemError(problem('USAGE', `\`${key}\` is no key of a secret`, { hint }));
}
