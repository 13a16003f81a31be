/** Revisions of sources, and pins, for people. */
import type { PinView, RevisionView } from '../../schemas/views.ts';
import { age, left } from './ages.ts';
import { shortCommit } from './listings.ts';
import type { Listing } from './output.ts';
import { paintState } from './paint.ts';

export const revisionListing: Listing<RevisionView> = {
  nameOf: (revision) => revision.commit,
  empty: 'Nothing was accepted from git yet.',
  columns: (paint) => [
    { title: 'COMMIT', value: ({ commit, current }) => `${shortCommit(commit)}${current ? ' *' : ''}` },
    { title: 'SOURCE', value: (revision) => revision.source },
    { title: 'ACCEPTED', value: ({ at }) => age(Math.max(0, Date.now() - at)), right: true },
    {
      title: 'OUTCOME',
      value: ({ outcome }) => outcome ?? 'progressing',
      paint: (text) => paintState(paint, text),
    },
    { title: 'CHANGES', value: ({ changes }) => `+${changes.added} ~${changes.changed} -${changes.removed}` },
    { title: 'AUTHOR', value: (revision) => revision.author },
    { title: 'TITLE', value: (revision) => revision.title },
    { title: 'BY', value: (revision) => revision.actor, wide: true },
    { title: 'TOOK', value: ({ at, ended }) => ended && age(Math.max(0, ended - at)), right: true, wide: true },
    { title: 'REASON', value: (revision) => revision.reason },
  ],
};

/** `pinned to 5d41402 by ann, 23h left: checkout is slow`. */
export function pinText({ commit, actor, until, reason }: PinView): string {
  const rest = `${left(until - Date.now())} left`;
  return `pinned to ${shortCommit(commit)} by ${actor}, ${rest}${reason === undefined ? '' : `: ${reason}`}`;
}
