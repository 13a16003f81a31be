/**
 * Keeps the agent's picture of one runtime true: a full list at the start, every 30 s, and soon after anything happened. Events
 * are only hints. While the engine does not answer, its copies are unknown.
 */
import type { InstanceName } from '../schemas/names.ts';
import type { Clock } from '../schemas/ports.ts';
import { isProblemError, type Problem, problem } from '../schemas/problem.ts';
import type { ActualCopy, CopyKey } from './core/copy.ts';
import { drifted, looked, restarted } from './core/drift.ts';
import { afterEnd } from './core/members.ts';
import { blankMemory, forgiven, keyText, lostSight, observed } from './core/memory.ts';
import { withDeadline } from './deadline.ts';
import type { AgentEvent } from './ports.ts';
import type { Runtime } from './runtimes/runtime.ts';
import { type AgentState, remember } from './state.ts';

const fullListEvery = 30_000;
const listLimit = 10_000;
/** ms between the end of a list and the next one: something ended, or something only wants its addresses. */
const gaps = { now: 20, lazy: 250 } as const;
const firstRetry = 1_000;
const longestRetry = 30_000;

/** Engines tell that a copy ended before their list shows it: look again after so many ms, doubling, as often as this. */
const endedRetry = { first: 25, times: 7 } as const;

export type Urgency = keyof typeof gaps;

export interface Observer {
  /** Begins to watch; looks at once. */
  start(): void;
  /** Asks for a list. */
  look(urgency: Urgency): void;
  /** A step that changes this copy begins or ended: lists that were begun before say nothing about it. */
  touched(key: string): void;
  /** The outcome of a step on this instance is not known: no further one before the next list. */
  doubt(instance: InstanceName): void;
  /** True once the engine answered, or failed to, for the first time. */
  settled(): boolean;
}

export interface ObserverDeps {
  readonly runtime: Runtime;
  readonly state: AgentState;
  readonly clock: Clock;
  trace(event: AgentEvent): void;
  /** The picture is a newer one. */
  changed(): void;
  /** Somebody may have changed the options of this copy. */
  suspected(key: CopyKey): void;
}

