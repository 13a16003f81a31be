/** One transition of one copy: exactly one call of the runtime port. */

import type { Part } from '../../schemas/assignment.ts';
import type { RunSpec, RuntimeName } from '../../schemas/spec.ts';
import type { CopyKey } from './copy.ts';

interface Aim extends CopyKey {
  readonly runtime: RuntimeName;
}

interface BuildingAim extends Aim {
  readonly digest: string;
  readonly run: RunSpec;
}

export type Step =
  | ({ readonly kind: 'prepare' } & BuildingAim)
  | ({ readonly kind: 'create' } & BuildingAim)
  | ({ readonly kind: 'start' } & BuildingAim)
  | ({ readonly kind: 'stop'; readonly grace: number } & Aim)
  | ({ readonly kind: 'remove' } & Aim);

/** Is a step that is under way still in the sense of this (newer) ledger? Otherwise it is aborted. */
export function stillWanted(step: Step, ledger: Part): boolean {
  const job = ledger.jobs.find(
    (one) => one.instance === step.instance && one.copy === step.copy && one.runtime === step.runtime,
  );
  switch (step.kind) {
    case 'prepare':
    case 'create':
      return job !== undefined && job.digest === step.digest && job.want !== 'stopped';
    case 'start':
      return job !== undefined && job.digest === step.digest && job.want === 'run';
    case 'stop':
      return job?.want !== 'run';
    case 'remove':
      return job === undefined;
  }
}
