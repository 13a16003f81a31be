import { emptyRecords } from '../../reconciler/core/records.ts';
import { openRecords, type RecordsKeeper } from '../../reconciler/records-keeper.ts';

/** Records in memory, and how often they change. */
export async function countedRecords(): Promise<{ readonly keeper: RecordsKeeper; readonly changes: () => number }> {
  const keeper = await openRecords({ load: () => Promise.resolve(emptyRecords), save: () => Promise.resolve() });
  let changes = 0;
  const counting: RecordsKeeper = {
    get now() {
      return keeper.now;
    },
    get trouble() {
      return keeper.trouble;
    },
    saved: () => keeper.saved(),
    change(members) {
      changes += 1;
      keeper.change(members);
    },
  };
  return { keeper: counting, changes: () => changes };
}
