/** How long an assignment is on the wire. Counted by what changed, so that nobody has to write a whole one to know. */
import type { Part } from '../../schemas/assignment.ts';
import type { Job } from '../../schemas/messages.ts';
import type { RunSpec } from '../../schemas/spec.ts';

/** Longest assignment in bytes, and most jobs in one. */
export const longestPart = 128 * 1024;
export const mostJobs = 2048;
/** What is around jobs and documents: header and signature. */
const around = 1024;
/** Quotes, colon, comma and the digest itself. */
const documentKey = 70;

/** Bytes of the part with these jobs and documents. */
export function sizeOf(part: Pick<Part, 'jobs' | 'documents'>): number {
  return around + sizeOfJobs(part.jobs) + sizeOfDocuments(Object.values(part.documents));
}

/** As {@link sizeOf} of `after`, given the size of `before` (0: not counted yet). */
export function sizeAfter(size: number, before: Part, after: Part): number {
  if (size === 0) return sizeOf(after);
  const old = new Set(before.jobs);
  const kept = new Set(after.jobs);
  const gone = before.jobs.filter((job) => !kept.has(job));
  const come = after.jobs.filter((job) => !old.has(job));
  return (
    size +
    sizeOfJobs(come) -
    sizeOfJobs(gone) +
    sizeOfDocuments(notIn(after, before)) -
    sizeOfDocuments(notIn(before, after))
  );
}

/** Bytes that a document adds to a part. */
export function sizeOfDocument(run: RunSpec): number {
  return documentKey + bytes(JSON.stringify(run));
}

function notIn({ documents }: Part, other: Part): RunSpec[] {
  if (documents === other.documents) return [];
  return Object.entries(documents).flatMap(([digest, run]) => (other.documents[digest] ? [] : [run]));
}

function sizeOfJobs(jobs: readonly Job[]): number {
  return jobs.reduce((sum, job) => sum + 1 + bytes(JSON.stringify(job)), 0);
}

function sizeOfDocuments(runs: readonly RunSpec[]): number {
  return runs.reduce((sum, run) => sum + sizeOfDocument(run), 0);
}

function bytes(text: string): number {
  // Most are plain, and then as long as they look.
  return /[^ -~]/.test(text) ? new TextEncoder().encode(text).length : text.length;
}
