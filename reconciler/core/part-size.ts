/** How long an assignment is on the wire. Counted by what changed, so that nobody has to write a whole one to know. */
import type { Part } from '../../schemas/assignment.ts';
import type { Job } from '../../schemas/messages.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import { changesOf } from './part-change.ts';

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
  const { gone, come } = changesOf(before, after);
  return (
    size +
    sizeOfJobs(come) -
    sizeOfJobs(gone) +
    sizeOfDocuments(documentsOnly(come, after, before)) -
    sizeOfDocuments(documentsOnly(gone, before, after))
  );
}

/** Bytes that a document adds to a part. */
export function sizeOfDocument(run: RunSpec): number {
  return documentKey + bytes(JSON.stringify(run));
}

/** Documents of these jobs of a part that the other part does not have. */
function documentsOnly(jobs: readonly Job[], { documents }: Part, other: Part): RunSpec[] {
  const digests = new Set(jobs.map(({ digest }) => digest));
  return [...digests].flatMap((digest) => (other.documents[digest] ? [] : (documents[digest] ?? [])));
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
