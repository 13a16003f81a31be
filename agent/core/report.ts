/** What the agent says about its copies: pure, from ledger, engine and memory. */
import type { Part } from '../../schemas/assignment.ts';
import { formatDuration } from '../../schemas/duration.ts';
import type { CopyReport } from '../../schemas/messages.ts';
import type { Now } from '../../schemas/ports.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import type { CopyStatus } from '../../schemas/status.ts';
import { isLeft } from './converge.ts';
import type { ActualCopy, FailedCheck } from './copy.ts';
import type { Drift } from './drift.ts';
import { type Actual, type Member, membersOf } from './members.ts';
import { blankMemory, type CopyMemory, keyText, type Memory } from './memory.ts';
import { crashLoopFrom, endingOf, runsOnce } from './restart.ts';
import type { Step } from './step.ts';
import { fitting, wireText } from './wire-text.ts';

type Reason = NonNullable<CopyReport['reason']>;

export interface Judgement {
  readonly status: CopyStatus;
  readonly reason?: Reason;
}

/** Every copy of the ledger, and every own copy that is still there without being in it. Sorted by the ledger. */
export function report(ledger: Part, actual: Actual, memory: Memory, now: Now): CopyReport[] {
  const members = [...membersOf(ledger, actual).values()].flat();
  const copies = members.flatMap((member) => {
    const copy = memory.copies.get(keyText(member)) ?? blankMemory;
    const digest = member.job?.digest ?? member.found?.digest;
    return digest === undefined ? [] : [reportOf(member, digest, copy, memory, now)];
  });
  return fitting(copies);
}

function reportOf(member: Member, digest: string, copy: CopyMemory, memory: Memory, now: Now): CopyReport {
  const limited = memory.limits.has(keyText(member)) ? lackOf(member) : leftOf(member, copy, memory);
  const { status, reason } = judge(member, copy, memory.busy.get(keyText(member)), limited);
  const { found } = member;
  const exitCode = found?.state === 'exited' ? found.exitCode : undefined;
  return {
    instance: member.instance,
    copy: member.copy,
    digest,
    status,
    want: member.job?.want ?? (member.ahead ? 'run' : 'stopped'),
    age: ageOf(status, member, copy, now),
    restarts: copy.restarts,
    ...(member.job?.want === 'run' && copy.drift && { drift: driftOf(copy.drift, now) }),
    ...(reason && { reason: { code: reason.code, message: wireText(reason.message, 2048) } }),
    ...(exitCode !== undefined && { exit_code: exitCode }),
    ...(found?.state === 'running' && found.addresses.length > 0 && { addresses: found.addresses.slice(0, 64) }),
    ...(found?.handle && { handle: found.handle.slice(0, 128) }),
  };
}

function driftOf({ kind, what, at, healed }: Drift, now: Now): NonNullable<CopyReport['drift']> {
  const age = Math.max(0, Math.round(now.mono - at));
  return { kind, ...(what !== undefined && { what: wireText(what, 512) }), age, ...(healed && { healed }) };
}

/** Why a copy that somebody stopped or removed by hand is left so. */
function leftOf(member: Member, { drift }: CopyMemory, memory: Memory): Reason | undefined {
  if (member.job?.want !== 'run' || !isLeft(member, memory)) return undefined;
  const message = `somebody else ${drift?.kind} it on its node, whose policy keeps that`;
  return { code: 'DRIFT_KEPT', message };
}

/** ms since the status was reached. A copy that was adopted while running is as old as its runtime says. */
function ageOf(status: CopyStatus, member: Member, copy: CopyMemory, now: Now): number {
  if (copy.status?.value === status) return Math.max(0, Math.round(now.mono - copy.status.since));
  if (copy.status === undefined && member.found?.since !== undefined && isSteady(status)) {
    return Math.max(0, Math.round(member.found.since));
  }
  return 0;
}

function isSteady(status: CopyStatus): boolean {
  return status === 'running' || status === 'completed';
}

/**
 * The status of one copy, with its reason where there is something to say. `step` is what is being done to it; `limited`: why it may
 * not run, or not start, although it is wanted.
 */
export function judge(member: Member, copy: CopyMemory, step: Step | undefined, limited?: Reason): Judgement {
  if (member.engine === 'missing') return { status: 'failed', reason: missingRuntime(member) };
  if (member.engine === 'unknown') {
    // What came to its end does not begin again by itself: whoever needs no second run of it should not get one.
    if (member.job?.want === 'run' && copy.status?.value === 'completed') return { status: 'completed' };
    return { status: 'unknown', reason: silentEngine(member) };
  }
  if (step?.kind === 'prepare') return { status: 'pulling', ...reasonOf(copy) };
  if (!member.job)
    return member.ahead && member.found ? running(member.found, member.run) : { status: 'stopping', ...reasonOf(copy) };
  if (isInterrupted(member, copy)) return { status: 'failed', reason: interrupted };
  const isReady = member.found?.digest === member.job.digest && member.found.state !== 'running';
  if (limited && isReady && step?.kind !== 'start') return { status: 'prepared', reason: limited };
  if (limited?.code === 'DRIFT_KEPT') return { status: 'waiting', reason: limited };
  if (member.job.want === 'run') return wantedRunning(member, copy, step);
  // What is being started will run for a moment, whatever is wanted by now: others wait for the end of that.
  if (member.found?.state === 'running' || step?.kind === 'start') return { status: 'stopping', ...reasonOf(copy) };
  if (member.job.want === 'stopped') return { status: 'stopped' };
  return member.found ? { status: 'prepared' } : { status: copy.failure ? 'failed' : 'waiting', ...reasonOf(copy) };
}

