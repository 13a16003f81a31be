/** Holds heads of sources that do not go on from what was accepted, or that failed before, until a human lets them pass. */
import { ProblemError, problem } from '../schemas/problem.ts';
import type { Hold, HoldCode } from '../schemas/status.ts';
import { type Approvals, createApprovals } from './approvals.ts';
import type { Context, Source } from './context.ts';
import { anchorOf, historyHold, isEmpty, signatureHold } from './core/head-holds.ts';
import type { Followed } from './core/records.ts';
import { rejectedHold } from './core/revisions.ts';

export interface HeadGuard {
  /** May `head` become what the source wants? What keeps it is shown until it may. Problems of the git port pass through. */
  admits(source: Source, head: string, signal: AbortSignal): Promise<boolean>;
  /** The source was read at a commit: what was said of its head is over. Answers with approvals that this used up. */
  accepted(source: string): readonly string[];
  /** What waits for a human. */
  holds(): readonly Hold[];
  /** Ids of holds that an approval may be for; undefined while the head of a source is not known. */
  asked(): ReadonlySet<string> | undefined;
}

interface Judgement {
  readonly head: string;
  readonly holds: readonly Hold[];
}

const unsigned: HoldCode = 'COMMIT_UNSIGNED';

export function createHeadGuard(
  context: Context,
  approvals: Pick<Approvals, 'now'> = createApprovals(context),
): HeadGuard {
  const { deps, keeper, journal } = context;
  const judged = new Map<string, Judgement>();
  const isApproved = ({ id }: Hold): boolean => id !== undefined && approvals.now().includes(id);

  const judge = async (source: Source, head: string, signal: AbortSignal): Promise<readonly Hold[]> => {
    const accepted = keeper.now.sources[source.name];
    const ask = { source: source.name, head, followed: followedBy(source) };
    if (!accepted) return [];
    const history = isEmpty(accepted)
      ? undefined
      : historyHold({ ...ask, accepted, descends: await source.git.isAncestor(anchorOf(accepted), head, signal) });
    const rejected = accepted.commit !== head && rejectedHold(source.name, keeper.now.history[source.name] ?? [], head);
    return [...(history ? [history] : []), ...(rejected ? [rejected] : [])];
  };

  /** Signatures count for each head: that somebody let an earlier one pass says nothing of who wrote this one. */
  const judgeSignatures = async (source: Source, head: string, signal: AbortSignal): Promise<readonly Hold[]> => {
    const accepted = keeper.now.sources[source.name];
    if (!source.signers || accepted?.commit === head) return [];
    const { file, commits } = source.signers;
    const since = commits === 'all' && accepted ? anchorOf(accepted) : undefined;
    const hold = signatureHold(source.name, head, await source.git.unsigned(file, head, since, signal));
    return hold ? [hold] : [];
  };

  /** Somebody let an earlier head pass, and this one goes on from that. */
  const follows = async (source: Source, head: string, signal: AbortSignal): Promise<boolean> => {
    const last = judged.get(source.name);
    if (!last || last.holds.length === 0 || !last.holds.every(isApproved)) return false;
    return last.head === head || (await source.git.isAncestor(last.head, head, signal)) === true;
  };

  return {
    async admits(source, head, signal) {
      const before = judged.get(source.name)?.holds ?? [];
      const isFollowing = await follows(source, head, signal);
      // What let the earlier head pass goes on to do so.
      const history = isFollowing ? before.filter(({ code }) => code !== unsigned) : await judge(source, head, signal);
      const signatures = await judgeSignatures(source, head, signal);
      if (isFollowing && signatures.every(isApproved)) return true;
      const holds = [...history, ...signatures];
      judged.set(source.name, { head, holds });
      for (const hold of holds) {
        if (isApproved(hold) || before.some(({ id }) => id === hold.id)) continue;
        journal.add('source_refused', hold.subject, `${hold.code}: ${hold.message}`);
      }
      return holds.every(isApproved);
    },
    accepted(source) {
      const last = judged.get(source);
      // What was accepted before is read again while its head waits.
      if (!last?.holds.every(isApproved)) return [];
      judged.set(source, { head: last.head, holds: [] });
      return last.holds.flatMap(({ id }) => id ?? []);
    },
    holds: () => [...judged.values()].flatMap(({ holds }) => holds.filter((hold) => !isApproved(hold))),
    asked() {
      if (deps.sources.some(({ name }) => !judged.has(name))) return undefined;
      return new Set([...judged.values()].flatMap(({ holds }) => holds.flatMap(({ id }) => id ?? [])));
    },
  };
}

/** Where a source is read from, without credentials. */
export function followedBy({ url, branch }: Pick<Source, 'url' | 'branch'>): Followed {
  return { url: withoutPassword(url), branch };
}

/** For people, and for records. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//');
}

/**
 * The holds that `text` names: by their id, or by the commit that waits (seven digits or more). NOT_FOUND; BAD_REQUEST when several
 * commits begin like that.
 */
export function holdsNamed(holds: readonly Hold[], text: string): readonly Hold[] {
  const byId = holds.filter(({ id }) => id === text);
  if (byId.length > 0) return byId;
  const isCommit = /^[0-9a-f]{7,64}$/.test(text);
  const byCommit = holds.filter(({ id, commit }) => isCommit && id !== undefined && commit?.startsWith(text));
  const commits = new Set(byCommit.map(({ commit }) => commit));
  if (commits.size > 1) {
    const hint = `write more of it: ${[...commits].join(', ')}`;
    throw new ProblemError(problem('BAD_REQUEST', `${commits.size} commits that wait begin with ${text}`, { hint }));
  }
  if (byCommit.length > 0) return byCommit;
  throw new ProblemError(
    problem('NOT_FOUND', `no hold has the id ${text}`, { hint: 'oakctl status lists the holds and their ids' }),
  );
}
