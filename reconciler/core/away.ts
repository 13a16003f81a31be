/** What a service says about nodes that are out of reach, as its jobs and records have it. */
import type { Job } from '../../schemas/messages.ts';
import type { InstanceName, NodeId, ServiceName } from '../../schemas/names.ts';
import type { RunSpec, ServiceSpec } from '../../schemas/spec.ts';
import type { View } from './model.ts';
import { hasVolumes } from './volumes.ts';

type Said = Pick<ServiceSpec, 'disconnect' | 'exclusive'>;

/** How its copies depend on contact; undefined: not at all. */
export function awayOf({ disconnect, exclusive }: Said): Job['away'] {
  if (exclusive) return { stop_after: exclusive.lease, exclusive: true };
  return disconnect?.stop_after === undefined ? undefined : { stop_after: disconnect.stop_after };
}

/** As {@link awayOf}, as a member of an action. */
export function optionalAway(spec: Said): { readonly away?: NonNullable<Job['away']> } {
  const away = awayOf(spec);
  return away ? { away } : {};
}

/** What an agent has to know to take its jobs, beside the members of a run spec. */
export function asksOf(spec: Said): readonly string[] {
  return awayOf(spec) ? ['away'] : [];
}

/** Do two jobs depend on contact in the same way? */
export function isSameAway(a: Job['away'], b: Job['away']): boolean {
  return a?.stop_after === b?.stop_after && a?.exclusive === b?.exclusive;
}

/** Has its node to be on record? A reconciler that restarts must not take an instance for missing whose node is only silent. */
export function isPlaced(spec: Said, run: Pick<RunSpec, 'volumes'>): boolean {
  return hasVolumes(run) || spec.disconnect?.replace_after !== undefined;
}

/**
 * Where instances run that are not to be replaced as usual, as far as that is not on record: they were started before that was said,
 * or the copy on another node went. Of what has data, and of what has several copies, the record is the one that counts.
 */
export function unplaced(
  { copies, desired, homes }: Pick<View, 'copies' | 'desired' | 'homes'>,
  service: ServiceName,
): ReadonlyMap<InstanceName, NodeId> {
  const { spec } = desired.get(service) ?? {};
  if (spec?.disconnect?.replace_after === undefined || hasVolumes(spec.run)) return new Map();
  const found = new Map<InstanceName, NodeId | undefined>();
  for (const { instance, node, job, report } of copies.get(service)?.values() ?? []) {
    if (!job) continue;
    const runs = job.want === 'run' && report?.status === 'running' && !found.has(instance);
    found.set(instance, runs ? node : undefined);
  }
  return new Map(
    [...found].flatMap(([instance, node]) =>
      node !== undefined && homes.get(instance) !== node ? [[instance, node] as const] : [],
    ),
  );
}
