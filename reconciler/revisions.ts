/** The memory of revisions, and the pins of sources, in the records. Durable before anybody is told. */
import type { RollbackBody } from '../schemas/api-bodies.ts';
import { type ProblemCode, ProblemError, problem } from '../schemas/problem.ts';
import type { PinView, RevisionView } from '../schemas/views.ts';
import type { Context, Source } from './context.ts';
import { anchorOf } from './core/head-holds.ts';
import { ended, lastGood, type Pin, type Revision, remembered, told } from './core/revisions.ts';
import { onceSaved, savedOr, withEntry } from './records-keeper.ts';
import { sourceNamed } from './source-named.ts';
import { createSubjectTurns } from './subject-turns.ts';

export interface Revisions {
  /** A commit was accepted. On disk with what it changes. */
  add(source: string, revision: Omit<Revision, 'at'>): void;
  /** Of one source, or of all, the newest first. */
  list(source?: string): readonly RevisionView[];
  /** What keeps a source where it is. */
  pinOf(source: string): Pin | undefined;
  /** Pins a source to an older revision; the caller carries it out. NOT_FOUND, REFUSED, BAD_REQUEST when several sources may be meant. */
  pin(wish: Rollback, signal: AbortSignal): Promise<PinView>;
  /** Ends the pin, and lets the commit that was gone back from pass again. NOT_FOUND, REFUSED. */
  unpin(source: string | undefined, actor: string): Promise<PinView>;
  /** Ends pins whose time is over, and learns outcomes. Answers with the sources that are free again. Called every now and then. */
  tick(): readonly string[];
}

export interface Rollback extends RollbackBody {
  readonly actor: string;
}

/** How long a pin lasts if nobody says, ms: over a night. */
const defaultFor = 24 * 3_600_000;

