/** One transition of one copy: exactly one call of the runtime port. */

import type { Part } from '../../schemas/assignment.ts';
import type { Sealed } from '../../schemas/messages.ts';
import type { RuntimeName } from '../../schemas/spec.ts';
import type { CopyKey, Runnable } from './copy.ts';

interface Aim extends CopyKey {
  readonly runtime: RuntimeName;
}

interface BuildingAim extends Aim {
  readonly digest: string;
  readonly run: Runnable;
  /** What the secrets in `run` are, encrypted for this node. */
  readonly sealed?: readonly Sealed[];
}

export type Step =
  | ({ readonly kind: 'prepare' } & BuildingAim)
  | ({ readonly kind: 'create' } & BuildingAim)
  | ({ readonly kind: 'start' } & BuildingAim)
  /** `outOfReach`: it is wanted, and stops for lack of contact. */
  | ({ readonly kind: 'stop'; readonly grace: number; readonly outOfReach?: true } & Aim)
  /** `force`: it runs, and its end is in it. */
  | ({ readonly kind: 'remove'; readonly force?: true } & Aim);

/** Does this (newer) ledger still want the copy for which a pull is under way? */
export function stillWanted(pull: Extract<Step, { kind: 'prepare' }>, ledger: Part): boolean {
  return ledger.jobs.some(
    (job) =>
      job.instance === pull.instance &&
      job.copy === pull.copy &&
      job.runtime === pull.runtime &&
      job.digest === pull.digest &&
      job.want !== 'stopped',
  );
}
