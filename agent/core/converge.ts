/**
 * The agent's decision: from ledger and engine to the next steps. One transition at a time per instance (a pull changes no
 * copy and does not count as one), at most {@link stepsAtOnce} at once, every step idempotent, nothing to do when settled.
 */
import type { Part } from '../../schemas/assignment.ts';
import type { InstanceName } from '../../schemas/names.ts';
import type { Now } from '../../schemas/ports.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import { withVariables } from '../../schemas/variables.ts';
import type { ActualCopy } from './copy.ts';
import { drifted, takenDown } from './drift.ts';
import { type Actual, type Member, membersOf } from './members.ts';
import { blankMemory, imageKey, keyText, type Memory } from './memory.ts';
import { endingOf, runsOnce } from './restart.ts';
import type { Step } from './step.ts';

/** Steps under way at once, on the whole node. */
export const stepsAtOnce = 8;
/** Of these, pulls: a hanging registry must not keep copies from being stopped or restarted. */
export const pullsAtOnce = 6;
/** ms between polite and impolite signal where the run spec says nothing. */
export const defaultGrace = 10_000;

/** Steps to begin now. Pure; engines that do not answer get no step. */
export function converge(ledger: Part, actual: Actual, memory: Memory, now: Now): Step[] {
  const room = stepsAtOnce - memory.busy.size;
  if (room <= 0 && memory.limits.size === 0) return [];
  const moving = new Set<InstanceName>();
  for (const step of memory.busy.values()) if (step.kind !== 'prepare') moving.add(step.instance);
  const candidates: Step[] = [];
  for (const [instance, members] of membersOf(ledger, actual)) {
    if (moving.has(instance) || memory.stale.has(instance)) continue;
    const step = nextStep(members, memory, now);
    if (step) candidates.push(step);
  }
  return withinRoom(candidates, Math.max(0, room), memory);
}

const order: Record<Step['kind'], number> = { stop: 0, start: 1, create: 2, prepare: 3, remove: 4 };
const urgency = (step: Step): number => (step.kind === 'remove' && step.force ? order.stop : order[step.kind]);

/** The most urgent first. One pull per image: who wants the same one waits for it and then finds it there. */
function withinRoom(candidates: Step[], room: number, memory: Memory): Step[] {
  // What may not run must not wait for what hangs.
  const due = candidates.filter((step) => step.kind === 'stop' && memory.limits.get(keyText(step)) === 'stop');
  const pulls = new Set<string>();
  for (const step of memory.busy.values()) if (step.kind === 'prepare') pulls.add(imageOf(step));
  const others = candidates
    .filter((step) => !due.includes(step))
    .sort((a, b) => urgency(a) - urgency(b))
    .filter((step) => {
      if (step.kind !== 'prepare') return true;
      if (pulls.size >= pullsAtOnce || pulls.has(imageOf(step))) return false;
      pulls.add(imageOf(step));
      return true;
    })
    .slice(0, Math.max(0, room - due.length));
  return [...due, ...others];
}

function imageOf(step: Extract<Step, { kind: 'prepare' }>): string {
  return imageKey(step.runtime, step.run);
}

/** Stops, then starts and what leads there, then removals: the first that is due. */
function nextStep(members: readonly Member[], memory: Memory, now: Now): Step | undefined {
  const ready = members.filter((member) => isReady(member, memory, now));
  const stop = ready.find((member) => mayNotRun(member, memory) && isRunning(member));
  if (stop) return endOf(stop, memory);
  const blocked = members.some((member) => mayNotRun(member, memory) && mayRun(member));
  for (const member of ready) {
    const step = forward(member, blocked, memory, now);
    if (step) return step;
  }
  const surplus = ready.find((member) => member.found && isWrong(member, memory) && !isRunning(member));
  return surplus && { kind: 'remove', ...aimOf(surplus) };
}

/** Can be acted on now: known engine, no wait, nothing under way. */
function isReady(member: Member, memory: Memory, now: Now): boolean {
  const notBefore = memory.copies.get(keyText(member))?.notBefore;
  return (
    member.engine === 'known' && !memory.busy.has(keyText(member)) && (notBefore === undefined || notBefore <= now.mono)
  );
}

