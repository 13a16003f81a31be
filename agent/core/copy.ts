/** Copies as runtimes know them. Types of the runtime port live here, because decisions read them and core imports nothing else. */
import type { CopyId, InstanceName } from '../../schemas/names.ts';
import type { RunSpec, RuntimeName } from '../../schemas/spec.ts';

/** Key of a copy on this node. */
export interface CopyKey {
  readonly instance: InstanceName;
  readonly copy: CopyId;
}

/** What the last check of an unhealthy copy came to: an exit code, no end within its timeout, or no start. */
export type FailedCheck = number | 'timed_out' | 'not_started';

/** A copy as the runtime has it. Only what carries our labels for this cluster and node. */
export interface ActualCopy extends CopyKey {
  readonly runtime: RuntimeName;
  /** Digest it was created with. */
  readonly digest: string;
  readonly state: 'created' | 'running' | 'exited';
  /** Only with a healthcheck that the runtime itself runs. */
  readonly health?: 'starting' | 'healthy' | 'unhealthy';
  /** With `unhealthy`, where the runtime knows it. */
  readonly failedCheck?: FailedCheck;
  /** Somebody froze it: it holds what it has, and does nothing. */
  readonly paused?: true;
  readonly exitCode?: number;
  /** Container id or pid. */
  readonly handle: string;
  /** ms it has run, or ms since it ended; as the runtime knows it. */
  readonly since?: number;
  readonly addresses: readonly string[];
}

/** What a runtime is to run. */
export interface Runnable extends RunSpec {
  /** The content that its image's tag stood for when this version was accepted, e.g. `sha256:…`. Absent: whatever the tag is. */
  readonly content?: string;
}
