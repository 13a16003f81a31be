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

function compareJobs(a: Job, b: Job): number {
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
  const { instance, copy } = change.kind === 'upsert' ? change.job : change;
  const jobs = part.jobs.filter((job) => job.instance !== instance || job.copy !== copy);
  if (change.kind === 'upsert') {
    const behind = jobs.findIndex((other) => compareJobs(other, change.job) > 0);
    jobs.splice(behind < 0 ? jobs.length : behind, 0, change.job);
  }
  const isMore = jobs.length > part.jobs.length;
  const isThere = change.kind === 'upsert' && part.documents[change.job.digest] !== undefined;
  // One more of what is there already needs no other documents.
  if (isMore && isThere) return { fence, jobs, documents: part.documents };
  const all = change.kind === 'upsert' ? { ...part.documents, [change.job.digest]: change.document } : part.documents;
  return { fence, jobs, documents: documentsOf(jobs, all) };
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
