/**
 * The index of copies: by service and by node, built from what was promised (jobs) and what was reported. Only `setCopy`
 * writes it, so that both sides always hold the same values.
 */
import type { Part } from '../../schemas/assignment.ts';
import type { CopyReport, Job } from '../../schemas/messages.ts';
import {
  type CopyId,
  type InstanceName,
  type NodeId,
  parseInstanceName,
  type ServiceName,
} from '../../schemas/names.ts';
import type { Mono } from '../../schemas/ports.ts';
import type { Copy, World } from './model.ts';
import { changesOf } from './part-change.ts';

type Indexes = Pick<World, 'copies' | 'copiesOn'>;

/** Key of a copy in both indexes. */
export function copyKey(instance: InstanceName, copy: CopyId): string {
  return `${instance}/${copy}`;
}

/** Replaces one copy, or removes it when `copy` is undefined. */
function setCopy(index: Indexes, where: { service: ServiceName; node: NodeId; key: string }, copy?: Copy): void {
  setIn(index.copies, where.service, where.key, copy);
  setIn(index.copiesOn, where.node, where.key, copy);
}

/** Puts a copy into both indexes as it is. */
export function putCopy(index: Indexes, copy: Copy): void {
  setCopy(index, { service: copy.service, node: copy.node, key: copyKey(copy.instance, copy.copy) }, copy);
}

function setIn(outer: Map<string, Map<string, Copy>>, name: string, key: string, copy?: Copy): void {
  const inner = outer.get(name) ?? new Map<string, Copy>();
  if (copy) inner.set(key, copy);
  else inner.delete(key);
  if (inner.size > 0) outer.set(name, inner);
  else outer.delete(name);
}

/** A copy on a node, before and after; undefined where there was or is none. */
export interface Touched {
  readonly node: NodeId;
  readonly before: Copy | undefined;
  readonly after: Copy | undefined;
}

/**
 * Makes the copies that `node` has in the index equal to its part: jobs that are new appear, jobs that left are forgotten unless
 * they are still reported. Answers each copy that changed, once, also where another node claimed it. `at`: when that was promised.
 */
export function indexJobs(
  index: Indexes,
  node: NodeId,
  parts: { readonly before: Part; readonly after: Part },
  at?: Mono,
): readonly Touched[] {
  const touched: Touched[] = [];
  const { gone, come } = changesOf(parts.before, parts.after);
  const stay = new Set(come.map((job) => copyKey(job.instance, job.copy)));
  for (const { instance, copy: id } of gone) {
    const key = copyKey(instance, id);
    const copy = index.copiesOn.get(node)?.get(key);
    if (!copy?.job || stay.has(key)) continue;
    const { job, ...rest } = copy;
    const leaving = parts.before.documents[job.digest];
    const after = copy.report ? { ...rest, ...(leaving ? { leaving } : {}) } : undefined;
    setCopy(index, { service: copy.service, node, key }, after);
    touched.push({ node, before: copy, after });
  }
  for (const job of come) touched.push(...indexJob(index, node, copyKey(job.instance, job.copy), job, at));
  return touched;
}

function indexJob(index: Indexes, node: NodeId, key: string, job: Job, at?: Mono): readonly Touched[] {
  const named = parseInstanceName(job.instance);
  if (!named) return [];
  const known = index.copies.get(named.service)?.get(key);
  const ours = known?.node === node ? known : undefined;
  if (ours?.job === job) return [];
  // Two nodes cannot carry one copy: a promise beats a claim, and takes its place.
  if (known && !ours) setCopy(index, { service: named.service, node: known.node, key });
  // A copy that was ready and waited for us begins anew when it is told to run.
  const told = !ours?.job || (ours.job.want !== 'run' && job.want === 'run');
  const begun = at !== undefined && told ? { progress: at } : {};
  const { leaving: _back, ...base } = ours ?? { ...named, instance: job.instance, copy: job.copy, node };
  const after: Copy = { ...base, ...begun, job };
  setCopy(index, { service: named.service, node, key }, after);
  const claim = known && !ours ? [{ node: known.node, before: known, after: undefined }] : [];
  return [...claim, { node, before: ours, after }];
}

/**
 * Merges the complete report of a node. Returns the services whose copies changed; an age that went on is no change, because
 * `since` says the same.
 */
