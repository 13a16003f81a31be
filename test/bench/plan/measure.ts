/** What deciding costs in one cluster, measured in the order in which a cluster lives. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { PlaceRequest } from '../../../reconciler/core/candidates.ts';
import type { Policy, World } from '../../../reconciler/core/model.ts';
import { createPlacer } from '../../../reconciler/core/place.ts';
import { carryOut } from '../../../reconciler/core/plan.ts';
import { planService } from '../../../reconciler/core/plan-service.ts';
import { apply } from '../../../reconciler/core/world.ts';
import type { ServiceSpec } from '../../../schemas/spec.ts';
import { aPolicy, aRun, aService, at, wanted } from '../../support/builders.ts';
import { median } from '../table.ts';
import { aLargeWorld, type LargeWorld, perService, specOf } from './large-world.ts';

export interface Figures {
  readonly nodes: number;
  readonly instances: number;
  /** Per second: choosing nodes for whole services, with what each choice reserves. */
  readonly decided: number;
  /** Per second: the same by a look at all nodes. */
  readonly scanned: number;
  /** Per second: planned from an empty cluster to a full one, with all that a promise changes. */
  readonly promised: number;
  /** ms: a plan of everything when nothing is to be done. */
  readonly settled: number;
  /** ms: a service gets another version; median. */
  readonly changed: number;
  /** ms: a node is lost, with all its services; median. */
  readonly lost: number;
  /** ms: an instance that fits nowhere, and why; median. */
  readonly refused: number;
  /** Bytes of heap and buffers that the world takes. */
  readonly memory: number;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const policy: Policy = aPolicy();
let isBusy = false;
const rounds = 21;
const leastDecisions = 200_000;
const longAgo = 20_000;

export function measure(nodes: number, instances: number, cpu: boolean): Figures {
  isBusy = cpu;
  const services = Math.floor(instances / perService);
  const specs = Array.from({ length: services }, (_, n) => specOf(n));
  const before = used();
  const large = aLargeWorld(nodes);
  for (const spec of specs) large.want(spec);
  // Decisions change nothing, so that a small cluster can decide as often as a large one.
  const passes = Math.ceil(leastDecisions / (services * perService));
  const deciding = timed(() => {
    for (let pass = 0; pass < passes; pass += 1) decide(large.world, specs);
  });
  const decided = (1_000 * passes * services * perService) / deciding;
  const scanned = (1_000 * rounds) / timed(() => scan(large.world, specs));
  let started = 0;
  const filling = timed(() => {
    for (const { name } of specs) started += planOne(large.world, name, 0);
  });
  large.settle(longAgo);
  const memory = used() - before;
  const settled = timed(() => {
    for (const name of large.world.desired.keys()) {
      const { actions } = planService(large.world, name, policy, at(longAgo));
      if (actions.length > 0) throw new Error(`${name} is not settled`);
    }
  });
  const refused = refuse(large.world);
  const changed = change(large, specs);
  const lost = lose(large);
  return {
    ...{ nodes, instances: started, decided, scanned, settled, changed, lost, refused, memory },
    promised: (1_000 * started) / filling,
  };
}

/** ms; on a busy machine better those that the process computed, on all its threads. */
function timed(work: () => void): number {
  const clock = (): number => {
    if (!isBusy) return performance.now();
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  };
  const start = clock();
  work();
  return clock() - start;
}

function used(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Plans one service and lets the plan count; answers how much there was to do. */
function planOne(world: World, name: string, ms: number): number {
  const plan = planService(world, name, policy, at(ms));
  carryOut(world, name, plan, at(ms).mono);
  return plan.actions.length;
}

function requestOf({ name, run, digest, placement, needs }: ServiceSpec, slot: number): PlaceRequest {
  return { instance: `${name}.instance.${slot}`, run, digest, placement, needs };
}

function decide(world: World, specs: readonly ServiceSpec[]): void {
  for (const spec of specs) {
    const placer = createPlacer(world, spec.name, policy, at(0));
    for (let slot = 0; slot < perService; slot += 1) {
      if (placer.place(requestOf(spec, slot)).kind === 'refused') throw new Error('nothing is full here');
    }
  }
}

function scan(world: World, specs: readonly ServiceSpec[]): void {
  for (const spec of specs.slice(0, rounds)) {
    createPlacer(world, spec.name, policy, at(0)).rank(requestOf(spec, 0));
  }
}

function refuse(world: World): number {
  const took = Array.from({ length: rounds }, (_, n) => {
    const spec = aService({ name: `full.default.s${n}.default`, run: aRun('app:large', { memory: 1_000_000 }) });
    return timed(() => {
      const placer = createPlacer(world, spec.name, policy, at(longAgo));
      if (placer.place(requestOf(spec, 0)).kind === 'placed') throw new Error('nobody has that much');
    });
  });
  return median(took);
}

function change({ world }: LargeWorld, specs: readonly ServiceSpec[]): number {
  const took = specs.slice(0, rounds).map((spec) => {
    const desired = wanted(aService({ ...spec, run: { ...spec.run, code: 'app:changed' } }));
    apply(world, { kind: 'desired', service: spec.name, desired });
    return timed(() => void planOne(world, spec.name, longAgo + 1_000));
  });
  return median(took);
}

function lose(large: LargeWorld): number {
  const took = Array.from({ length: rounds }, (_, n) => {
    const now = longAgo + 16_000 + n * 100;
    large.beat(now, n + 1);
    large.world.dirty.clear();
    return timed(() => {
      apply(large.world, { kind: 'presence', node: `node${n + 1}` });
      for (const name of large.world.dirty) planOne(large.world, name, now);
    });
  });
  return median(took);
}
