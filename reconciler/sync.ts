/**
 * Git sources: looks at each remote, reads what changed by object id, lets the guards judge it, and makes it what is wanted.
 * Whatever cannot be reached, read or parsed changes nothing that runs.
 */
import type { SyncAnswer } from '../schemas/api.ts';
import { isProblemError, type ProblemCode, problem } from '../schemas/problem.ts';
import type { Hold } from '../schemas/status.ts';
import type { SourceView } from '../schemas/views.ts';
import { createAcceptance, type SourceDesks } from './acceptance.ts';
import type { Context, Source } from './context.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Policy } from './core/model.ts';
import { planSteps } from './dry-run.ts';
import { holdsNamed } from './head-guard.ts';
import { planningNow, takePlanning } from './planning.ts';
import { createPolls } from './polls.ts';
import { RemoteRefusal } from './ports.ts';
import { type SavedPlanning, saveSteps } from './saved-planning.ts';
import { sourceNamed } from './source-named.ts';
import { policyOf } from './source-policy.ts';
import { type Progress, sourceView } from './source-progress.ts';
import { within } from './time-limit.ts';
import { createTurns } from './turns.ts';

export interface Sync {
  start(): void;
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
  /** Looks at a source now, if that is our turn. */
  wake(name: string): void;
  /** Looks at all remotes now; answers when each head is accepted or refused. */
  now(signal: AbortSignal): Promise<SyncAnswer>;
  approve(id: string, actor: string): Promise<{ approved: string }>;
  rollback: ControlPlane['rollback'];
  unpin: ControlPlane['unpin'];
  /** Pins end by themselves. Called every now and then. */
  tick(): void;
  plan: ControlPlane['plan'];
  /** All that a plan rests on, for plans without us. Problems of the git port pass. */
  snapshot(): Promise<SavedPlanning>;
  /** Finds out whether jobs that nobody wants any more came from older commits of their sources. */
  explain(): void;
  /** A name may be free that a source claimed in vain: reads such sources again. */
  reclaim(): void;
  views(): readonly SourceView[];
  /** Holds of whole sources (removals that wait for a human). */
  holds(): readonly Hold[];
  /** The policy of cluster.yaml, tightened by oakctl.yaml. */
  policy(): Omit<Policy, 'graceUntil'>;
  /** True once every source was looked at, whether that went well or not. */
  ready(): boolean;
  /** Sources of which this process has no version yet, and what is in the way, where that is known. */
  unread(): readonly { readonly name: string; readonly code?: ProblemCode }[];
}

const passTimeout = 120_000;
const ofRemote: ReadonlySet<string> = new Set(['SOURCE_UNREACHABLE', 'SOURCE_DENIED', 'SOURCE_LIMITED']);
/** The mirror has what a dry run reads; only one that is damaged asks its remote. */
const dryRunTimeout = 30_000;

