/**
 * Carries out steps: one call of a runtime each, with a time limit. A newer ledger aborts pulls that it does not want. Other
 * calls are let through: an engine that was asked to start a copy may do so after the caller left, beside the next one.
 */
import type { Part } from '../schemas/assignment.ts';
import { isSameImage } from '../schemas/image-name.ts';
import type { NodePolicy } from '../schemas/policy.ts';
import type { Clock, Mono, Random } from '../schemas/ports.ts';
import { isProblemError, type Problem, ProblemError, problem } from '../schemas/problem.ts';
import type { RuntimeName } from '../schemas/spec.ts';
import { afterStep } from './core/members.ts';
import { imageKey, keyText, stepBegins, stepDone, stepFailed } from './core/memory.ts';
import { hostRefusal, imageRefusal, laterRefusal } from './core/refusal.ts';
import { type Step, stillWanted } from './core/step.ts';
import { withDeadline } from './deadline.ts';
import type { Observer } from './observer.ts';
import type { AgentEvent } from './ports.ts';
import type { Runtime } from './runtimes/runtime.ts';
import { type AgentState, remember } from './state.ts';

/** ms for which an image that was there is believed to be there still. */
const imageTrust = 60_000;
/** Limits in ms. A pull has none here: the runtime gives up when it makes no progress. */
const limits = { create: 60_000, start: 60_000, remove: 60_000 } as const;
/** Beyond the grace of a stop. */
const stopLimit = 20_000;

export interface Executor {
  begin(step: Step): void;
  /** Aborts the pulls that this ledger does not want any more. */
  supersede(ledger: Part): void;
  /** Aborts pulls of these images, which are there now: they begin anew, and are done. */
  imagesCame(names: readonly string[]): void;
}

export interface ExecutorDeps {
  readonly runtimes: ReadonlyMap<RuntimeName, Runtime>;
  readonly observers: ReadonlyMap<RuntimeName, Observer>;
  readonly state: AgentState;
  readonly clock: Clock;
  readonly random: Random;
  /** What the node's owner lets services do on it. */
  readonly policy: NodePolicy;
  trace(event: AgentEvent): void;
  /** A step ended: there may be a next one. */
  changed(): void;
}

/** Everything stops when `signal` aborts; what an engine is doing at that moment it may well finish. */
export function createExecutor(deps: ExecutorDeps, signal: AbortSignal): Executor {
  const { state, clock, trace } = deps;
  const controllers = new Map<string, AbortController>();
  signal.addEventListener('abort', () => {
    for (const controller of controllers.values()) controller.abort(signal.reason);
  });

  const begin = (step: Step): void => {
    const key = keyText(step);
    const observer = deps.observers.get(step.runtime);
    const runtime = deps.runtimes.get(step.runtime);
    if (!runtime || !observer || signal.aborted) return;
    const controller = new AbortController();
    const begun = clock.now().mono;
    controllers.set(key, controller);
    state.busy.set(key, step);
    remember(state, key, (memory) => stepBegins(memory, step));
    if (step.kind !== 'prepare') observer.touched(key);
    const ended = (): void => {
      controllers.delete(key);
      state.busy.delete(key);
      if (step.kind !== 'prepare') observer.touched(key);
    };
    const refused = refusalOf(step, deps.policy);
    const work = refused
      ? Promise.reject(new ProblemError(refused))
      : carryOut(runtime, step, clock, controller.signal);
    work.then(
      () => {
        ended();
        succeeded(step, observer, begun);
        deps.changed();
      },
      (error: unknown) => {
        ended();
        if (signal.aborted) return;
        if (controller.signal.aborted) trace({ kind: 'step_aborted', step });
        else failed(step, error);
        if (step.kind !== 'prepare') {
          observer.doubt(step.instance);
          observer.look('now');
        }
        deps.changed();
      },
    );
  };

  const succeeded = (step: Step, observer: Observer, begun: Mono): void => {
    const key = keyText(step);
    const now = clock.now().mono;
    const copies = state.actual.get(step.runtime);
    if (copies !== undefined && copies !== 'unknown') afterStep(copies, step);
    remember(state, key, (memory) => stepDone(memory, step, now));
    if (step.kind === 'prepare') state.images.set(imageKey(step.runtime, step.run), (now + imageTrust) as Mono);
    else observer.look('lazy');
    trace({ kind: 'step_done', step, ms: now - begun });
  };

  const failed = (step: Step, error: unknown): void => {
    const found = problemOf(step, error);
    trace({ kind: 'step_failed', step, problem: found, ...(isProblemError(error) ? {} : { bug: error }) });
    const believed = step.kind === 'create' && state.images.delete(imageKey(step.runtime, step.run));
    // The image was removed since we saw it: no failure of the copy, it is fetched again.
    if (believed && found.code === 'IMAGE_NOT_FOUND') return;
    const now = clock.now().mono;
    remember(state, keyText(step), (memory) => stepFailed(memory, step.kind, found, now, deps.random.number()));
  };

  return {
    begin,
    supersede(ledger) {
      for (const [key, step] of state.busy) {
        if (step.kind === 'prepare' && !stillWanted(step, ledger))
          controllers.get(key)?.abort(new DOMException('superseded', 'AbortError'));
      }
    },
    imagesCame(names) {
      for (const [key, step] of state.busy) {
        if (step.kind === 'prepare' && names.some((name) => isSameImage(name, step.run.code)))
          controllers.get(key)?.abort(new DOMException('it is there', 'AbortError'));
      }
    },
  };
}

/** Nothing is even fetched for a copy that may not run here, whoever sent it. */
function refusalOf(step: Step, { grants, accepts }: NodePolicy): Problem | undefined {
  if (!('run' in step)) return undefined;
  const { instance, run } = step;
  // What is there already was made by somebody who knew how, and of what was allowed then.
  const unmade =
    step.kind === 'start' ? undefined : (laterRefusal(instance, run) ?? imageRefusal(instance, run, accepts));
  return unmade ?? hostRefusal(instance, run, grants);
}

async function carryOut(runtime: Runtime, step: Step, clock: Clock, signal: AbortSignal): Promise<void> {
  const what = `${step.kind} of ${step.instance}.${step.copy}`;
  const limited = (ms: number, work: (inner: AbortSignal) => Promise<void>): Promise<void> =>
    withDeadline(clock, ms, what, work, signal);
  switch (step.kind) {
    case 'prepare':
      return untilAborted(runtime.prepare(step.run, signal), signal);
    case 'create':
      return limited(limits.create, (inner) => runtime.create(step, inner));
    case 'start':
      return limited(limits.start, (inner) => runtime.start(step, inner));
    case 'stop':
      return limited(step.grace + stopLimit, (inner) => runtime.stop(step, step.grace, inner));
    case 'remove':
      return limited(limits.remove, (inner) => runtime.remove(step, inner));
  }
}

/** Does not wait for a pull that ignores its signal. */
function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', aborted, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
  });
}

function problemOf(step: Step, error: unknown): Problem {
  if (isProblemError(error)) return error.problem;
  const message = error instanceof Error ? error.message : String(error);
  return problem('START_FAILED', `${step.kind} failed: ${message}`, { subject: step.instance });
}
