/**
 * Parts of an assignment as values, used by both sides of the wire: the reconciler makes a control and knows the hash it leads
 * to, the agent applies it only if it gets there. A control is a hint; the assignment is the authority.
 */
import { canonicalJson, digestOf, sha256 } from './digest.ts';
import type { ControlMessage, Fence, Job } from './messages.ts';
import { compareCopyIds, compareFence, type InstanceName } from './names.ts';
import type { RunSpec } from './spec.ts';

/** One part of what a node should have: jobs, and the run spec behind each digest exactly once. */
export interface Part {
  readonly fence: Fence;
  readonly jobs: readonly Job[];
  readonly documents: Readonly<Record<string, RunSpec>>;
}

/** What a node has before anybody spoke to it. */
export const emptyPart: Part = { fence: { epoch: 0, gen: 0, by: '' }, jobs: [], documents: {} };

/** Jobs by instance, then copy; documents only of digests in use. Every part that is kept or sent has this shape. */
export function normalisePart(part: Part): Part {
  const jobs = [...part.jobs].sort(compareJobs);
  return { fence: part.fence, jobs, documents: documentsOf(jobs, part.documents) };
}

function compareJobs(a: Pick<Job, 'instance' | 'copy'>, b: Pick<Job, 'instance' | 'copy'>): number {
  return a.instance < b.instance ? -1 : a.instance > b.instance ? 1 : compareCopyIds(a.copy, b.copy);
}

/** Those of the documents that the jobs use, by digest. */
function documentsOf(jobs: readonly Job[], all: Part['documents']): Part['documents'] {
  const used = [...new Set(jobs.map((job) => job.digest))].sort();
  const documents: Record<string, RunSpec> = {};
  for (const digest of used) {
    const document = all[digest];
    if (document) documents[digest] = document;
  }
  return documents;
}

/** Lower-case hex SHA-256 over RFC 8785 of jobs (sorted) and documents. The fence is not in it. */
export function hashPart(part: Pick<Part, 'jobs' | 'documents'>): string {
  const { jobs, documents } = normalisePart({ ...part, fence: emptyPart.fence });
  return sha256(canonicalJson({ documents, jobs }));
}

/** True when every job has its document and every document has the digest it is filed under. */
export function isWhole(part: Pick<Part, 'jobs' | 'documents'>): boolean {
  return (
    part.jobs.every((job) => part.documents[job.digest] !== undefined) &&
    Object.entries(part.documents).every(([digest, document]) => digestOf(document) === digest)
  );
}

/** Integer id of an instance for readers of seed 000: 48 bits of SHA-256(name). */
export function jobNumber(instance: InstanceName): number {
  return Number.parseInt(sha256(instance).slice(0, 12), 16);
}

/** One change of a part: upsert a job (with its document), or drop a copy. */
export type PartChange =
  | { readonly kind: 'upsert'; readonly job: Job; readonly document: RunSpec }
  | { readonly kind: 'drop'; readonly instance: InstanceName; readonly copy: string };

/** The part after one change, under the fence of the control that carries it. Of a normalised part; the answer is one, too. */
export function changePart(part: Part, change: PartChange, fence: Fence): Part {
  const subject = change.kind === 'upsert' ? change.job : change;
  const { from, to } = placeOf(part.jobs, subject);
  const like = part.jobs.slice(from, to);
  const gone = like.filter(({ copy }) => copy === subject.copy);
  const middle = like.filter(({ copy }) => copy !== subject.copy);
  if (change.kind === 'upsert') middle.push(change.job);
  // Most of a part is as before: its lists are copied, and nobody looks into what is in them.
  const jobs = part.jobs.slice(0, from).concat(middle, part.jobs.slice(to));
  return { fence, jobs, documents: documentsAfter(part.documents, { jobs, gone, change }) };
}

/** The job of this copy in a normalised part. */
export function jobOf({ jobs }: Pick<Part, 'jobs'>, subject: Pick<Job, 'instance' | 'copy'>): Job | undefined {
  const { from, to } = placeOf(jobs, subject);
  for (let n = from; n < to; n += 1) if (jobs[n]?.copy === subject.copy) return jobs[n];
  return undefined;
}

/** Where in sorted jobs those are that have the same place in order: one, or none, and then where it would be. */
function placeOf(jobs: readonly Job[], subject: Pick<Job, 'instance' | 'copy'>): { from: number; to: number } {
  let from = 0;
  for (let high = jobs.length; from < high; ) {
    const middle = (from + high) >>> 1;
    if (compareJobs(jobs[middle] as Job, subject) < 0) from = middle + 1;
    else high = middle;
  }
  let to = from;
  while (to < jobs.length && compareJobs(jobs[to] as Job, subject) === 0) to += 1;
  return { from, to };
}

