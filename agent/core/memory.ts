/**
 * What the agent remembers about copies beside ledger and engine: crashes, failed tries, what is being done right now. All of
 * it may be lost with the process but what completed (../completed.ts); losing it restarts a back-off, and nothing else.
 */
import type { InstanceName } from '../../schemas/names.ts';
import type { Mono } from '../../schemas/ports.ts';
import type { Problem } from '../../schemas/problem.ts';
import type { CopyStatus } from '../../schemas/status.ts';
import type { ActualCopy, CopyKey, Runnable } from './copy.ts';
import { type Drift, mended, runsAgain, takenDown } from './drift.ts';
import { provenAfter, restartDelay, retryDelay } from './restart.ts';
import type { Step } from './step.ts';

export interface CopyMemory {
  /** Crashes in a row. */
  readonly crashes: number;
  /** Restarts in place since this agent started. */
  readonly restarts: number;
  /** No step for the copy before this moment. */
  readonly notBefore?: Mono;
  /** The last step failed: which, why, and how often in a row. */
  readonly failure?: { readonly step: Step['kind']; readonly problem: Problem; readonly attempts: number };
  /** Since when it is known to run. Absent: not known to run. */
  readonly runningSince?: Mono;
  /** We stopped it, or are about to: its end is no crash, and says nothing about its success. */
  readonly stopAsked?: true;
  /** It was stopped for lack of contact, and did not start since. */
  readonly outOfReach?: true;
  readonly lastExit?: number;
  /** Status last reported, and when it was reached. */
  readonly status?: { readonly value: CopyStatus; readonly since: Mono };
  /** Something of it was killed for want of memory; forgotten when it starts. */
  readonly oom?: true;
  /** When somebody else sent it a signal; forgotten when it starts or ends. */
  readonly signalled?: Mono;
  /** What people did to it last, past this agent. */
  readonly drift?: Drift;
  /** Stop grace in ms, for copies that left the ledger. */
  readonly grace?: number;
}

/** `hold`: it is not started, and goes on if it runs. `stop`: it must not run. */
export type Limit = 'hold' | 'stop';

export interface Memory {
  /** By {@link keyText}. */
  readonly copies: ReadonlyMap<string, CopyMemory>;
  /** Steps that are being carried out, by {@link keyText}. */
  readonly busy: ReadonlyMap<string, Step>;
  /** Instances whose last step has an unknown outcome: look at the engine before the next one. */
  readonly stale: ReadonlySet<InstanceName>;
  /** Images that were there a moment ago ({@link imageKey}), and until when that is believed. */
  readonly images: ReadonlyMap<string, Mono>;
  /** Copies that may not do what their job says, for lack of contact with the reconciler, by {@link keyText}. */
  readonly limits: ReadonlyMap<string, Limit>;
  /** The node's owner wants what people do to copies there left as it is. Absent: it is healed. */
  readonly keepsDrift?: boolean;
}

/** What the agent knows about a copy that it never touched. */
export const blankMemory: CopyMemory = { crashes: 0, restarts: 0 };

/** A copy as a map key. */
export function keyText(key: CopyKey): string {
  return `${key.instance}/${key.copy}`;
}

/** The copy of such a key. */
export function keyOf(text: string): CopyKey {
  const at = text.lastIndexOf('/');
  return { instance: text.slice(0, at), copy: text.slice(at + 1) };
}

/** An image (or program) of a runtime as a map key. */
export function imageKey(runtime: string, { code, content }: Pick<Runnable, 'code' | 'content'>): string {
  return content === undefined ? `${runtime} ${code}` : `${runtime} ${code} ${content}`;
}

