/** Ledger and engine side by side: one member per copy, grouped by instance. */
import type { Part } from '../../schemas/assignment.ts';
import type { Job } from '../../schemas/messages.ts';
import { compareCopyIds, copyId, type InstanceName } from '../../schemas/names.ts';
import type { RunSpec, RuntimeName } from '../../schemas/spec.ts';
import type { ActualCopy, CopyKey } from './copy.ts';
import { keyText } from './memory.ts';
import type { Step } from './step.ts';

/** Copies of one runtime by key text; `unknown` while its engine does not answer. */
export type RuntimeCopies = ReadonlyMap<string, ActualCopy> | 'unknown';

/** What the runtimes of this node have. A runtime that is not in here does not exist on this node. */
export type Actual = ReadonlyMap<RuntimeName, RuntimeCopies>;

export interface Member extends CopyKey {
  readonly runtime: RuntimeName;
  /** What the ledger says; absent: not in the ledger. */
  readonly job?: Job;
  readonly run?: RunSpec;
  /** What the engine has; absent: not there, or not known. */
  readonly found?: ActualCopy;
  /** Can the runtime be asked? */
  readonly engine: 'known' | 'unknown' | 'missing';
  /**
   * Not in the ledger, and made by a control that the ledger has not seen: the ledger on disk is behind (damaged, restored).
   * Such a copy is left alone until an assignment explains it.
   */
  readonly ahead: boolean;
}

/** Members by instance, ledger order first. */
export function membersOf(ledger: Part, actual: Actual): Map<InstanceName, Member[]> {
  const groups = new Map<InstanceName, Member[]>();
  const add = (member: Member): void => {
    const group = groups.get(member.instance);
    if (group) group.push(member);
    else groups.set(member.instance, [member]);
  };
  const explained = new Set<string>();
  for (const job of ledger.jobs) {
    explained.add(`${job.runtime} ${keyText(job)}`);
    add(memberOfJob(job, ledger.documents[job.digest], actual.get(job.runtime)));
  }
  const last = copyId(ledger.fence);
  for (const [runtime, copies] of actual) {
    if (copies === 'unknown') continue;
    for (const [text, found] of copies) {
      if (explained.has(`${runtime} ${text}`)) continue;
      const { instance, copy } = found;
      add({ instance, copy, runtime, found, engine: 'known', ahead: compareCopyIds(copy, last) > 0 });
    }
  }
  return groups;
}

function memberOfJob(job: Job, run: RunSpec | undefined, copies: RuntimeCopies | undefined): Member {
  const engine = copies === undefined ? 'missing' : copies === 'unknown' ? 'unknown' : 'known';
  const found = copies === undefined || copies === 'unknown' ? undefined : copies.get(keyText(job));
  return {
    instance: job.instance,
    copy: job.copy,
    runtime: job.runtime,
    job,
    engine,
    ahead: false,
    ...(run && { run }),
    ...(found && { found }),
  };
}

/** What a step that succeeded makes of the copies of its runtime, until the engine was looked at again. */
export function afterStep(copies: Map<string, ActualCopy>, step: Step): void {
  const text = keyText(step);
  const found = copies.get(text);
  switch (step.kind) {
    case 'prepare':
      return;
    case 'create':
      if (!found) copies.set(text, created(step));
      return;
    case 'start':
      copies.set(text, started(found ?? created(step), step.run));
      return;
    case 'stop':
      if (found) copies.set(text, { ...withoutHealth(found), state: 'exited', since: 0 });
      return;
    case 'remove':
      copies.delete(text);
  }
}

/** What an end that the engine tells of makes of a copy, until the engine's list shows it. */
export function afterEnd(found: ActualCopy, exitCode: number): ActualCopy {
  return { ...withoutHealth(found), state: 'exited', exitCode, since: 0, addresses: [] };
}

type Building = Extract<Step, { kind: 'create' | 'start' }>;

function created({ instance, copy, runtime, digest }: Building): ActualCopy {
  return { instance, copy, runtime, digest, state: 'created', handle: '', addresses: [] };
}

function started(found: ActualCopy, run: RunSpec): ActualCopy {
  const { exitCode: _exit, ...rest } = withoutHealth(found);
  return { ...rest, state: 'running', since: 0, ...(run.healthcheck && { health: 'starting' as const }) };
}

function withoutHealth({ health: _health, ...rest }: ActualCopy): ActualCopy {
  return rest;
}
