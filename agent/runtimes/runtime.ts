/**
 * The port that every runtime implements. All calls are idempotent: starting the started and removing the absent succeed.
 * Identity lives in the runtime (labels, folders), so no database is needed to find our copies again.
 * Failures are thrown as ProblemError; RUNTIME_UNAVAILABLE means "unknown", never "dead".
 */
import type { ExecStart, TerminalSize } from '../../schemas/exec.ts';
import type { ArchivedImage, Loaded } from '../../schemas/image-load.ts';
import type { Sealed } from '../../schemas/messages.ts';
import type { RuntimeName } from '../../schemas/spec.ts';
import type { ActualCopy, CopyKey, FailedCheck, Runnable } from '../core/copy.ts';

export type { ActualCopy, CopyKey, FailedCheck, Runnable };

/** A copy as it should be created. */
export interface CopyPlan extends CopyKey {
  readonly digest: string;
  readonly run: Runnable;
  /** What the secrets in `run` are, encrypted for this node. */
  readonly sealed?: readonly Sealed[];
}

export interface RuntimeInfo {
  readonly name: RuntimeName;
  readonly version: string;
}

export interface LogLine {
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

/** Something happened to a copy; look again. Only a hint, streams of engines stop silently. */
export interface RuntimeEvent extends CopyKey {
  /**
   * `signalled`: somebody sent it a signal, maybe we; `changed`: its options are others, or it was paused or goes on; `oom`: something of
   * it was killed for want of memory.
   */
  readonly kind: 'started' | 'ended' | 'health' | 'removed' | 'signalled' | 'changed' | 'oom';
  /**
   * How it ended, where the runtime says so. Such an end is acted upon before `list` shows it: a `start` that comes right then has
   * to wait until the runtime is done with the end.
   */
  readonly exitCode?: number;
}

/** A command that runs inside a copy. */
export interface ExecSession {
  /** With a terminal all of it is `stdout`. Ends when the command closed its output. */
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Uint8Array }>;
  /** Input; resolves when there is room for more. */
  write(data: Uint8Array): Promise<void>;
  /** No more input. */
  end(): void;
  resize(size: TerminalSize): Promise<void>;
  /** The exit code; to be asked for once `output` has ended. */
  exit(): Promise<number>;
}

/** A power that not every runtime has: running a command inside a copy. */
export interface Executor {
  /** NOT_FOUND, or REFUSED when the copy does not run. An abort cuts the session. */
  exec(key: CopyKey, start: ExecStart, signal: AbortSignal): Promise<ExecSession>;
}

export function canExec(runtime: Runtime): runtime is Runtime & Executor {
  return typeof (runtime as Partial<Executor>).exec === 'function';
}

/** A power that only engines have: taking images that come without a registry. */
export interface ImageLoader {
  /**
   * The images, if all of them are here, under all of their names from now on; undefined when one is not. IMAGE_WRONG_ARCHITECTURE,
   * BAD_REQUEST for a name that no image can have.
   */
  ownImages(images: readonly ArchivedImage[], signal: AbortSignal): Promise<Loaded | undefined>;
  /** Takes an archive as `docker save` writes it; one that fails, or an abort, leaves no image. IMAGE_LOAD_FAILED, IMAGE_NO_SPACE. */
  loadImages(archive: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
}

export function canLoad(runtime: Runtime): runtime is Runtime & ImageLoader {
  return typeof (runtime as Partial<ImageLoader>).loadImages === 'function';
}

/** A power of engines whose copies others can change. */
export interface Comparer {
  /** What of a copy is not as this run spec has it, for people; none: nothing, or it is not there. */
  differences(key: CopyKey, run: Runnable, signal: AbortSignal): Promise<readonly string[]>;
}

export function canCompare(runtime: Runtime): runtime is Runtime & Comparer {
  return typeof (runtime as Partial<Comparer>).differences === 'function';
}

export interface Runtime {
  readonly name: RuntimeName;
  /** Answers what is there; throws RUNTIME_UNAVAILABLE when the engine does not answer. */
  probe(signal: AbortSignal): Promise<RuntimeInfo>;
  /** All our copies. */
  list(signal: AbortSignal): Promise<readonly ActualCopy[]>;
  /** Makes sure that the image is there. An image that is present is not pulled. */
  prepare(run: Runnable, signal: AbortSignal): Promise<void>;
  /** Creates without starting. An existing copy of the same key and digest is adopted. NAME_CONFLICT if a stranger holds the name. */
  create(plan: CopyPlan, signal: AbortSignal): Promise<void>;
  /** Starts what was created with this plan. */
  start(plan: CopyPlan, signal: AbortSignal): Promise<void>;
  /** Polite signal, and the impolite one after `grace` ms. */
  stop(key: CopyKey, grace: number, signal: AbortSignal): Promise<void>;
  /** Removes a copy, running or not. Never its volumes. */
  remove(key: CopyKey, signal: AbortSignal): Promise<void>;
  logs(
    key: CopyKey,
    options: { readonly tail?: number; readonly follow?: boolean },
    signal: AbortSignal,
  ): AsyncIterable<LogLine>;
  /** Calls `onEvent` until aborted; reconnects by itself. */
  watch(onEvent: (event: RuntimeEvent) => void, signal: AbortSignal): void;
}
