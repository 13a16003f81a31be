/** What a change of a part comes to. Most change one job of many, and the others are the same values before and after. */
import type { Part } from '../../schemas/assignment.ts';
import type { Job } from '../../schemas/messages.ts';

export interface JobChanges {
  /** Jobs of which the part says nothing any more, or something else. */
  readonly gone: readonly Job[];
  /** Jobs that it says now. */
  readonly come: readonly Job[];
}

/** Looks at values, not into them; what is the same in front and behind is passed over. */
export function changesOf(before: Pick<Part, 'jobs'>, after: Pick<Part, 'jobs'>): JobChanges {
  const [old, now] = [before.jobs, after.jobs];
  const shorter = Math.min(old.length, now.length);
  let front = 0;
  while (front < shorter && old[front] === now[front]) front += 1;
  let back = 0;
  while (back < shorter - front && old[old.length - 1 - back] === now[now.length - 1 - back]) back += 1;
  const gone = old.slice(front, old.length - back);
  const come = now.slice(front, now.length - back);
  if (gone.length === 0 || come.length === 0) return { gone, come };
  const [were, are] = [new Set(gone), new Set(come)];
  return { gone: gone.filter((job) => !are.has(job)), come: come.filter((job) => !were.has(job)) };
}