export function indexReports(index: Indexes, node: NodeId, reports: readonly CopyReport[], at: Mono): Set<ServiceName> {
  const changed = new Set<ServiceName>();
  const seen = new Set<string>();
  for (const report of reports) {
    const key = copyKey(report.instance, report.copy);
    seen.add(key);
    if (indexReport(index, node, key, report, at)) changed.add(serviceOf(report.instance));
  }
  for (const [key, copy] of [...(index.copiesOn.get(node) ?? [])]) {
    if (!copy.report || seen.has(key)) continue;
    const { report: _gone, since: _since, ...rest } = copy;
    setCopy(index, { service: copy.service, node, key }, copy.job ? rest : undefined);
    changed.add(copy.service);
  }
  return changed;
}

function indexReport(index: Indexes, node: NodeId, key: string, report: CopyReport, at: Mono): boolean {
  const named = parseInstanceName(report.instance);
  if (!named) return false;
  const known = index.copies.get(named.service)?.get(key);
  // A copy is on the node that was told to have it; who else claims it is not believed.
  if (known && known.node !== node) return false;
  const base = known ?? { ...named, instance: report.instance, copy: report.copy, node };
  const since = (at - report.age) as Mono;
  const step = stepOf(known, report, at);
  const progress = step === undefined ? {} : { progress: step };
  setCopy(index, { service: named.service, node, key }, { ...base, ...progress, report, since });
  return !known?.report || differs(known.report, report);
}

/** Statuses on the way up, in order. Each is a sign of progress once; a copy that ended and starts again makes none. */
const upward = ['waiting', 'pulling', 'prepared', 'starting', 'running'];

/** When the report made a step up; undefined: it is none. */
function stepOf(known: Copy | undefined, after: CopyReport, at: Mono): Mono | undefined {
  const to = (after.restarts ?? 0) > 0 ? -1 : upward.indexOf(after.status);
  if (known?.report) {
    if (known.report.status === 'unknown') return to >= 0 ? stepWithout(known, at) : undefined;
    const from = upward.indexOf(known.report.status);
    return from >= 0 && to > from ? at : undefined;
  }
  // The first that is heard of what this process began is a step, whatever it says.
  if (known?.progress !== undefined) return at;
  // What is heard first of another copy may be old: its age says when that step was made.
  return to >= 0 ? ((at - after.age) as Mono) : undefined;
}

/** The last step, later by as long as the engine was silent: nobody saw what the copy did in that time. */
function stepWithout({ progress, since }: Copy, at: Mono): Mono {
  return Math.min(at, (progress ?? at) + (at - (since ?? at))) as Mono;
}

function differs(a: CopyReport, b: CopyReport): boolean {
  return (
    a.status !== b.status ||
    a.want !== b.want ||
    a.digest !== b.digest ||
    a.restarts !== b.restarts ||
    a.exit_code !== b.exit_code ||
    a.handle !== b.handle ||
    a.reason?.code !== b.reason?.code ||
    a.reason?.message !== b.reason?.message ||
    (a.addresses ?? []).join() !== (b.addresses ?? []).join() ||
    b.age < a.age
  );
}

/** These copies of a service, and no others, are about to be stopped; who was so before keeps its moment. */
export function indexNotices(index: Indexes, service: ServiceName, keys: readonly string[], at: Mono): void {
  const noticed = new Set(keys);
  for (const [key, copy] of [...(index.copies.get(service) ?? [])]) {
    if (noticed.has(key) === (copy.notice !== undefined)) continue;
    const { notice: _before, ...rest } = copy;
    const next = noticed.has(key) ? { ...rest, notice: at } : rest;
    setCopy(index, { service, node: copy.node, key }, next);
  }
}

/** Forgets every copy of a node. Returns the services that had one there. */
export function forgetCopies(index: Indexes, node: NodeId): Set<ServiceName> {
  const changed = new Set<ServiceName>();
  for (const [key, copy] of [...(index.copiesOn.get(node) ?? [])]) {
    setCopy(index, { service: copy.service, node, key });
    changed.add(copy.service);
  }
  return changed;
}

function serviceOf(instance: InstanceName): ServiceName {
  return parseInstanceName(instance)?.service ?? '';
}
