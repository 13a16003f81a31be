/** What keeps the head of a source from being accepted: its history, or, of a strict source, any part that cannot be carried out. */
import type { Hold } from '../../schemas/status.ts';
import { holdId, shown } from './admit.ts';
import type { Followed, SourceRecord } from './records.ts';
import type { SourceSnapshot } from './snapshot.ts';

/** A head, beside what was accepted before it. */
export interface HeadQuestion {
  readonly source: string;
  readonly head: string;
  /** Where it was read from. */
  readonly followed: Followed;
  /** Absent: nothing was accepted yet, and the first head is the beginning. */
  readonly accepted?: Pick<SourceRecord, 'commit' | 'followed' | 'anchor'>;
  /** Is the {@link anchorOf} of the accepted commit in the history of the head? undefined: that cannot be told. */
  readonly descends: boolean | undefined;
}

const commitId = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** Undefined: the head goes on from what was accepted, or somebody named just this commit in cluster.yaml. */
export function historyHold({ source, head, followed, accepted, descends }: HeadQuestion): Hold | undefined {
  if (!accepted || accepted.commit === head || descends === true) return undefined;
  const anchor = anchorOf(accepted);
  const before = accepted.followed;
  const isNamed = commitId.test(followed.branch) && before !== undefined && before.branch !== followed.branch;
  if (isNamed) return undefined;
  const id = holdId('HISTORY', source, [anchor, head]);
  const [from, to] = [shown(anchor), shown(head)];
  const where = before && elsewhere(before, followed);
  const message =
    descends === undefined
      ? `it cannot be told whether ${to} goes on from ${from}, which was accepted last`
      : `${to} does not go on from ${from}, which was accepted last: ${where ?? 'the history was rewritten'}`;
  return {
    id,
    code: descends === undefined ? 'HISTORY_UNKNOWN' : 'HISTORY_REWRITTEN',
    subject: `source/${source}`,
    message: descends === undefined && where ? `${message}: ${where}` : message,
    commit: head,
    hint: `what was accepted stays in force; to go on with ${to}: oakctl approve ${id}`,
  };
}

/** No service of it is in force, so that no head can take one away; entries of nodes.yaml have the guard. Any head may follow. */
export function isEmpty({ files }: Pick<SourceRecord, 'files'>): boolean {
  return Object.values(files).every(({ services }) => services.length === 0);
}

/** What the next head has to go on from. */
export function anchorOf({ commit, anchor = commit }: Pick<SourceRecord, 'commit' | 'anchor'>): string {
  return anchor;
}

/** Undefined: whoever is to sign has signed. `unsigned`: commits that they did not; undefined where that cannot be told. */
export function signatureHold(source: string, head: string, unsigned: readonly string[] | undefined): Hold | undefined {
  if (unsigned?.length === 0) return undefined;
  const which = unsigned?.map(shown).join(', ');
  return {
    id: holdId('SIGNATURE', source, [head]),
    code: 'COMMIT_UNSIGNED',
    subject: `source/${source}`,
    message:
      which === undefined
        ? `it cannot be told whether all that leads to ${shown(head)} is signed by an allowed signer`
        : `${which} ${unsigned?.length === 1 ? 'is' : 'are'} not signed by an allowed signer`,
    commit: head,
    hint: `what was accepted stays in force; to go on with ${shown(head)} all the same: oakctl approve ${shown(head)}`,
  };
}

/**
 * Of a strict source: a commit of which a file cannot be read, or any change is held, is not carried out at all. `held`: what a source
 * that is not strict would hold of it.
 */
export function strictHold(
  { source, commit, complete, problems }: Pick<SourceSnapshot, 'source' | 'commit' | 'complete' | 'problems'>,
  held: readonly Hold[],
): Hold | undefined {
  if (complete && held.length === 0) return undefined;
  const files = problems.flatMap(({ file, severity }) => (file && severity !== 'warning' ? [file] : []));
  const names = [...new Set(files)].sort();
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  const codes = [...new Set(held.map(({ code }) => code))].join(', ');
  const why = complete ? `${codes} waits` : `${names.slice(0, 3).join(', ') || 'a file'}${more} cannot be read`;
  return {
    code: 'SOURCE_STRICT',
    subject: `source/${source}`,
    message: `nothing of ${shown(commit)} is carried out: ${why}, and the source is strict`,
    hint: complete ? (held.find(({ hint }) => hint)?.hint ?? 'push another commit') : 'fix the file and push',
  };
}

/** What cluster.yaml says otherwise than when the last commit was accepted. */
function elsewhere(before: Followed, now: Followed): string | undefined {
  const parts = [
    ...(before.url === now.url ? [] : [`url ${now.url} instead of ${before.url}`]),
    ...(before.branch === now.branch ? [] : [`branch ${now.branch} instead of ${before.branch}`]),
  ];
  return parts.length === 0 ? undefined : `cluster.yaml says ${parts.join(' and ')}`;
}