export function createRevisions(context: Context): Revisions {
  const { deps, world, keeper, journal } = context;
  const inTurn = createSubjectTurns();
  const of = (source: string): readonly Revision[] => keeper.now.history[source] ?? [];
  const put = (source: string, history: readonly Revision[]): void =>
    keeper.change({ history: withEntry(keeper.now.history, source, history) });
  const setPin = (source: string, pin: Pin | undefined): void =>
    keeper.change({ pins: withEntry(keeper.now.pins, source, pin) });

  /** The commit that is meant, in the history of what was accepted. */
  const target = async (source: Source, to: string | undefined, signal: AbortSignal): Promise<string> => {
    const accepted = keeper.now.sources[source.name];
    if (!accepted) return refuse('REFUSED', `nothing of ${source.name} was accepted yet`);
    const history = of(source.name);
    if (to === undefined) {
      const good = lastGood(history, accepted.commit);
      return (
        good?.commit ??
        refuse(
          'REFUSED',
          'no earlier revision is known to have been well',
          'oakctl history; then: oakctl rollback --to <commit>',
        )
      );
    }
    const known = new Set(history.map(({ commit }) => commit).filter((commit) => commit.startsWith(to)));
    if (known.size > 1) return refuse('BAD_REQUEST', `${known.size} revisions begin with ${to}`, 'write more of it');
    const commit = [...known][0] ?? (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(to) ? to : undefined);
    if (commit === undefined)
      return refuse('NOT_FOUND', `no revision begins with ${to}`, 'oakctl history; an older commit: its full id');
    // What was accepted before is let in again, also while the remote, which may have to be asked for the history, does not answer.
    if (known.has(commit)) return commit;
    // Whatever is in the history of what was accepted was let in once; nothing else comes in by this door.
    if ((await source.git.isAncestor(commit, anchorOf(accepted), signal)) !== true)
      return refuse('REFUSED', `${commit.slice(0, 10)} is not in the history of what was accepted`, 'oakctl history');
    return commit;
  };

  const view = (source: string, pin: Pin): PinView => ({ source, ...pin });

  /** Changes the pin and some of the history, durably. */
  const change = async (source: string, pin: Pin | undefined, next: (one: Revision) => Revision): Promise<void> => {
    const former = keeper.now.pins[source];
    const before = new Map(of(source).map((one) => [next(one), one]));
    put(source, [...before.keys()]);
    setPin(source, pin);
    await savedOr(keeper, () => {
      if (keeper.now.pins[source] === pin) setPin(source, former);
      // What was accepted meanwhile stays.
      put(
        source,
        of(source).map((one) => before.get(one) ?? one),
      );
    });
  };

  return {
    add(source, revision) {
      const at = deps.clock.now().wall;
      const [newest, ...rest] = of(source);
      const before = newest ? [told(newest, world, keeper.now.rollouts, at), ...rest] : [];
      put(source, remembered(before, { ...revision, at }));
    },
    list(source) {
      const names =
        source === undefined ? deps.sources.map(({ name }) => name) : [sourceNamed(deps.sources, source).name];
      return names
        .flatMap((name) =>
          of(name).map(({ again: _again, unread, ...one }, at): RevisionView => {
            const reason = one.reason ?? (unread && `cannot be read: ${unread.join(', ')}`);
            return {
              source: name,
              ...one,
              ...(reason !== undefined && { reason }),
              ...(at === 0 && { current: true }),
            };
          }),
        )
        .sort((a, b) => b.at - a.at);
    },
    pinOf: (source) => keeper.now.pins[source],

    async pin({ source: name, to, reason, for: ms = defaultFor, actor }, signal) {
      const source = sourceNamed(deps.sources, name);
      const commit = await target(source, to, signal);
      const now = deps.clock.now().wall;
      const pin: Pin = {
        commit,
        actor,
        ...(reason !== undefined && { reason }),
        since: now,
        until: (now + ms) as Pin['until'],
      };
      const why = `by ${actor}${reason === undefined ? '' : `: ${reason}`}`;
      await inTurn([source.name], () => {
        const [current] = of(source.name);
        const isLeft = current && current.commit !== commit && current.outcome !== 'failed';
        return change(source.name, pin, (one) =>
          isLeft && one === current ? ended(current, 'rolled_back', now, why) : one,
        );
      });
      journal.add(
        'source_pinned',
        `source/${source.name}`,
        `at ${commit.slice(0, 10)} by ${actor}${reason ? `: ${reason}` : ''}`,
      );
      return view(source.name, pin);
    },

    async unpin(name, actor) {
      const pinned = Object.keys(keeper.now.pins);
      const source = sourceNamed(deps.sources, name ?? (pinned.length === 1 ? pinned[0] : undefined)).name;
      const pin = await inTurn([source], async () => {
        const known = keeper.now.pins[source];
        if (!known) return refuse('NOT_FOUND', `${source} is not pinned`, 'oakctl status');
        const accepted = keeper.now.sources[source];
        const newest = accepted && anchorOf(accepted);
        await change(source, undefined, (one) => (one.commit === newest ? { ...one, again: true as const } : one));
        return known;
      });
      journal.add('source_unpinned', `source/${source}`, `by ${actor}`);
      return view(source, pin);
    },

    tick() {
      const now = deps.clock.now().wall;
      for (const { name } of deps.sources) {
        const [newest, ...rest] = of(name);
        if (!newest || newest.outcome) continue;
        const next = told(newest, world, keeper.now.rollouts, now);
        if (next === newest) continue;
        put(name, [next, ...rest]);
        onceSaved(context, () => undefined);
      }
      const over = Object.entries(keeper.now.pins).filter(([, { until }]) => until <= now);
      for (const [source, { commit }] of over) {
        setPin(source, undefined);
        onceSaved(context, () => undefined);
        journal.add('source_unpinned', `source/${source}`, `its time at ${commit.slice(0, 10)} is over`);
      }
      return over.map(([source]) => source);
    },
  };
}

function refuse(code: ProblemCode, message: string, hint?: string): never {
  throw new ProblemError(problem(code, message, hint === undefined ? {} : { hint }));
}
