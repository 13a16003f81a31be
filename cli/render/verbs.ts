/** What a verb did, for people. */
import type { OverrideView } from '../../schemas/views.ts';
import type { CommitNote } from '../services/commit-edit.ts';
import { left } from './ages.ts';

/** ` (override 1a2b3c4d, 1h left)`: what git owns is as it says again when that is over. */
export function overrideNote(override: OverrideView | undefined): string {
  if (!override) return '';
  const rest = override.until === undefined ? '' : `, ${left(override.until - Date.now())} left`;
  const keeps = isForGit(override) ? `, oakctl adopt ${override.id} keeps it` : '';
  return ` (override ${override.id}${rest}; oakctl overrides rm ${override.id} ends it${keeps})`;
}

/** Is it about what git owns, as far as it can tell, and something that a descriptor says? */
function isForGit({ kind, until }: OverrideView): boolean {
  return kind === 'scale' || (kind === 'stop' && until !== undefined);
}

/** `app.yaml:4: committed as 1a2b3c4 (source main)`, or that there was nothing to commit. */
export function commitText({ file, line, commit, source, changed }: CommitNote): string {
  const id = commit.slice(0, 7);
  return `${file}:${line}: ${changed ? `committed as ${id}` : `nothing to commit, it says so at ${id}`} (source ${source})`;
}

/** Whom a commit replaces, though their number stays: a line, or none. */
export function renumberedText(instances: readonly string[]): readonly string[] {
  return instances.length === 0
    ? []
    : [`${instances.join(', ')}: replaced, since git numbers instances from 0 without gaps`];
}

/** What a commit ended without saying it. */
export function endingText({ id, subject, change, kind }: OverrideView): string {
  const after = kind === 'move' ? ': it stays where it is' : '';
  return `override ${id} of ${subject} (${change}) ends with the commit${after}`;
}
