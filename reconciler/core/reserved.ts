/** What the copies of a node reserve on it: counted from all of them, or from what was there before and the copies that changed. */
import type { Part } from '../../schemas/assignment.ts';
import type { InstanceName } from '../../schemas/names.ts';
import type { RunSpec } from '../../schemas/spec.ts';
import type { Touched } from './copy-index.ts';
import type { Copy, Reserved } from './model.ts';

type Documents = Part['documents'];

const amounts = ['memory', 'vcpus', 'vgpus', 'storage', 'bandwidth_in', 'bandwidth_out', 'copies'] as const;

/** Sums in grains, or a count of copies. */
type Sums = Record<(typeof amounts)[number], number>;

/**
 * Amounts are added in whole millionths of their unit: so a sum is the same in any order, and what is added and taken away again
 * leaves nothing behind.
 */
const grains = 1e6;
/** Sums below this are exact in grains. */
const exact = 2 ** 31;

/** What the copies of a node reserve on it. `documents`: of the node's part. */
export function reservedBy(copies: Iterable<Copy>, documents: Documents): Reserved {
  const sums: Sums = { memory: 0, vcpus: 0, vgpus: 0, storage: 0, bandwidth_in: 0, bandwidth_out: 0, copies: 0 };
  const ports = new Map<string, InstanceName>();
  for (const copy of copies) {
    const run = occupiedBy(copy, documents);
    add(sums, copy, run, 1);
    if (!run) continue;
    for (const key of portKeys(run)) {
      // While one makes way for another both have it: who is named must not depend on the order of the copies.
      const other = ports.get(key);
      if (other === undefined || copy.instance < other) ports.set(key, copy.instance);
    }
  }
  return reservedOf(sums, ports);
}

/**
 * As {@link reservedBy} of all copies of the node, of which only `touched` changed since `before` was counted. Undefined when only a
 * look at all of them can tell: who else had a port that is free now, and sums that are too large to be exact.
 */
export function reservedAfter(
  before: Reserved,
  touched: readonly Touched[],
  documents: { readonly before: Documents; readonly after: Documents },
): Reserved | undefined {
  const sums: Sums = {
    memory: inGrains(before.memory),
    vcpus: inGrains(before.vcpus),
    vgpus: inGrains(before.vgpus),
    storage: inGrains(before.storage),
    bandwidth_in: inGrains(before.bandwidth_in),
    bandwidth_out: inGrains(before.bandwidth_out),
    copies: before.copies,
  };
  let { ports } = before;
  for (const one of touched) {
    const old = one.before && occupiedBy(one.before, documents.before);
    const now = one.after && occupiedBy(one.after, documents.after);
    if (one.before) add(sums, one.before, old, -1);
    if (one.after) add(sums, one.after, now, 1);
    if (old === now || !(old?.ports ?? now?.ports)) continue;
    const keys = now ? portKeys(now) : [];
    if ((old?.ports ?? []).length > 0 || keys.some((key) => ports.has(key))) return undefined;
    ports = new Map([...ports, ...keys.map((key) => [key, one.after?.instance ?? ''] as const)]);
  }
  const after = reservedOf(sums, ports);
  return isExact(before) && isExact(after) ? after : undefined;
}

function isExact(reserved: Reserved): boolean {
  return amounts.every((amount) => reserved[amount] < exact);
}

function add(sums: Sums, { job }: Copy, run: RunSpec | undefined, times: 1 | -1): void {
  sums.copies += times;
  if (!run) return;
  sums.memory += times * inGrains(run.memory);
  sums.vcpus += times * inGrains(run.vcpus);
  sums.vgpus += times * inGrains(run.vgpus);
  const reserves = job?.reserves;
  if (!reserves) return;
  sums.storage += times * inGrains(reserves.storage);
  sums.bandwidth_in += times * inGrains(reserves.bandwidth_in);
  sums.bandwidth_out += times * inGrains(reserves.bandwidth_out);
}

function inGrains(amount: number | undefined): number {
  return amount === undefined ? 0 : Math.round(amount * grains);
}

function reservedOf(sums: Sums, ports: ReadonlyMap<string, InstanceName>): Reserved {
  return {
    memory: sums.memory / grains,
    vcpus: sums.vcpus / grains,
    vgpus: sums.vgpus / grains,
    storage: sums.storage / grains,
    bandwidth_in: sums.bandwidth_in / grains,
    bandwidth_out: sums.bandwidth_out / grains,
    copies: sums.copies,
    ports,
  };
}

/** Statuses of a copy that still has its ports and its memory. */
const occupying: ReadonlySet<string> = new Set(['starting', 'running', 'unhealthy', 'stopping', 'unknown']);

/** It is to be stopped, and has given back its ports and its memory. */
export function isIdle({ job, report }: Copy): boolean {
  return job?.want === 'stopped' && !occupying.has(report?.status ?? '');
}

function occupiedBy(copy: Copy, documents: Documents): RunSpec | undefined {
  if (!copy.job) return copy.leaving;
  return isIdle(copy) ? undefined : documents[copy.job.digest];
}

/** Is there less in `after` than in `before`, so that something that waits may fit now? */
export function frees(before: Reserved | undefined, after: Reserved): boolean {
  if (!before) return false;
  // Also a port that another of its holders has from now on: for that one it is free.
  const isLeft = ([port, holder]: readonly [string, InstanceName]): boolean => after.ports.get(port) !== holder;
  const freed = before.ports !== after.ports && [...before.ports].some(isLeft);
  return freed || amounts.some((amount) => after[amount] < before[amount]);
}

/** `<protocol>/<host port>` of each published port. */
export function portKeys(run: Pick<RunSpec, 'ports'>): string[] {
  return (run.ports ?? []).map((port) => `${port.protocol}/${port.host}`);
}
