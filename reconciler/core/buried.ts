/** Copies from before a delete go whenever they appear, also when the service was deployed again since. */
import { compareCopyIds, type ServiceName } from '../../schemas/names.ts';
import type { Action } from './action.ts';
import type { Sight } from './classify.ts';
import { drop } from './decide.ts';
import type { Copy, View } from './model.ts';

/** Splits the copies by the tombstone of their service, if it has one; and what takes those from before it off nodes that are there. */
export function bury(
  { tombstones }: Pick<View, 'tombstones'>,
  service: ServiceName,
  copies: Sight,
): { readonly living: Sight; readonly burial: readonly Action[] } {
  const tombstone = tombstones.get(service);
  if (tombstone === undefined) return { living: copies, burial: [] };
  const isBuried = ({ copy }: Copy): boolean => compareCopyIds(copy, tombstone) <= 0;
  return {
    living: {
      ...copies,
      seen: copies.seen.filter(({ copy }) => !isBuried(copy)),
      ended: copies.ended.filter((copy) => !isBuried(copy)),
    },
    burial: copies.seen
      .filter(({ copy, presence }) => isBuried(copy) && presence.state === 'online')
      .map((seen) => drop(service, seen, 'it was deleted before')),
  };
}
