/** Secrets, as a table and as sentences: who can read them, and never what they are. */
import type { Problem } from '../../schemas/problem.ts';
import type { SecretRow } from '../services/list-secrets.ts';
import type { SecretNote } from '../services/write-secrets.ts';
import { count } from './counts.ts';
import type { Listing } from './output.ts';
import { commitText } from './verbs.ts';

export const secretListing: Listing<SecretRow> = {
  nameOf: ({ name }) => name,
  empty: 'No secrets. `oakctl secret set <name>` makes one.',
  columns: (paint) => [
    { title: 'SECRET', value: ({ name }) => name },
    { title: 'VERSION', value: ({ version, problem }) => version ?? (problem && faultText(problem)) },
    { title: 'KEYS', value: ({ keys }) => keys.join(', '), wide: true },
    { title: 'FOR', value: ({ readers }) => (readers ? some([...readers.nodes, ...readers.labels]) : 'all nodes') },
    { title: 'NODES', value: ({ nodes }) => some(nodes) },
    { title: 'OTHERS', value: ({ others }) => others.length, right: true },
    { title: 'CANNOT', value: ({ lack }) => some(lack), paint: (text) => (text === '-' ? text : paint.warn(text)) },
    { title: 'FILE', value: ({ file }) => file, wide: true },
  ],
};

export const rekeyListing: Listing<SecretNote> = {
  nameOf: ({ name }) => name,
  empty: 'No secrets.',
  columns: () => [
    { title: 'SECRET', value: ({ name }) => name },
    { title: 'VERSION', value: ({ version }) => version },
    { title: 'READERS', value: ({ nodes, others }) => nodes.length + others.length, right: true },
    { title: 'ADDED', value: ({ added }) => some(added.map(short)) },
    { title: 'REMOVED', value: ({ removed }) => some(removed.map(short)) },
    { title: 'CANNOT', value: ({ lack }) => some(lack) },
    { title: 'FILE', value: ({ file }) => file, wide: true },
  ],
};

/** Where it is wrong, too: `line 48: ...`. */
function faultText({ line, message }: Problem): string {
  return line === undefined ? message : `line ${line}: ${message}`;
}

/** Most names that a cell holds. */
const mostNames = 4;

function some(names: readonly string[]): string {
  const more = names.length - mostNames;
  return [...names.slice(0, mostNames), ...(more > 0 ? [`${more} more`] : [])].join(', ');
}

/** A recipient in a cell. */
function short(name: string): string {
  return name.startsWith('age1') ? `${name.slice(0, 12)}…` : name;
}

export function secretText({ name, version, changed, nodes, others }: SecretNote): string {
  const who = `${count(nodes.length, 'node')} and ${count(others.length, 'other')}`;
  return changed ? `${name} has version ${version}, for ${who}` : `${name} is so already (version ${version})`;
}

/** Where it is now, and what is still to be done. */
export function writtenText(notes: readonly SecretNote[]): string | undefined {
  const [commit] = notes.flatMap((note) => (note.changed && note.commit) || []);
  if (commit) return commitText(commit);
  const files = notes.filter(({ changed, commit: done }) => changed && !done).map(({ file }) => file);
  if (files.length === 0) return undefined;
  return `${files.join(', ')}: written, and not committed. Commit and push it, or say --commit`;
}

/** Of nodes that no secret can be encrypted for. */
export function lackText({ name, lack }: Pick<SecretNote, 'name' | 'lack'>): string | undefined {
  if (lack.length === 0) return undefined;
  return `${name}: ${some(lack)} cannot read it: no recipient is known (the agent is older, or never joined)`;
}