/** Stopped in the middle for lack of contact, and it runs only once. */
function isInterrupted({ job, run, found }: Member, { outOfReach }: CopyMemory): boolean {
  return outOfReach === true && job?.want === 'run' && found?.state === 'exited' && run !== undefined && runsOnce(run);
}

const interrupted: Reason = {
  code: 'OUT_OF_REACH',
  message: 'it was stopped for lack of contact with the reconciler; it runs once, and is not started again',
};

function lackOf({ job }: Member): Reason {
  return job?.away?.exclusive
    ? { code: 'LEASE_WAITING', message: 'it is exclusive, and runs as soon as it gets its lease' }
    : { code: 'OUT_OF_REACH', message: 'it was stopped for lack of contact with the reconciler, and starts again' };
}

function wantedRunning(member: Member, copy: CopyMemory, step: Step | undefined): Judgement {
  const { found, run } = member;
  if (step?.kind === 'stop' || step?.kind === 'remove') return { status: 'stopping' };
  if (found && found.digest !== member.job?.digest) return { status: 'waiting' };
  if (found?.state === 'running') return running(found, run);
  if (copy.failure) return { status: 'failed', ...reasonOf(copy) };
  if (step?.kind === 'start') return { status: 'starting' };
  if (found?.state === 'created') return { status: 'prepared' };
  if (!found && copy.status?.value === 'completed') return { status: 'completed' };
  if (!found || !run || copy.stopAsked) return { status: 'waiting' };
  switch (endingOf(run, found.exitCode)) {
    case 'completed':
      return { status: 'completed' };
    case 'ended':
      return {
        status: 'failed',
        reason: { code: 'START_FAILED', message: `${exitText(found, run, copy)}; it is not restarted` },
      };
    case 'restart':
      return restarting(found, run, copy);
  }
}

function running({ state, health, failedCheck }: ActualCopy, run: RunSpec | undefined): Judgement {
  if (state !== 'running') return { status: state === 'created' ? 'prepared' : 'stopped' };
  if (health === 'starting') return { status: 'starting' };
  if (health !== 'unhealthy') return { status: 'running' };
  const message = failedText(failedCheck, run?.healthcheck?.timeout);
  return { status: 'unhealthy', reason: { code: 'UNHEALTHY', message } };
}

function failedText(check: FailedCheck | undefined, timeout: number | undefined): string {
  switch (check) {
    case undefined:
      return 'its healthcheck fails';
    case 'timed_out':
      return `its healthcheck did not end within its timeout${timeout ? ` of ${formatDuration(timeout)}` : ''}`;
    case 'not_started':
      return 'its healthcheck cannot be started: the command is not there, or is no program';
    default:
      return `its healthcheck fails (exit code ${check})`;
  }
}

function restarting(found: ActualCopy, run: RunSpec, copy: CopyMemory): Judgement {
  const { crashes } = copy;
  if (crashes === 0) return { status: 'waiting' };
  const message = `${exitText(found, run, copy)}, ${crashes} ${crashes === 1 ? 'time' : 'times'} in a row`;
  return { status: crashes >= crashLoopFrom ? 'crash_loop' : 'backing_off', reason: { code: 'CRASH_LOOP', message } };
}

/** 128 and the number of SIGKILL. */
const killed = 137;

function exitText({ exitCode }: ActualCopy, { limits }: RunSpec, { oom }: CopyMemory): string {
  const whose = limits?.memory ? `its limit is ${limits.memory} MB` : 'the node had none left';
  if (oom && exitCode === killed) return `it was killed for want of memory (exit code ${exitCode}; ${whose})`;
  return exitCode === undefined ? 'it ended' : `it ended with exit code ${exitCode}`;
}

function reasonOf({ failure }: CopyMemory): { reason?: Reason } {
  return failure ? { reason: { code: failure.problem.code, message: failure.problem.message } } : {};
}

function missingRuntime({ runtime }: Member): Reason {
  return runtime === 'process'
    ? { code: 'PROCESS_NOT_ALLOWED', message: "this node's agent.yaml does not allow processes" }
    : { code: 'RUNTIME_UNAVAILABLE', message: `this node has no runtime ${runtime}` };
}

function silentEngine({ runtime }: Member): Reason {
  return { code: 'RUNTIME_UNAVAILABLE', message: `the engine of runtime ${runtime} does not answer` };
}
