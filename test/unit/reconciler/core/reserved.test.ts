import { describe, expect, it } from 'vitest';
import type { Action } from '../../../../reconciler/core/action.ts';
import type { Copy, World } from '../../../../reconciler/core/model.ts';
import { reservedBy } from '../../../../reconciler/core/reserved.ts';
import { apply } from '../../../../reconciler/core/world.ts';
import { instanceName } from '../../../../schemas/names.ts';
import type { RunSpec } from '../../../../schemas/spec.ts';
import { aCluster, aRun, aService } from '../../../support/builders.ts';

const service = 'a.default.web.default';

function start(world: World, slot: number, run: RunSpec, node = 'node1'): void {
  const { digest } = aService({ run });
  const where = { service, instance: instanceName(service, slot), node };
  const what = { want: 'run' as const, digest, run, runtime: 'docker' as const, source: { name: 'main' }, why: '' };
  apply(world, { kind: 'promised', action: { kind: 'start', ...where, ...what } });
}

function countedAnew({ nodes, copiesOn }: World, id: string): unknown {
  return reservedBy(copiesOn.get(id)?.values() ?? [], nodes.get(id)?.part.documents ?? {});
}

/** What is read of copies and jobs of a node with so many of them while one more starts, is told to stop, and is dropped. */
function readsWith(copies: number): number {
  const cluster = aCluster();
  const { world } = cluster;
  cluster.join(1, 0, { capacity: { cpu: 10_000, memory: 10_000_000 } });
  for (let slot = 0; slot < copies; slot += 1) start(world, slot, aRun('app:1', { memory: 1 }));
  let reads = 0;
  const counted = <T extends object>(value: T): T =>
    new Proxy(value, {
      get(target, key) {
        reads += 1;
        return Reflect.get(target, key) as unknown;
      },
    });
  const node = world.nodes.get('node1');
  if (!node) throw new Error('node1 joined');
  world.nodes.set('node1', { ...node, part: { ...node.part, jobs: node.part.jobs.map(counted) } });
  const on = world.copiesOn.get('node1') ?? new Map<string, Copy>();
  for (const [key, copy] of on) on.set(key, counted(copy));

  start(world, copies, aRun('app:2', { memory: 1 }));
  const last = [...on.values()].at(-1);
  if (!last) throw new Error('it was promised');
  reads = 0;
  start(world, copies + 1, aRun('app:3', { memory: 1 }));
  const about = { service, instance: last.instance, copy: last.copy, node: 'node1', why: '' };
  const actions: Action[] = [
    { kind: 'want', want: 'stopped', ...about },
    { kind: 'drop', ...about, instance: instanceName(service, 0), copy: '1.1' },
  ];
  for (const action of actions) apply(world, { kind: 'promised', action });
  const read = reads;
  expect(world.copiesOn.get('node1')?.size).toBe(copies + 1);
  expect(world.reserved.get('node1')).toEqual(countedAnew(world, 'node1'));
  return read;
}

describe('what is reserved on a node', () => {
  it('costs a promise as much on a node with hundreds of copies as on one with twenty, but for the way to its place', () => {
    const [few, many] = [readsWith(20), readsWith(640)];
    expect(few).toBeGreaterThan(0);
    // Each time the jobs double, each of three promises looks at one more of them.
    expect(many - few).toBeLessThan(3 * 5 * 4);
  });

  it('leaves nothing behind of fractions that come and go', () => {
    const cluster = aCluster();
    cluster.join(1, 0);
    const { world } = cluster;
    for (let slot = 0; slot < 10; slot += 1) start(world, slot, aRun(`app:${slot}`, { memory: 0.1, vcpus: 0.7 }));
    expect(world.reserved.get('node1')).toMatchObject({ memory: 1, vcpus: 7 });
    for (const { instance, copy } of [...(world.copies.get(service)?.values() ?? [])].slice(1)) {
      apply(world, { kind: 'promised', action: { kind: 'drop', service, instance, copy, node: 'node1', why: '' } });
    }
    expect(world.reserved.get('node1')).toMatchObject({ memory: 0.1, vcpus: 0.7, copies: 1 });
  });

  it('is not what a node claimed that was promised elsewhere', () => {
    const cluster = aCluster();
    const { world } = cluster;
    for (const n of [1, 2]) cluster.join(n, 0);
    const { digest } = aService();
    const claim = { instance: instanceName(service, 0), copy: '1.1', digest, want: 'run' as const, age: 0 };
    cluster.report(2, 1_000, [{ ...claim, status: 'running' }]);
    expect(world.reserved.get('node2')).toMatchObject({ copies: 1 });
    start(world, 0, aRun());
    expect(world.copiesOn.get('node1')?.size).toBe(1);
    expect(world.reserved.get('node2')).toEqual(countedAnew(world, 'node2'));
    expect(world.reserved.get('node2')).toMatchObject({ copies: 0 });
  });

  it('says who else has a port when one of its holders leaves', () => {
    const cluster = aCluster();
    cluster.join(1, 0);
    const { world } = cluster;
    const ports = [{ host: 80, container: 80, protocol: 'tcp' as const }];
    for (const slot of [0, 1]) start(world, slot, aRun('app:1', { ports }));
    const [, second] = [...(world.copies.get(service)?.values() ?? [])];
    if (!second) throw new Error('two were promised');
    const { instance, copy } = second;
    apply(world, { kind: 'promised', action: { kind: 'drop', service, instance, copy, node: 'node1', why: '' } });
    expect(world.reserved.get('node1')?.ports).toEqual(new Map([['tcp/80', instanceName(service, 0)]]));
  });
});
