/** Copies from before a delete go whenever they appear, also when the service was deployed again since. */
import { type CopyId, compareCopyIds } from '../../schemas/names.ts';
import type { Seen, Sight } from './classify.ts';
import type { Copy } from './model.ts';

/** Splits the copies by the tombstone of their service, if it has one. */
export function bury(
  copies: Sight,
  tombstone: CopyId | undefined,
): { readonly living: Sight; readonly buried: readonly Seen[] } {
  if (tombstone === undefined) return { living: copies, buried: [] };
  const isBuried = ({ copy }: Copy): boolean => compareCopyIds(copy, tombstone) <= 0;
  return {
    living: {
      ...copies,
      seen: copies.seen.filter(({ copy }) => !isBuried(copy)),
      ended: copies.ended.filter((copy) => !isBuried(copy)),
    },
    buried: copies.seen.filter(({ copy }) => isBuried(copy)),
  };
}