function isRunning(member: Member): boolean {
  return member.found?.state === 'running';
}

/** It runs, or it may: its engine does not say. */
function mayRun(member: Member): boolean {
  return isRunning(member) || member.engine === 'unknown';
}

/** There is a copy of this key that the ledger does not explain: not in it, of another digest, or changed by hand since. */
function isWrong(member: Member, memory: Pick<Memory, 'copies' | 'keepsDrift'>): boolean {
  return !member.ahead && (!member.job || (member.found !== undefined && isOther(member, member.found, memory)));
}

function isOther({ job }: Member, found: ActualCopy, { copies, keepsDrift }: Pick<Memory, 'copies' | 'keepsDrift'>) {
  if (found.digest !== job?.digest) return true;
  const drift = drifted(copies.get(keyText(found)) ?? blankMemory);
  return !keepsDrift && drift?.kind === 'changed' && !(drift.unsure && found.state === 'running');
}

/** People stopped or removed it, and the node's owner wants that left alone. */
export function isLeft(member: Member, { copies, keepsDrift }: Pick<Memory, 'copies' | 'keepsDrift'>): boolean {
  if (!keepsDrift || isRunning(member)) return false;
  return takenDown(copies.get(keyText(member)) ?? blankMemory) !== undefined;
}

function mayNotRun(member: Member, memory: Memory): boolean {
  const isUnwanted = member.job !== undefined && member.job.want !== 'run';
  return isWrong(member, memory) || isUnwanted || memory.limits.get(keyText(member)) === 'stop';
}

/** The step that brings a wanted copy nearer to `prepared` or `run`. */
function forward(member: Member, blocked: boolean, memory: Memory, now: Now): Step | undefined {
  const { job, run, found } = member;
  if (!job || !run || job.want === 'stopped') return undefined;
  if (isLeft(member, memory)) return undefined;
  if (found && isOther(member, found, memory)) {
    return isRunning(member) ? undefined : { kind: 'remove', ...aimOf(member) };
  }
  // The values of variables are those of the day the copy was placed: a label that changes later restarts nothing.
  const filled = withVariables(run, job.variables);
  const runnable = job.content === undefined ? filled : { ...filled, content: job.content };
  const aim = { ...aimOf(member), digest: job.digest, run: runnable, ...(job.secrets && { sealed: job.secrets }) };
  if (!found) {
    // Who removed what came to its end asked for no second run.
    if (memory.copies.get(keyText(member))?.status?.value === 'completed') return undefined;
    const image = memory.images.get(imageKey(job.runtime, runnable));
    return { kind: image !== undefined && image > now.mono ? 'create' : 'prepare', ...aim };
  }
  if (job.want === 'prepared' || blocked || memory.limits.has(keyText(member))) return undefined;
  if (!isStartable(found, run, memory)) return undefined;
  return { kind: 'start', ...aim };
}

function isStartable(found: ActualCopy, run: RunSpec, memory: Memory): boolean {
  if (found.state !== 'exited') return found.state === 'created';
  const copy = memory.copies.get(keyText(found)) ?? blankMemory;
  const { stopAsked, outOfReach } = copy;
  // What we stopped ourselves did not end by itself, whatever its exit code says.
  if (stopAsked) return !(outOfReach && runsOnce(run));
  // Nor did what somebody else stopped.
  if (drifted(copy)?.kind === 'stopped' && !run.one_shot) return true;
  return endingOf(run, found.exitCode) === 'restart';
}

/** What runs and may not. Who goes for good, and has no time to say goodbye in, is removed by force, in one call of the engine. */
function endOf(member: Member, memory: Memory): Step {
  const grace = member.run?.stop_grace ?? memory.copies.get(keyText(member))?.grace ?? defaultGrace;
  if (grace === 0 && !member.job) return { kind: 'remove', ...aimOf(member), force: true };
  const outOfReach = member.job?.want === 'run' && !isWrong(member, memory);
  return { kind: 'stop', ...aimOf(member), grace, ...(outOfReach && { outOfReach }) };
}

function aimOf({ instance, copy, runtime }: Member): Pick<Member, 'instance' | 'copy' | 'runtime'> {
  return { instance, copy, runtime };
}
