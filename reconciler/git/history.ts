/** Whether one commit comes before another, by the parents that commits name: a shallow mirror has few commits, and knows more. */
import type { CommitParents } from './objects.ts';

/** `missing`: the history goes on, and is not there. */
export type Descent = 'descends' | 'apart' | 'missing';

/** Commits that are looked at before we give up. */
const mostCommits = 100_000;

export interface History {
  /** Walks from `of` backwards until `commit` is met. `read` gives commits that are there, as many as it likes. */
  descent(commit: string, of: string, read: (commits: readonly string[]) => Promise<CommitParents>): Promise<Descent>;
}

/** Remembers what was read: parents never change. */
export function createHistory(): History {
  const parents = new Map<string, readonly string[]>();

  return {
    async descent(commit, of, read) {
      const seen = new Set([of]);
      let frontier = [of];
      let isMissing = false;
      while (frontier.length > 0 && seen.size < mostCommits) {
        const unread = frontier.filter((one) => !parents.has(one));
        if (unread.length > 0) for (const [one, of_] of await read(unread)) parents.set(one, of_);
        const next: string[] = [];
        for (const one of frontier) {
          const before = parents.get(one);
          if (!before) isMissing = true;
          for (const parent of before ?? []) {
            if (parent === commit) return 'descends';
            if (!seen.has(parent)) next.push(parent);
            seen.add(parent);
          }
        }
        frontier = next;
      }
      return isMissing || frontier.length > 0 ? 'missing' : 'apart';
    },
  };
}
