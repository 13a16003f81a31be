/** What the reconciler has on disk only goes forward. */
import type { Records } from '../../../reconciler/core/records.ts';
import type { RuleDeps } from './rules.ts';

export interface DiskRules {
  saved(records: Records): void;
  /** A process of the reconciler begins. */
  begun(): void;
  /** The last records that somebody was told of as durable. */
  readonly durable: Records | undefined;
}

export function createDiskRules({ witness, facts }: RuleDeps): DiskRules {
  let durable: Records | undefined;
  /** Ordinal -> the node that got it. */
  const ordinals = new Map<number, string>();
  /** Service -> the highest slot number that it ever had, while it is there. */
  const counters = new Map<string, number>();

  let accepted = -1;
  /** The present process has saved something. */
  let hasSaved = true;

  return {
    get durable() {
      return durable;
    },
    begun() {
      hasSaved = false;
    },
    saved(records) {
      const before = durable;
      durable = records;
      const isFirst = !hasSaved;
      hasSaved = true;
      if (before && (isFirst ? records.epoch <= before.epoch : records.epoch < before.epoch))
        witness.broken('I1 epochs grow', `records with epoch ${records.epoch} follow ${before.epoch}`);
      if (before && records.nextOrdinal < before.nextOrdinal)
        witness.broken(
          'ordinals are never reused',
          `next ordinal ${records.nextOrdinal} follows ${before.nextOrdinal}`,
        );
      for (const { id, ordinal } of Object.values(records.nodes)) {
        const owner = ordinals.get(ordinal);
        if (owner !== undefined && owner !== id)
          witness.broken('ordinals are never reused', `ordinal ${ordinal} of ${owner} is given to ${id}`);
        ordinals.set(ordinal, id);
      }
      const commit = facts.commits.indexOf(Object.values(records.sources)[0]?.commit ?? '');
      if (commit < accepted) witness.broken('I12 accepted stays accepted', `commit ${commit} follows ${accepted}`);
      accepted = Math.max(accepted, commit);
      for (const name of counters.keys()) if (!records.direct[name]) counters.delete(name);
      for (const [name, { slots, counter }] of Object.entries(records.direct)) {
        const last = counters.get(name) ?? 0;
        if (counter < last || slots.some((slot) => slot >= counter))
          witness.broken(
            'slots keep their numbers',
            `${name}: slots ${slots.join()} with counter ${counter} after ${last}`,
          );
        counters.set(name, counter);
      }
    },
  };
}
