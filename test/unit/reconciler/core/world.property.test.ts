import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Action } from '../../../../reconciler/core/action.ts';
import { copyKey } from '../../../../reconciler/core/copy-index.ts';
import type { Copy, World } from '../../../../reconciler/core/model.ts';
import { reservedBy } from '../../../../reconciler/core/reserved.ts';
import { apply, cloneWorld } from '../../../../reconciler/core/world.ts';
import type { CopyReport } from '../../../../schemas/messages.ts';
import { instanceName } from '../../../../schemas/names.ts';
import { type CopyStatus, copyStatuses } from '../../../../schemas/status.ts';
import { aCluster, aNodeRecord, aRun, aService } from '../../../support/builders.ts';

const services = ['a.default.web.default', 'b.default.db.default'];
const statuses = Object.keys(copyStatuses) as CopyStatus[];

type Step =
  | {
      readonly kind: 'start';
      readonly node: number;
      readonly service: number;
      readonly slot: number;
      readonly code: string;
    }
  | { readonly kind: 'change'; readonly pick: number; readonly want: 'run' | 'prepared' | 'stopped' | 'dropped' }
  | {
      readonly kind: 'report';
      readonly node: number;
      readonly jobs: number;
      readonly strays: number;
      readonly status: CopyStatus;
    }
  | { readonly kind: 'forget'; readonly node: number }
  | { readonly kind: 'rejoin'; readonly node: number };

const node = fc.integer({ min: 1, max: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('start' as const),
    node,
    service: fc.nat(1),
    slot: fc.nat(2),
    code: fc.constantFrom('app:1', 'app:2'),
  }),
  fc.record({
    kind: fc.constant('change' as const),
    pick: fc.nat(20),
    want: fc.constantFrom('run' as const, 'prepared' as const, 'stopped' as const, 'dropped' as const),
  }),
  fc.record({
    kind: fc.constant('report' as const),
    node,
    jobs: fc.nat(5),
    strays: fc.nat(2),
    status: fc.constantFrom(...statuses),
  }),
  fc.record({ kind: fc.constant('forget' as const), node }),
  fc.record({ kind: fc.constant('rejoin' as const), node }),
);

/** Takes random steps, and remembers what every node reported last. */
function play(steps: readonly Step[]): { world: World; reports: Map<string, readonly CopyReport[]> } {
  const cluster = aCluster();
  const { world } = cluster;
  const reports = new Map<string, readonly CopyReport[]>();
  for (const n of [1, 2, 3]) cluster.join(n, 0);
  let ms = 0;
  for (const one of steps) {
    ms += 1_000;
    if (one.kind === 'start') start(world, one);
    else if (one.kind === 'change') change(world, one);
    else if (one.kind === 'report') {
      if (!world.nodes.has(`node${one.node}`)) continue;
      const copies = reportOf(world, one);
      cluster.report(one.node, ms, copies);
      reports.set(`node${one.node}`, copies);
    } else if (one.kind === 'forget') {
      apply(world, { kind: 'node_forgotten', node: `node${one.node}` });
      reports.delete(`node${one.node}`);
    } else if (!world.nodes.has(`node${one.node}`)) {
      apply(world, { kind: 'node', record: aNodeRecord(one.node) });
    }
  }
  return { world, reports };
}

function start(world: World, one: Extract<Step, { kind: 'start' }>): void {
  const service = services[one.service] ?? '';
  const ports = [{ host: 80 + one.slot, container: 80, protocol: 'tcp' as const }];
  const amounts = { memory: one.slot === 0 ? 100 : 0.1, vcpus: one.slot / 3 };
  const { run, digest } = aService({ run: aRun(one.code, { ...amounts, ...(one.service === 0 && { ports }) }) });
  const where = { service, instance: instanceName(service, one.slot), node: `node${one.node}` };
  const what = { want: 'run' as const, digest, run, runtime: 'docker' as const, source: { name: 'main' }, why: '' };
  apply(world, { kind: 'promised', action: { kind: 'start', ...where, ...what } });
}