/** `jobs`: after the change; `gone`: what it took out. The very same value when no document comes or leaves. */
function documentsAfter(
  before: Part['documents'],
  { jobs, gone, change }: { readonly jobs: readonly Job[]; readonly gone: readonly Job[]; readonly change: PartChange },
): Part['documents'] {
  const come = change.kind === 'upsert' ? change.job.digest : undefined;
  const left = gone.find(({ digest }) => digest !== come && jobs.every((job) => job.digest !== digest))?.digest;
  const isNew = come !== undefined && before[come] === undefined;
  if (left === undefined && !isNew) return before;
  const digests = Object.keys(before).filter((digest) => digest !== left);
  if (isNew) {
    const behind = digests.findIndex((digest) => digest > come);
    digests.splice(behind < 0 ? digests.length : behind, 0, come);
  }
  const documents: Record<string, RunSpec> = {};
  for (const digest of digests) {
    const document = digest === come && change.kind === 'upsert' ? change.document : before[digest];
    if (document) documents[digest] = document;
  }
  return documents;
}

/** What became of a control or an assignment at the agent. */
export type Acceptance =
  | { readonly kind: 'applied'; readonly part: Part }
  | { readonly kind: 'acknowledged' }
  /** Not at `base`, or the result has another hash: dropped, the assignment will come. */
  | { readonly kind: 'ignored'; readonly why: 'not_at_base' | 'other_hash' | 'incomplete' | 'unknown_command' }
  /** Older than what is on disk. */
  | { readonly kind: 'refused'; readonly why: 'older' }
  /** Same pair, other content: two writers, or a broken one. Reported. */
  | { readonly kind: 'conflict'; readonly why: 'same_pair_other_hash' };

/** Applies a control to a ledger part, or says why not. Signature and schema were checked before. */
export function acceptControl(part: Part, control: ControlMessage): Acceptance {
  const order = compareFence(control, part.fence);
  if (order < 0) return { kind: 'refused', why: 'older' };
  if (order === 0) {
    return hashPart(part) === control.hash
      ? { kind: 'acknowledged' }
      : { kind: 'conflict', why: 'same_pair_other_hash' };
  }
  if (compareFence(control.base, part.fence) !== 0) return { kind: 'ignored', why: 'not_at_base' };
  const change = changeOf(part, control);
  if (typeof change === 'string') return { kind: 'ignored', why: change };
  const next = changePart(part, change, { epoch: control.epoch, gen: control.gen, by: control.by });
  if (hashPart(next) !== control.hash) return { kind: 'ignored', why: 'other_hash' };
  return { kind: 'applied', part: next };
}

/** Takes a complete assignment part, or says why not. Signature and schema were checked before. */
export function acceptAssignment(part: Part, incoming: Part & { readonly hash: string }): Acceptance {
  const order = compareFence(incoming.fence, part.fence);
  if (order < 0) return { kind: 'refused', why: 'older' };
  if (hashPart(incoming) !== incoming.hash) return { kind: 'ignored', why: 'other_hash' };
  if (!isWhole(incoming)) return { kind: 'ignored', why: 'incomplete' };
  if (order === 0) {
    return hashPart(part) === incoming.hash
      ? { kind: 'acknowledged' }
      : { kind: 'conflict', why: 'same_pair_other_hash' };
  }
  return { kind: 'applied', part: normalisePart(incoming) };
}

function changeOf(part: Part, control: ControlMessage): PartChange | 'incomplete' | 'unknown_command' {
  const { job } = control;
  if (control.command === 'delete') return { kind: 'drop', instance: job.name, copy: job.copy };
  if (control.command !== 'deploy') return 'unknown_command';
  if (!job.want || !job.digest || !job.runtime || !job.source) return 'incomplete';
  const document = (control.document as RunSpec | undefined) ?? part.documents[job.digest];
  if (!document || digestOf(document) !== job.digest) return 'incomplete';
  const { want, digest, runtime, source, copy, name, id: _number, image: _shown, technology: _too, ...beside } = job;
  // What a later version says of a job is kept as it is: it is in the hash.
  return { kind: 'upsert', job: { instance: name, copy, want, digest, runtime, source, ...beside }, document };
}
