/** What a source was at, and what became of it: the memory of revisions, and the pin that keeps a source at one of them. */
import { canonicalJson } from '../../schemas/digest.ts';
import type { ServiceName } from '../../schemas/names.ts';
import type { Wall } from '../../schemas/ports.ts';
import type { Problem } from '../../schemas/problem.ts';
import type { Hold } from '../../schemas/status.ts';
import { holdId, shown } from './admit.ts';
import type { Rollout, View } from './model.ts';
import type { WorldEvent } from './world-event.ts';

/** `superseded`: a newer one came first. `rolled_back`: somebody went back from it. */
export type RevisionOutcome = 'settled' | 'failed' | 'rolled_back' | 'superseded';

/** One time that a commit was accepted. */
export interface Revision {
  readonly commit: string;
  /** Of the commit; '' where it cannot be read. */
  readonly author: string;
  readonly title: string;
  readonly at: Wall;
  /** Who asked for it, where it was not just the next commit. */
  readonly actor?: string;
  readonly changes: { readonly added: number; readonly changed: number; readonly removed: number };
  /** Whose rollouts tell the outcome; bounded once it is told. */
  readonly services: readonly ServiceName[];
  /** Absent: under way. */
  readonly outcome?: RevisionOutcome;
  readonly ended?: Wall;
  readonly reason?: string;
  /** Files of it that could not be read, sorted, the first of many: what they say stayed as it was before. */
  readonly unread?: readonly string[];
  /** It failed, and somebody wants it all the same. */
  readonly again?: true;
}

/** A source stays at a commit, whatever its head is. */
export interface Pin {
  readonly commit: string;
  readonly actor: string;
  readonly reason?: string;
  readonly since: Wall;
  readonly until: Wall;
}

/** Revisions that are remembered per source. */
export const mostRevisions = 20;
/** Names that an ended one keeps. */
const mostNames = 10;

/** What these events change, before they are applied. */
export function changesBy(
  view: Pick<View, 'desired'>,
  events: readonly WorldEvent[],
): Pick<Revision, 'changes' | 'services'> {
  const changes = { added: 0, changed: 0, removed: 0 };
  const services: ServiceName[] = [];
  for (const event of events) {
    if (event.kind !== 'desired') continue;
    const known = view.desired.get(event.service);
    const old = known?.retired ? undefined : known;
    if (!event.desired || event.desired.retired) {
      changes.removed += old ? 1 : 0;
      continue;
    }
    // Moved within the repository: it says the same.
    if (old && canonicalJson(old.spec) === canonicalJson(event.desired.spec)) continue;
    changes[old ? 'changed' : 'added'] += 1;
    services.push(event.service);
  }
  return { changes, services: services.sort() };
}

/** What of a commit cannot come into force, as its problems say. */
export function unreadOf(problems: readonly Problem[]): Pick<Revision, 'unread'> {
  const files = problems.flatMap(({ severity, file }) => (severity !== 'warning' && file !== undefined ? [file] : []));
  return files.length === 0 ? {} : { unread: [...new Set(files)].sort().slice(0, mostNames) };
}

/** The history with one more; what was under way is superseded. The newest comes first. */
export function remembered(history: readonly Revision[], next: Revision): readonly Revision[] {
  const before = history.map((one) => (one.outcome ? one : ended(one, 'superseded', next.at)));
  return [next, ...before].slice(0, mostRevisions);
}

/** The same revision once its outcome is known by the rollouts of its services. */
export function told(
  revision: Revision,
  view: Pick<View, 'desired'>,
  rollouts: Readonly<Record<ServiceName, Rollout>>,
  now: Wall,
): Revision {
  if (revision.outcome) return revision;
  let isOpen = false;
  let last = revision.at;
  for (const name of revision.services) {
    const desired = view.desired.get(name);
    // A run of a job says nothing about the version.
    if (!desired || desired.spec.schedule) continue;
    const rollout = rollouts[name];
    if (rollout?.digest !== desired.spec.digest) isOpen = true;
    else if (rollout.phase === 'failed' || rollout.phase === 'rolled_back')
      return ended(revision, 'failed', rollout.ended ?? now, `${name}: ${rollout.reason ?? 'its copies failed'}`);
    else if (rollout.phase === 'settled') last = Math.max(last, rollout.ended ?? last) as Wall;
    else isOpen = true;
  }
  return isOpen ? revision : ended(revision, 'settled', last);
}

/** The same, ended. */
export function ended(revision: Revision, outcome: RevisionOutcome, at: Wall, reason?: string): Revision {
  const services = revision.services.slice(0, mostNames);
  return { ...revision, services, outcome, ended: at, ...(reason !== undefined && { reason }) };
}

/** The last that is remembered of a commit. */
function lastOf(history: readonly Revision[], commit: string): Revision | undefined {
  return history.find((one) => one.commit === commit);
}

/** Why this commit is not taken by itself: it failed, or somebody went back from it, and nothing newer came since. */
export function rejectedHold(source: string, history: readonly Revision[], head: string): Hold | undefined {
  const last = lastOf(history, head);
  if (!last || last.again || (last.outcome !== 'failed' && last.outcome !== 'rolled_back')) return undefined;
  const why = last.outcome === 'failed' ? 'failed' : 'was rolled back from';
  return {
    id: holdId('REVISION', source, [head]),
    code: 'REVISION_REJECTED',
    subject: `source/${source}`,
    message: `${shown(head)} ${why}${last.reason === undefined ? '' : ` (${last.reason})`}: the next commit is taken instead`,
    commit: head,
    hint: `push a newer commit; to take this one all the same: oakctl approve ${shown(head)}`,
  };
}

/** The last revision before `from` that was well and in force as a whole, another commit than that. */
export function lastGood(history: readonly Revision[], from: string): Revision | undefined {
  const at = history.findIndex(({ commit }) => commit === from);
  return history
    .slice(at + 1)
    .find(({ commit, outcome, unread }) => outcome === 'settled' && !unread && commit !== from);
}
