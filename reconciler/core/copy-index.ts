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
import type { RunSpec } from '../../schemas/spec.ts';
import type { Copy, Reserved, World } from './model.ts';
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

/**
 * Makes the copies that `node` has in the index equal to its part: jobs that are new appear, jobs that left are forgotten unless
 * they are still reported. Returns the services whose copies changed. `at`: when that was promised.
 */
export function indexJobs(
  index: Indexes,
  node: NodeId,
  parts: { readonly before: Part; readonly after: Part },
  at?: Mono,
): Set<ServiceName> {
  const changed = new Set<ServiceName>();
  const { gone, come } = changesOf(parts.before, parts.after);
  const stay = new Set(come.map((job) => copyKey(job.instance, job.copy)));
  for (const { instance, copy: id } of gone) {
    const key = copyKey(instance, id);
    const copy = index.copiesOn.get(node)?.get(key);
    if (!copy?.job || stay.has(key)) continue;
    const { job, ...rest } = copy;
    const leaving = parts.before.documents[job.digest];
    const left = { ...rest, ...(leaving ? { leaving } : {}) };
    setCopy(index, { service: copy.service, node, key }, copy.report ? left : undefined);
    changed.add(copy.service);
  }
  for (const job of come) {
    if (indexJob(index, node, copyKey(job.instance, job.copy), job, at)) changed.add(serviceOf(job.instance));
  }
  return changed;
}

function indexJob(index: Indexes, node: NodeId, key: string, job: Job, at?: Mono): boolean {
  const named = parseInstanceName(job.instance);
  if (!named) return false;
  const known = index.copies.get(named.service)?.get(key);
  const ours = known?.node === node ? known : undefined;
  if (ours?.job === job) return false;
  // Two nodes cannot carry one copy: a promise beats a claim, and takes its place.
  if (known && !ours) setCopy(index, { service: named.service, node: known.node, key });
  // A copy that was ready and waited for us begins anew when it is told to run.
  const told = !ours?.job || (ours.job.want !== 'run' && job.want === 'run');
  const begun = at !== undefined && told ? { progress: at } : {};
  const { leaving: _back, ...base } = ours ?? { ...named, instance: job.instance, copy: job.copy, node };
  setCopy(index, { service: named.service, node, key }, { ...base, ...begun, job });
  return true;
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
    const from = upward.indexOf(known.report.status);
    return from >= 0 && to > from ? at : undefined;
  }
  // The first that is heard of what this process began is a step, whatever it says.
  if (known?.progress !== undefined) return at;
  // What is heard first of another copy may be old: its age says when that step was made.
  return to >= 0 ? ((at - after.age) as Mono) : undefined;
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

/** What the copies of a node reserve on it. `documents`: of the node's part. */
export function reservedBy(copies: Iterable<Copy>, documents: Part['documents']): Reserved {
  const sum = { memory: 0, vcpus: 0, vgpus: 0, storage: 0, bandwidth_in: 0, bandwidth_out: 0, copies: 0 };
  const ports = new Map<string, InstanceName>();
  for (const copy of copies) {
    sum.copies += 1;
    const run = occupiedBy(copy, documents);
    if (!run) continue;
    sum.memory += run.memory ?? 0;
    sum.vcpus += run.vcpus ?? 0;
    sum.vgpus += run.vgpus ?? 0;
    const reserves = copy.job?.reserves;
    if (reserves) {
      sum.storage += reserves.storage ?? 0;
      sum.bandwidth_in += reserves.bandwidth_in ?? 0;
      sum.bandwidth_out += reserves.bandwidth_out ?? 0;
    }
    for (const key of portKeys(run)) ports.set(key, copy.instance);
  }
  return { ...sum, ports };
}

/** Statuses of a copy that still has its ports and its memory. */
const occupying: ReadonlySet<string> = new Set(['starting', 'running', 'unhealthy', 'stopping', 'unknown']);

function occupiedBy({ job, report, leaving }: Copy, documents: Part['documents']): RunSpec | undefined {
  if (!job) return leaving;
  if (job.want === 'stopped' && !occupying.has(report?.status ?? '')) return undefined;
  return documents[job.digest];
}

const amounts = ['memory', 'vcpus', 'vgpus', 'storage', 'bandwidth_in', 'bandwidth_out', 'copies'] as const;

/** Is there less in `after` than in `before`, so that something that waits may fit now? */
export function frees(before: Reserved | undefined, after: Reserved): boolean {
  if (!before) return false;
  const freed = [...before.ports.keys()].some((port) => !after.ports.has(port));
  return freed || amounts.some((amount) => after[amount] < before[amount]);
}

/** `<protocol>/<host port>` of each published port. */
export function portKeys(run: Pick<RunSpec, 'ports'>): string[] {
  return (run.ports ?? []).map((port) => `${port.protocol}/${port.host}`);
}

function serviceOf(instance: InstanceName): ServiceName {
  return parseInstanceName(instance)?.service ?? '';
}