export function createSync(context: Context, desks: SourceDesks): Sync {
  const { deps, keeper, journal } = context;
  const { revisions } = desks;
  const acceptance = createAcceptance(context, desks);
  const turns = createTurns(deps.clock);
  const progress = new Map<string, Progress>();
  const abort = new AbortController();
  const unwatch: (() => void)[] = [];
  let isStarted = false;
  const currentPolicy = (): Omit<Policy, 'graceUntil'> =>
    policyOf(
      deps.settings,
      deps.sources.map((source) => acceptance.settingsOf(source.name)),
    );
  /** Stable until a settings file changes: it is asked for at every message. */
  let policy = currentPolicy();

  const progressOf = (source: Source): Progress => {
    const known = progress.get(source.name);
    if (known) return known;
    const made: Progress = {
      tried: false,
      failures: 0,
      problems: [],
      state: 'unread',
      again: false,
      force: false,
    };
    progress.set(source.name, made);
    return made;
  };

  const planning = (sources: readonly Source[]) =>
    within(deps.clock, dryRunTimeout, (signal) => takePlanning(context, acceptance, sources, signal));

  const polls = createPolls({
    ...deps,
    paceOf: (source) => {
      const { failures, refusal, pass: isBusy } = progressOf(source);
      const poll = acceptance.settingsOf(source.name)?.poll ?? source.poll;
      return { poll, failures, refusal, isBusy: isBusy !== undefined };
    },
    look: (source) => begin(source),
  });

  const named = (name: string): readonly Source[] => deps.sources.filter((one) => one.name === name);
  const viewOf = (source: Source): SourceView =>
    sourceView(source, progressOf(source), {
      record: keeper.now.sources[source.name],
      pin: revisions.pinOf(source.name),
      ignored: acceptance.ignoredOf(source.name),
      now: deps.clock.now().mono,
    });

  /** A pass that nobody waits for. What it throws is a bug: expected failures are in its progress. */
  const begin = (source: Source, force = false): void => {
    pass(source, force).catch((error: unknown) =>
      deps.fatal(error instanceof Error ? error : new Error(String(error))),
    );
  };

  /** One look at a time per source; a call during a pass makes it look once more. */
  const pass = (source: Source, force = false): Promise<void> => {
    const p = progressOf(source);
    p.force ||= force;
    p.again = true;
    p.pass ??= passUntilDone(source, p);
    return p.pass;
  };

  const passUntilDone = async (source: Source, p: Progress): Promise<void> => {
    // In a later turn, so that `p.pass` is set before it can end.
    await Promise.resolve();
    try {
      while (p.again && !abort.signal.aborted) {
        const { force } = p;
        p.again = false;
        p.force = false;
        await look(source, p, force);
      }
    } finally {
      // In the turn of the last look: a call that comes later makes a pass of its own.
      delete p.pass;
      polls.schedule(source);
    }
  };

  const look = async (source: Source, p: Progress, force: boolean): Promise<void> => {
    try {
      await within(deps.clock, passTimeout, (limit) => lookWithin(source, p, force, limit), abort.signal);
      recovered(source, p);
    } catch (error) {
      failed(source, p, error);
    } finally {
      p.tried = true;
    }
  };

  const lookWithin = async (source: Source, p: Progress, force: boolean, limit: AbortSignal): Promise<void> => {
    if (p.head === undefined) await readAccepted(source, p, limit);
    const pin = revisions.pinOf(source.name);
    if (pin) return stayAt(source, p, pin.commit, force, limit);
    const head = await source.git.head(limit);
    p.checkedAt = deps.clock.now().mono;
    if (head === p.head && !force && p.state === 'synced') return acceptance.explain(limit);
    await source.git.fetch(head, limit);
    const isAdmitted = await acceptance.admits(source, head, limit);
    if (isAdmitted) return read(source, p, head, limit);
    acceptance.turnTo(source.name, head);
    // What was accepted stays; an approval may be about that.
    if (force) await readAccepted(source, p, limit);
    p.head = head;
    p.state = 'behind';
  };

  /** Pinned: the remote is only looked at, and need not answer for what is in the mirror. */
  const stayAt = async (source: Source, p: Progress, commit: string, force: boolean, limit: AbortSignal) => {
    acceptance.turnTo(source.name, commit);
    if (force || keeper.now.sources[source.name]?.commit !== commit) {
      await source.git.fetch(commit, limit);
      await read(source, p, commit, limit);
    }
    p.state = 'pinned';
    p.head = await source.git.head(limit);
    p.checkedAt = deps.clock.now().mono;
  };

  /** After a start: what was accepted last is in force again before anybody asks a remote that may not answer. */
  const readAccepted = async (source: Source, p: Progress, signal: AbortSignal): Promise<void> => {
    const accepted = keeper.now.sources[source.name]?.commit;
    if (accepted === undefined) return;
    try {
      await read(source, p, accepted, signal);
      p.tried = true;
    } catch (error) {
      if (!isProblemError(error)) throw error;
      deps.log('warn', 'last_good_unreadable', { source: source.name, commit: accepted, why: error.message });
    }
  };

  const read = async (source: Source, p: Progress, commit: string, signal: AbortSignal): Promise<void> => {
    const { problems, changed, waits } = await acceptance.read(source, commit, signal);
    p.head = commit;
    p.problems = problems;
    p.state = problems.some((one) => one.severity !== 'warning') ? 'invalid' : waits ? 'behind' : 'synced';
    policy = currentPolicy();
    reclaim();
    if (changed) journal.add('source_accepted', `source/${source.name}`, `${commit.slice(0, 10)} is accepted`);
  };

  const recovered = (source: Source, p: Progress): void => {
    if (p.failures > 0) journal.add('source_recovered', `source/${source.name}`, 'the remote answers again');
    p.failures = 0;
    p.refusal = undefined;
  };

  const reclaim = (): void => {
    for (const source of deps.sources) if (acceptance.mayClaim(source.name)) begin(source, true);
  };

  /** The remote or the mirror failed: the last accepted commit stays in force. */
  const failed = (source: Source, p: Progress, error: unknown): void => {
    if (abort.signal.aborted) return;
    if (!isProblemError(error) && !(error instanceof DOMException)) throw error;
    const problems = isProblemError(error)
      ? error.problems
      : [problem('SOURCE_UNREACHABLE', `no answer within ${passTimeout / 1000} s`, { disposition: 'retry' })];
    p.failures += 1;
    p.refusal = error instanceof RemoteRefusal ? error.rest : undefined;
    if (p.failures === 1)
      journal.add('source_unreachable', `source/${source.name}`, problems[0]?.message ?? 'it cannot be read');
    p.state = problems.some((one) => ofRemote.has(one.code)) ? 'unreachable' : 'invalid';
    p.problems = problems;
  };

  return {
    start() {
      isStarted = true;
      for (const source of deps.sources) {
        unwatch.push(source.git.watch(() => begin(source)));
        begin(source);
      }
    },
    wake(name) {
      const source = isStarted && deps.sources.find((one) => one.name === name);
      if (source) begin(source);
    },
    async stop() {
      abort.abort();
      for (const stop of unwatch) stop();
      polls.stop();
      await Promise.allSettled([...progress.values()].flatMap((p) => p.pass ?? []));
    },
    async now() {
      await Promise.all(deps.sources.map((source) => pass(source)));
      return { sources: deps.sources.map(viewOf) };
    },
    async approve(id, actor) {
      const holds = holdsNamed(acceptance.holds(), id);
      const ids = holds.flatMap((hold) => hold.id ?? []);
      await acceptance.approve(ids);
      for (const { subject, code } of holds) journal.add('approved', subject, `${code} by ${actor}`);
      await Promise.all(deps.sources.map((source) => pass(source, true)));
      return { approved: id };
    },
    async rollback(wish, signal) {
      const pin = await revisions.pin(wish, signal);
      await Promise.all(named(pin.source).map((source) => pass(source)));
      return pin;
    },
    async unpin(name, actor) {
      const pin = await revisions.unpin(name, actor);
      await Promise.all(named(pin.source).map((source) => pass(source)));
      return pin;
    },
    tick() {
      for (const source of revisions.tick().flatMap(named)) begin(source);
    },
    plan: (request, counts) =>
      turns.run(() => {
        if (!request.asSource) return planSteps(planningNow(context), request, counts);
        const sources = [sourceNamed(deps.sources, request.source)];
        return planning(sources).then((taken) => planSteps(taken, request, counts));
      }),
    snapshot: () => turns.run(async () => saveSteps(await planning(deps.sources), deps.keys.fingerprint)),
    explain() {
      acceptance.explain(abort.signal).catch((error: unknown) => {
        if (!abort.signal.aborted) deps.fatal(error instanceof Error ? error : new Error(String(error)));
      });
    },
    reclaim,
    views: () => deps.sources.map(viewOf),
    holds: acceptance.holds,
    policy: () => policy,
    ready: () => deps.sources.every((source) => progressOf(source).tried),
    unread: () =>
      deps.sources.flatMap((source) => {
        const { head, problems } = progressOf(source);
        return head === undefined ? [{ name: source.name, ...(problems[0] && { code: problems[0].code }) }] : [];
      }),
  };
}
