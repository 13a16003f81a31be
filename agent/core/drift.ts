/** What people do to a copy on its node, past its agent. Pure. */
import type { Mono } from '../../schemas/ports.ts';
import type { DriftKind } from '../../schemas/status.ts';
import type { ActualCopy } from './copy.ts';
import type { CopyMemory } from './memory.ts';

/** The last one of a copy. `stopped`: by a signal that was not ours; `changed`: it is not as it was created. */
export interface Drift {
  readonly kind: DriftKind;
  /** What changed, for people. */
  readonly what?: string;
  readonly at: Mono;
  /** The copy is as wanted again, whoever made it so. */
  readonly healed?: true;
  /** Its engine was silent since: nothing is done to what runs before it was compared once more. */
  readonly unsure?: true;
}

/** ms after which an end has nothing to do any more with a signal: many are no request to stop. */
const signalCounts = 60_000;

/** Is there a drift that nobody mended yet? */
export function drifted({ drift }: CopyMemory): Drift | undefined {
  return drift && !drift.healed ? drift : undefined;
}

/** Did somebody stop or remove it, and nobody mended that yet? */
export function takenDown(memory: CopyMemory): Drift | undefined {
  const drift = drifted(memory);
  return drift?.kind === 'changed' ? undefined : drift;
}

/**
 * The memory after a look at the engine that shows `found` where `before` was: it is gone and we did not remove it, or it ended after
 * somebody's signal. What we stopped or removed ourselves is no drift.
 */
export function looked(
  memory: CopyMemory,
  before: ActualCopy | undefined,
  found: ActualCopy | undefined,
  now: Mono,
): CopyMemory {
  if (memory.stopAsked || !before) return memory;
  // What came to its end is not needed any more.
  if (!found) return memory.status?.value === 'completed' ? memory : { ...memory, drift: { kind: 'removed', at: now } };
  if (before.state !== 'running' && found.state === 'running') return runsAgain(memory);
  const { signalled, ...rest } = memory;
  if (signalled === undefined || before.state !== 'running' || found.state !== 'exited') return memory;
  return now - signalled > signalCounts ? rest : { ...rest, drift: { kind: 'stopped', at: now } };
}

/**
 * The memory after its options were compared with what it was created with. `differences`: for people; none: it is as it was. `keeps`:
 * what is down stays so, and is not taken for a copy that runs with other options.
 */
export function compared(memory: CopyMemory, differences: readonly string[], now: Mono, keeps: boolean): CopyMemory {
  if (keeps && takenDown(memory)) return memory;
  const known = drifted(memory);
  if (differences.length === 0) return known?.kind === 'changed' ? mended(memory) : memory;
  const what = differences.join(', ');
  const isKnown = known?.kind === 'changed' && known.what === what;
  if (isKnown && !known.unsure) return memory;
  return { ...memory, drift: { kind: 'changed', what, at: isKnown ? known.at : now } };
}

/**
 * An engine that goes down stops what it has by the same signals as people: when it is back, nobody is taken to have stopped anything. What
 * was changed may have been changed back.
 */
export function restarted(memory: CopyMemory): CopyMemory {
  const { signalled: _signal, drift, ...rest } = memory;
  const open = drifted(memory);
  if (!drift || open?.kind === 'stopped') return rest;
  return { ...rest, drift: open?.kind === 'changed' ? { ...open, unsure: true } : drift };
}

/** It was started, by whomever: what was changed by hand is so all the same. */
export function runsAgain(memory: CopyMemory): CopyMemory {
  return takenDown(memory) ? mended(memory) : memory;
}

/** Something else is wanted of it than before: that people ended it, or took it away, is as if we had. */
export function overtaken(memory: CopyMemory): CopyMemory {
  return takenDown(memory) ? { ...mended(memory), stopAsked: true } : memory;
}

/** It is as wanted again. */
export function mended(memory: CopyMemory): CopyMemory {
  return memory.drift ? { ...memory, drift: { ...memory.drift, healed: true } } : memory;
}
