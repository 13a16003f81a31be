/** Copies from before a delete go whenever they appear, also when the service was deployed again since. */
import { type CopyId, compareCopyIds } from '../../schemas/names.ts';
import type { Seen, seeCopies } from './classify.ts';

type Copies = ReturnType<typeof seeCopies>;

/** Splits the copies by the tombstone of their service, if it has one. */
export function bury(
  copies: Copies,
  tombstone: CopyId | undefined,
): { readonly living: Copies; readonly buried: readonly Seen[] } {
  if (tombstone === undefined) return { living: copies, buried: [] };
  const isBuried = ({ copy }: Seen): boolean => compareCopyIds(copy.copy, tombstone) <= 0;
  return {
    living: { ...copies, seen: copies.seen.filter((one) => !isBuried(one)) },
    buried: copies.seen.filter(isBuried),
  };
}
