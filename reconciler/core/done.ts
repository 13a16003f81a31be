/**
 * What runs once and came to its end, on record: its container, its node and what its agent knew may be gone by now, and it is not
 * done again for that. Pure.
 */
import { type CopyId, compareCopyIds, type NodeId, type ServiceName } from '../../schemas/names.ts';
import type { Copy, Desired, Done, Rollout, View } from './model.ts';

/** By slot: the last copy of a service that came to its end, as far as that is on record and was not deleted since. */
export function doneOf(
  { rollouts, tombstones }: Pick<View, 'rollouts' | 'tombstones'>,
  service: ServiceName,
): ReadonlyMap<number, Done> {
  const known = rollouts.get(service)?.done;
  if (!known) return none;
  const tombstone = tombstones.get(service);
  const isLater = ({ copy }: Done): boolean => tombstone === undefined || compareCopyIds(copy, tombstone) > 0;
  return new Map(Object.entries(known).flatMap(([slot, done]) => (isLater(done) ? [[Number(slot), done]] : [])));
}

const none: ReadonlyMap<number, Done> = new Map();

export function isCompleted({ report }: Pick<Copy, 'report'>): boolean {
  return report?.status === 'completed';
}

/** What a copy that is completed did. */
export function endOf({ copy, node }: Pick<Copy, 'copy' | 'node'>, digest = ''): Done {
  return { copy, digest, node };
}

/**
 * Rollouts with what came to its end on this node. For a node that goes before the planner looked: it looks at nothing as long as the
 * disk refuses records.
 */
export function withEndsOn(
  { copiesOn, desired, rollouts }: Pick<View, 'copiesOn' | 'desired' | 'rollouts'>,
  node: NodeId,
): ReadonlyMap<ServiceName, Rollout> {
  const found = new Map<ServiceName, Rollout>();
  for (const copy of copiesOn.get(node)?.values() ?? []) {
    const { service, slot, job, report } = copy;
    const { spec, source } = desired.get(service) ?? {};
    const rollout = found.get(service) ?? rollouts.get(service);
    if (!rollout || !source || !spec?.run.one_shot || spec.schedule || !isCompleted(copy)) continue;
    const known = rollout.done?.[slot];
    const end = endOf(copy, job?.digest ?? report?.digest);
    if (known && lastOf([known, end]) === known) continue;
    found.set(service, { ...rollout, done: { ...rollout.done, [slot]: end }, source: source.name });
  }
  return found;
}

/** The newest of them: who asks for a version before it asks for it anew. */
export function lastOf(ends: readonly Done[]): Done | undefined {
  return ends.reduce<Done | undefined>(
    (last, end) => (last && compareCopyIds(last.copy, end.copy) >= 0 ? last : end),
    undefined,
  );
}

/** What is asked for of a slot: this version, on this node if it belongs to one, by a copy after this one. */
export interface Asked {
  readonly digest: string;
  readonly place?: NodeId | undefined;
  readonly after?: CopyId | undefined;
}

/** Is this what is asked for? */
export function isAnswer({ copy, digest, node }: Done, asked: Asked): boolean {
  if (digest !== asked.digest || (asked.place !== undefined && node !== asked.place)) return false;
  return asked.after === undefined || compareCopyIds(copy, asked.after) > 0;
}

/** The rollout with what its slots did, and who asks for it. Of what does not run once nothing is kept. */
export function withDone(
  rollout: Rollout,
  slots: readonly { readonly slot: number; readonly finished?: Done }[],
  { spec, source }: Pick<Desired, 'spec' | 'source'>,
): Rollout {
  const { one_shot } = spec.run;
  if (!one_shot && !rollout.done) return rollout;
  const { done: before = {}, source: asked, ...rest } = rollout;
  const done = one_shot ? slots.flatMap(({ slot, finished }) => (finished ? [[slot, finished] as const] : [])) : [];
  if (done.length === 0) return rest;
  const isSame =
    done.length === Object.keys(before).length && done.every(([slot, { copy }]) => before[slot]?.copy === copy);
  return isSame && asked === source.name ? rollout : { ...rest, done: Object.fromEntries(done), source: source.name };
}
