/** What one agent knows right now: a value owned by its loop. What cannot be learned again is on disk, too. */
import type { InstanceName } from '../schemas/names.ts';
import type { Mono } from '../schemas/ports.ts';
import type { RuntimeName } from '../schemas/spec.ts';
import type { ActualCopy } from './core/copy.ts';
import { blankMemory, type CopyMemory, type Limit } from './core/memory.ts';
import type { Step } from './core/step.ts';
import type { RuntimeInfo } from './runtimes/runtime.ts';

/** A core `Memory` and a core `Actual`, writable. */
export interface AgentState {
  readonly actual: Map<RuntimeName, Map<string, ActualCopy> | 'unknown'>;
  readonly copies: Map<string, CopyMemory>;
  readonly busy: Map<string, Step>;
  readonly stale: Set<InstanceName>;
  readonly images: Map<string, Mono>;
  limits: ReadonlyMap<string, Limit>;
  readonly keepsDrift: boolean;
  /** Runtimes that answered at least once. */
  readonly runtimes: Map<RuntimeName, RuntimeInfo>;
  /** What keeps the agent from its work, by subject. */
  readonly problems: Map<string, { readonly code: string; readonly message: string }>;
}

export function createState(runtimes: readonly RuntimeName[], keepsDrift = false): AgentState {
  return {
    actual: new Map(runtimes.map((name) => [name, 'unknown'])),
    copies: new Map(),
    busy: new Map(),
    stale: new Set(),
    images: new Map(),
    limits: new Map(),
    keepsDrift,
    runtimes: new Map(),
    problems: new Map(),
  };
}

/** Changes what is remembered of one copy. */
export function remember(state: AgentState, key: string, change: (memory: CopyMemory) => CopyMemory): void {
  state.copies.set(key, change(state.copies.get(key) ?? blankMemory));
}
