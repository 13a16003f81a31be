/** Versions of both ends. */

import { isProblemError } from '../../schemas/problem.ts';
import { oakctlVersion } from '../../schemas/version.ts';
import type { ClusterStatus } from '../../schemas/views.ts';

export interface Versions {
  readonly client: string;
  readonly node: string;
  /** Absent when no reconciler answers. */
  readonly reconciler?: string;
  readonly cluster?: string;
  /** A sentence when the two differ. */
  readonly skew?: string;
}

/** A reconciler that does not answer is no failure here. */
export async function readVersions(status: () => Promise<ClusterStatus>): Promise<Versions> {
  const own = { client: oakctlVersion, node: process.version };
  try {
    const { version, cluster } = await status();
    const skew = version === oakctlVersion ? {} : { skew: `oakctl is ${oakctlVersion}, the reconciler ${version}.` };
    return { ...own, reconciler: version, cluster, ...skew };
  } catch (error) {
    if (isProblemError(error)) return own;
    throw error;
  }
}

export function renderVersions(versions: Versions): string {
  const reconciler = versions.reconciler ? `${versions.reconciler} (cluster ${versions.cluster})` : 'none answers';
  return `oakctl      ${versions.client} (Node ${versions.node})\nreconciler  ${reconciler}`;
}