/** The memory after a look at the engine, where `before` was. `found` undefined: the copy is not there. */
export function observed(
  known: CopyMemory,
  found: ActualCopy | undefined,
  now: Mono,
  before?: ActualCopy | undefined,
): CopyMemory {
  const memory = hasStarted(known, found, before) ? startCame(known) : known;
  if (found?.state === 'running') {
    if (memory.runningSince !== undefined) return memory;
    return { ...memory, runningSince: (now - (found.since ?? 0)) as Mono };
  }
  if (memory.runningSince === undefined) return memory;
  const { runningSince, stopAsked, lastExit: _exit, ...rest } = memory;
  const exit = found?.exitCode === undefined ? {} : { lastExit: found.exitCode };
  if (stopAsked) return { ...rest, ...exit, stopAsked };
  // Somebody wanted it to end: that is no crash.
  if (takenDown(rest)) return { ...rest, ...exit };
  const crashes = (now - runningSince >= provenAfter ? 0 : memory.crashes) + 1;
  return { ...rest, ...exit, crashes, notBefore: (now + restartDelay(crashes)) as Mono };
}

/** Did a start come right that was taken for failed? An engine may do it after its caller left. */
function hasStarted({ failure }: CopyMemory, found: ActualCopy | undefined, before: ActualCopy | undefined): boolean {
  if (failure?.step !== 'start') return false;
  return found?.state === 'running' || (found?.state === 'exited' && before?.state === 'created');
}

/** It was started: what was true of it before that is over. */
function startCame(memory: CopyMemory): CopyMemory {
  const { failure: _failure, notBefore: _wait, stopAsked: _asked, ...rest } = memory;
  const { outOfReach: _stopped, signalled: _signal, oom: _oom, ...started } = runsAgain(rest);
  return started;
}

/** The engine stopped answering: what ends meanwhile is not counted as a crash. */
export function lostSight({ runningSince: _since, ...rest }: CopyMemory): CopyMemory {
  return rest;
}

/** A step is about to be carried out. */
export function stepBegins(memory: CopyMemory, step: Step): CopyMemory {
  if (step.kind !== 'stop' && step.kind !== 'remove') return memory;
  const outOfReach = step.kind === 'stop' && step.outOfReach;
  return { ...memory, stopAsked: true, ...(outOfReach && { outOfReach }) };
}

/** A step succeeded. A failure is forgotten once it got further: a copy that cannot be created does not pull in a circle. */
export function stepDone(memory: CopyMemory, step: Step, now: Mono): CopyMemory {
  if (step.kind === 'prepare') return memory;
  const { failure: _failure, notBefore: _notBefore, runningSince: _since, stopAsked, ...rest } = memory;
  if (step.kind === 'create') return { ...memory, crashes: 0 };
  // What was changed by hand goes with the container that has it.
  if (step.kind === 'remove' && rest.drift?.kind === 'changed') return { ...mended(rest), stopAsked: true };
  if (step.kind !== 'start') return stopAsked ? { ...rest, stopAsked } : rest;
  const again = memory.crashes > 0 && !stopAsked ? 1 : 0;
  return { ...startCame(rest), restarts: memory.restarts + again, runningSince: now };
}

/** A step failed: the next try waits for its back-off. */
export function stepFailed(
  memory: CopyMemory,
  step: Step['kind'],
  problem: Problem,
  now: Mono,
  jitter: number,
): CopyMemory {
  const attempts = (memory.failure?.attempts ?? 0) + 1;
  return { ...memory, failure: { step, problem, attempts }, notBefore: (now + retryDelay(attempts, jitter)) as Mono };
}

/** What is wanted of the copy changed: old failures do not delay the new wish. */
export function forgiven({ notBefore: _wait, failure: _failure, outOfReach: _stop, ...rest }: CopyMemory): CopyMemory {
  return { ...rest, crashes: 0 };
}

/** Images came by another way than a pull: what failed for lack of one is tried now. */
export function imagesCame(memory: CopyMemory): CopyMemory {
  if (!/^(IMAGE|REGISTRY)_/.test(memory.failure?.problem.code ?? '')) return memory;
  const { notBefore: _wait, ...rest } = memory;
  return rest;
}

/** The next moment at which a wait of some copy ends; undefined when none waits. */
export function wakeAt(memory: Memory, now: Mono): Mono | undefined {
  let next: Mono | undefined;
  for (const { notBefore } of memory.copies.values()) {
    if (notBefore !== undefined && notBefore > now && (next === undefined || notBefore < next)) next = notBefore;
  }
  return next;
}