function change(world: World, one: Extract<Step, { kind: 'change' }>): void {
  const all = [...world.copies.values()].flatMap((copies) => [...copies.values()]).filter((copy) => copy.job);
  const copy = all[one.pick % Math.max(1, all.length)];
  if (!copy) return;
  const about = { service: copy.service, instance: copy.instance, copy: copy.copy, node: copy.node, why: '' };
  const { want } = one;
  const action: Action = want === 'dropped' ? { kind: 'drop', ...about } : { kind: 'want', want, ...about };
  apply(world, { kind: 'promised', action });
}

/** Some of the node's jobs, and copies that nobody promised. */
function reportOf(world: World, one: Extract<Step, { kind: 'report' }>): CopyReport[] {
  const jobs = world.nodes.get(`node${one.node}`)?.part.jobs.slice(0, one.jobs) ?? [];
  const strays = Array.from({ length: one.strays }, (_, n) => ({
    instance: instanceName(services[0] ?? '', n),
    copy: `0.${one.node}${n}`,
    digest: aService().digest,
    want: 'run' as const,
  }));
  const told = jobs.map(({ instance, copy, digest, want }) => ({ instance, copy, digest, want }));
  return [...told, ...strays].map((copy) => ({ ...copy, status: one.status, age: 0 }));
}

type Flat = Pick<Copy, 'node' | 'job' | 'report'>;

/** The index as it would be built from nothing. */
function rebuilt(world: World, reports: ReadonlyMap<string, readonly CopyReport[]>): Map<string, Flat> {
  const copies = new Map<string, Flat>();
  for (const [id, { part }] of world.nodes) {
    for (const job of part.jobs) copies.set(copyKey(job.instance, job.copy), { node: id, job });
    for (const report of reports.get(id) ?? []) {
      const key = copyKey(report.instance, report.copy);
      copies.set(key, { node: id, ...copies.get(key), report });
    }
  }
  return copies;
}

function flat(outer: ReadonlyMap<string, ReadonlyMap<string, Copy>>): Map<string, Flat> {
  const all = [...outer.values()].flatMap((inner) => [...inner]);
  return new Map(
    all.map(([key, { node, job, report }]) => [key, { node, ...(job ? { job } : {}), ...(report ? { report } : {}) }]),
  );
}

describe('the indexes of the world', () => {
  it('are as if they had been built anew, whatever happened', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { world, reports } = play(steps);
        const expected = rebuilt(world, reports);
        expect(flat(world.copies)).toEqual(expected);
        expect(flat(world.copiesOn)).toEqual(expected);
        for (const [service, copies] of world.copies) {
          expect(copies.size).toBeGreaterThan(0);
          for (const copy of copies.values()) expect(copy.service).toBe(service);
        }
        expect([...world.reserved.keys()].sort()).toEqual([...world.nodes.keys()].sort());
        for (const [id, { part }] of world.nodes)
          expect(world.reserved.get(id)).toEqual(reservedBy(world.copiesOn.get(id)?.values() ?? [], part.documents));
      }),
      { numRuns: 200 },
    );
  });

  it('draw a pair for every promise, higher than any before', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const { world } = play(steps);
        const gens = [...world.nodes.values()].map(({ part }) => part.fence.gen);
        expect(Math.max(0, ...gens)).toBeLessThanOrEqual(world.fence.gen);
        const ids = [...world.copies.values()].flatMap((copies) => [...copies.values()].map((copy) => copy.copy));
        const promised = ids.filter((id) => id.startsWith('1.'));
        expect(new Set(promised).size).toBe(promised.length);
      }),
      { numRuns: 100 },
    );
  });

  it('of a clone are its own', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 20 }),
        fc.array(step, { minLength: 1, maxLength: 10 }),
        (before, after) => {
          const { world } = play(before);
          const clone = cloneWorld(world);
          const copies = flat(clone.copies);
          for (const one of after) if (one.kind === 'start') start(world, one);
          apply(world, { kind: 'node_forgotten', node: 'node1' });
          apply(world, { kind: 'recovered' });
          expect(flat(clone.copies)).toEqual(copies);
          expect(clone.nodes.size).toBeGreaterThanOrEqual(world.nodes.size);
        },
      ),
      { numRuns: 50 },
    );
  });
});