export function createObserver(deps: ObserverDeps, signal: AbortSignal): Observer {
  const { runtime, state, clock, trace, changed } = deps;
  const { name } = runtime;
  /** Counts touches; a list compares with its value at the time it began. */
  let touches = 0;
  const touchedAt = new Map<string, number>();
  const doubted = new Set<InstanceName>();
  /** Copies that ended by an event and run by the last list, with the number of lists since. */
  const ended = new Map<string, number>();
  /** Of these, those whose end is in our picture already. */
  const believed = new Set<string>();
  let settled = false;
  let listing = false;
  let failures = 0;
  let again: Urgency | undefined;
  let lastEnd = Number.NEGATIVE_INFINITY;
  let due = Number.POSITIVE_INFINITY;
  let cancel = (): void => undefined;

  const listAfter = (ms: number): void => {
    const at = clock.now().mono + ms;
    if (at >= due || signal.aborted) return;
    cancel();
    due = at;
    cancel = clock.after(ms, list);
  };
  const look = (urgency: Urgency): void => {
    if (listing) {
      if (again !== 'now') again = urgency;
    } else if (failures === 0) {
      listAfter(Math.max(0, lastEnd + gaps[urgency] - clock.now().mono));
    }
  };

  const list = (): void => {
    due = Number.POSITIVE_INFINITY;
    listing = true;
    const begun = touches;
    withDeadline(clock, listLimit, `the list of ${name}`, (inner) => readAll(runtime, state, inner), signal)
      .then((found) => succeeded(found, begun), failed)
      .finally(() => {
        listing = false;
        settled = true;
        lastEnd = clock.now().mono;
        if (signal.aborted) return;
        const urgency = again;
        again = undefined;
        if (failures > 0) listAfter(Math.min(longestRetry, firstRetry * 2 ** Math.min(failures - 1, 10)));
        else listAfter(fullListEvery);
        if (urgency) look(urgency);
        if (ended.size > 0) listAfter(endedRetry.first * 2 ** Math.min(...ended.values()));
        changed();
      });
  };

  const succeeded = (found: readonly ActualCopy[], begun: number): void => {
    const before = state.actual.get(name);
    failures = 0;
    if (before === 'unknown') cameBack();
    const ours = before === undefined || before === 'unknown' ? new Map<string, ActualCopy>() : before;
    const view = new Map(found.map((copy) => [keyText(copy), copy]));
    const newer = touchedSince(begun);
    if (before === 'unknown') {
      // There is no picture of ours that could be kept: these copies are only clear after the next list.
      for (const key of newer) doubt(key.slice(0, key.lastIndexOf('/')));
      if (newer.size > 0) again = 'now';
    }
    // The list is behind an event that we believed: it knows nothing of the end yet.
    const behind = [...believed].filter((key) => view.get(key)?.state === 'running' && ours.has(key));
    for (const key of behind) newer.add(key);
    if (before !== 'unknown') for (const key of newer) keepOurs(view, ours, key);
    for (const key of new Set([...ours.keys(), ...view.keys()])) {
      if (!newer.has(key)) note(key, ours.get(key), view.get(key));
    }
    state.actual.set(name, view);
    for (const [key, copy] of view) if (mayBeOther(key, copy, ours.get(key))) deps.suspected(copy);
    settleDoubts(newer);
    for (const [key, times] of ended) {
      const isOpen = behind.includes(key) || (view.get(key)?.state === 'running' && !newer.has(key));
      if (isOpen && times + 1 < endedRetry.times) ended.set(key, times + 1);
      else forgetEnd(key);
    }
  };
  const note = (key: string, before: ActualCopy | undefined, found: ActualCopy | undefined): void => {
    const now = clock.now().mono;
    remember(state, key, (memory) => observed(looked(memory, before, found, now), found, now, before));
  };
  /** Nobody saw what became of it before it ran, as we did not start it; or it is not as it was, and may be so again. */
  const mayBeOther = (key: string, found: ActualCopy, before: ActualCopy | undefined): boolean => {
    if (found.state !== 'running') return false;
    // The event that told so may be lost.
    if (found.paused) return true;
    return before?.state !== 'running' || drifted(state.copies.get(key) ?? blankMemory)?.kind === 'changed';
  };
  const forgetEnd = (key: string): void => {
    ended.delete(key);
    believed.delete(key);
  };
  /** Soon after a step of ours, or during one, it was we. */
  const signalled = (key: string): void => {
    if (state.busy.has(key) || touchedAt.has(key)) return;
    remember(state, key, (memory) => ({ ...memory, signalled: clock.now().mono }));
  };
  /** The engine says how it ended: there is no need to wait until its list shows it. */
  const believeEnd = (key: string, exitCode: number): void => {
    const copies = state.actual.get(name);
    const found = copies === undefined || copies === 'unknown' ? undefined : copies.get(key);
    // Soon after a step it may be the end before it: the next list tells.
    if (copies === 'unknown' || found?.state !== 'running' || state.busy.has(key) || touchedAt.has(key)) return;
    const end = afterEnd(found, exitCode);
    believed.add(key);
    copies?.set(key, end);
    note(key, found, end);
    changed();
  };
  /** Copies that this list says nothing about: steps ended since it began, or are under way. */
  const touchedSince = (begun: number): Set<string> => {
    const newer = new Set<string>();
    for (const [key, at] of touchedAt) {
      if (at > begun || state.busy.has(key)) newer.add(key);
      else touchedAt.delete(key);
    }
    return newer;
  };
  const doubt = (instance: InstanceName): void => {
    doubted.add(instance);
    state.stale.add(instance);
  };
  const settleDoubts = (newer: ReadonlySet<string>): void => {
    for (const instance of doubted) {
      if ([...newer].some((key) => key.startsWith(`${instance}/`))) continue;
      doubted.delete(instance);
      state.stale.delete(instance);
    }
  };
  const cameBack = (): void => {
    state.problems.delete(`runtime/${name}`);
    trace({ kind: 'engine_up', runtime: name, version: state.runtimes.get(name)?.version ?? '' });
    for (const [key, memory] of state.copies) {
      const isExcused = memory.failure?.problem.code === 'RUNTIME_UNAVAILABLE';
      state.copies.set(key, restarted(isExcused ? forgiven(memory) : memory));
    }
  };
  const failed = (error: unknown): void => {
    if (signal.aborted) return;
    const found = problemOf(error, name);
    failures += 1;
    const before = state.actual.get(name);
    if (before !== 'unknown' || !settled) trace({ kind: 'engine_unknown', runtime: name, problem: found });
    if (before !== undefined && before !== 'unknown') {
      for (const key of before.keys()) remember(state, key, lostSight);
    }
    state.actual.set(name, 'unknown');
    state.problems.set(`runtime/${name}`, { code: found.code, message: found.message });
  };

  return {
    start() {
      list();
      runtime.watch((event) => {
        const key = keyText(event);
        if (event.kind === 'signalled') return signalled(key);
        if (event.kind === 'oom') return remember(state, key, (memory) => ({ ...memory, oom: true }));
        if (event.kind === 'changed') return deps.suspected(event);
        if (event.kind === 'started') forgetEnd(key);
        if (event.kind === 'ended') {
          ended.set(key, -1);
          if (event.exitCode !== undefined) believeEnd(key, event.exitCode);
        }
        look(event.kind === 'started' || event.kind === 'removed' ? 'lazy' : 'now');
      }, signal);
      signal.addEventListener('abort', () => cancel(), { once: true });
    },
    look,
    touched(key) {
      touches += 1;
      touchedAt.set(key, touches);
      forgetEnd(key);
    },
    doubt,
    settled: () => settled,
  };
}

/** The list; and who answers, where that is not known or may have changed. */
async function readAll(runtime: Runtime, state: AgentState, signal: AbortSignal): Promise<readonly ActualCopy[]> {
  if (state.actual.get(runtime.name) === 'unknown') state.runtimes.set(runtime.name, await runtime.probe(signal));
  return runtime.list(signal);
}

/** A list that was begun before the last step on this copy says nothing about it. */
function keepOurs(view: Map<string, ActualCopy>, ours: ReadonlyMap<string, ActualCopy>, key: string): void {
  const copy = ours.get(key);
  if (copy) view.set(key, copy);
  else view.delete(key);
}

function problemOf(error: unknown, name: string): Problem {
  if (isProblemError(error)) return error.problem;
  const message = error instanceof Error ? error.message : String(error);
  return problem('RUNTIME_UNAVAILABLE', `the engine of ${name} failed: ${message}`, { disposition: 'retry' });
}
