/** Ids of holds that people approved. One counts once it is on disk: what a guard lets pass cannot be taken back. */
import type { Context } from './context.ts';
import { savedOr } from './records-keeper.ts';

export interface Approvals {
  /** Those that count. */
  now(): readonly string[];
  /** Durable when it resolves. */
  add(ids: readonly string[]): Promise<void>;
}

export function createApprovals({ keeper }: Pick<Context, 'keeper'>): Approvals {
  /** On their way to the disk, one list for each request. */
  const unsaved = new Set<readonly string[]>();
  return {
    now() {
      if (unsaved.size === 0) return keeper.now.approvals;
      const open = new Set([...unsaved].flat());
      return keeper.now.approvals.filter((id) => !open.has(id));
    },
    async add(ids) {
      const fresh = ids.filter((id) => !keeper.now.approvals.includes(id));
      keeper.change({ approvals: [...keeper.now.approvals, ...fresh] });
      unsaved.add(fresh);
      try {
        await savedOr(keeper, () => {
          keeper.change({ approvals: keeper.now.approvals.filter((one) => !ids.includes(one)) });
        });
      } finally {
        unsaved.delete(fresh);
      }
    },
  };
}
