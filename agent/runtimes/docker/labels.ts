/** Who owns a container: what its labels and its name say together. Pure. */
import {
  type CopyId,
  containerNames,
  type InstanceName,
  parseCopyId,
  parseInstanceName,
} from '../../../schemas/names.ts';

/** The labels of every container of ours. Networks carry `cluster` only. */
export const labels = {
  cluster: 'io.oakctl.cluster',
  node: 'io.oakctl.node',
  instance: 'io.oakctl.instance',
  copy: 'io.oakctl.copy',
  digest: 'io.oakctl.digest',
} as const;

/** For whom an agent acts: several agents may share one engine. */
export interface Owner {
  /** Fingerprint of the cluster. */
  readonly cluster: string;
  /** Id of the node. */
  readonly node: string;
}

/** What a container is to us. Strangers are never touched. */
export type Ownership =
  | { readonly kind: 'ours'; readonly instance: InstanceName; readonly copy: CopyId; readonly digest: string }
  | {
      readonly kind: 'stranger';
      readonly why: string;
      /** A cluster with another master key has it. */
      readonly ofOtherCluster?: true;
    };

/** The labels of a new container. */
export function labelsOf(
  owner: Owner,
  copy: { readonly instance: InstanceName; readonly copy: CopyId; readonly digest: string },
): Record<string, string> {
  return {
    [labels.cluster]: owner.cluster,
    [labels.node]: owner.node,
    [labels.instance]: copy.instance,
    [labels.copy]: copy.copy,
    [labels.digest]: copy.digest,
  };
}

/** The engine's filter for what may be ours; {@link ownership} still has to agree. */
export function ownerFilter(owner: Owner): string[] {
  return [`${labels.cluster}=${owner.cluster}`, `${labels.node}=${owner.node}`];
}

/**
 * Ours is what carries all five labels, names this cluster and this node, and has a name that its labels ask for. Whoever
 * copies our labels to a container by hand gets another name, so that it stays a stranger.
 */
export function ownership(
  owner: Owner,
  names: readonly string[],
  found: Readonly<Record<string, string>> | null,
): Ownership {
  const { cluster, node, instance, copy, digest } = readLabels(found ?? {});
  if (!cluster || !node || !instance || !copy || !digest) return { kind: 'stranger', why: 'it lacks our labels' };
  if (cluster !== owner.cluster) {
    return { kind: 'stranger', why: 'it belongs to another cluster', ofOtherCluster: true };
  }
  if (node !== owner.node) return { kind: 'stranger', why: 'it belongs to another node' };
  if (!parseInstanceName(instance) || !parseCopyId(copy)) return { kind: 'stranger', why: 'its labels are malformed' };
  const wanted = containerNames(instance, copy, cluster);
  if (!names.some((found) => wanted.includes(found.replace(/^\//, ''))))
    return { kind: 'stranger', why: `its labels ask for the name ${wanted[0]}, which it does not have` };
  return { kind: 'ours', instance, copy, digest };
}

function readLabels(found: Readonly<Record<string, string>>): Record<keyof typeof labels, string | undefined> {
  return {
    cluster: found[labels.cluster],
    node: found[labels.node],
    instance: found[labels.instance],
    copy: found[labels.copy],
    digest: found[labels.digest],
  };
}
