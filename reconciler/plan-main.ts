/** `oakctl plan --offline`: descriptors and a snapshot in, a plan out. No reconciler, no connection, no clock. */
import type { PlanRequest } from '../schemas/api.ts';
import { parseSnapshot } from '../schemas/cluster-snapshot.ts';
import { ProblemError } from '../schemas/problem.ts';
import type { PlanView } from '../schemas/views.ts';
import { planOf } from './dry-run.ts';
import { restorePlanning, type SavedPlanning } from './saved-planning.ts';

export interface OfflinePlan {
  readonly plan: PlanView;
  readonly cluster: string;
  readonly fingerprint: string;
  /** ms since 1970: when the snapshot was taken. */
  readonly taken: number;
}

/**
 * The plan that the reconciler would have made when it wrote the snapshot. `file`: for messages; `cluster`: the one that it must be
 * of. SNAPSHOT_INVALID, and the problems of a dry run.
 */
export function planOffline(
  snapshot: { readonly file: string; readonly text: string; readonly cluster?: string },
  request: PlanRequest,
): OfflinePlan {
  const saved = parseSnapshot<SavedPlanning>(snapshot.text, snapshot.file, snapshot.cluster);
  if (!saved.ok) throw new ProblemError(saved.problem);
  const { cluster, fingerprint, taken } = saved.value;
  return { plan: planOf(restorePlanning(saved.value), request), cluster, fingerprint, taken };
}
