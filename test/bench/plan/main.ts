/**
 * `npm run bench:plan [-- --nodes 10000 --instances 200000]`: what deciding costs, single-threaded and without any I/O: a full plan
 * of a settled world, placements per second, one changed service, one lost node, and peak memory. Beside the placements stands a
 * look at all nodes per decision, as it would be without an index. One markdown table on stdout, narration on stderr.
 */
import { parseArgs } from 'node:util';
import type { PlaceRequest } from '../../../reconciler/core/candidates.ts';
import type { Policy, World } from '../../../reconciler/core/model.ts';
import { createPlacer } from '../../../reconciler/core/place.ts';
import { planService } from '../../../reconciler/core/plan-service.ts';
import { apply } from '../../../reconciler/core/world.ts';
import { aPolicy, aRun, aService, at, wanted } from '../../support/builders.ts';
import { median } from '../table.ts';
import { aLargeWorld, type LargeWorld, specOf } from './large-world.ts';

const { values } = parseArgs({
  options: { nodes: { type: 'string', default: '10000' }, instances: { type: 'string', default: '200000' } },
});
const nodes = Number(values.nodes);
const perNode = Math.max(1, Math.floor(Number(values.instances) / nodes));
const policy: Policy = aPolicy();
const rows: string[][] = [];
let peak = 0;

const timed = (work: () => void): number => {
  const start = performance.now();
  work();
  peak = Math.max(peak, process.memoryUsage().rss);
  return performance.now() - start;
};
const figure = (n: number, digits = 0): string => n.toLocaleString('en', { maximumFractionDigits: digits });
const row = (...cells: string[]): void => {
  rows.push(cells);
  process.stderr.write(`${cells.join(' | ')}\n`);
};

/** Carries out the plan of one service. */
function carryOut(world: World, name: string, ms: number): number {
  const plan = planService(world, name, policy, at(ms));
  apply(world, { kind: 'rollout', service: name, ...(plan.rollout ? { rollout: plan.rollout } : {}), at: at(ms).mono });
  for (const action of plan.actions) apply(world, { kind: 'promised', action, at: at(ms).mono });
  return plan.actions.length;
}

/** Decisions alone, and decisions that are carried out: services of 20 instances with all kinds of filters. */
function fill(count: number, instances: number): LargeWorld {
  const large = aLargeWorld(count);
  const services = Math.floor(instances / 20);
  // Labels that no descriptor spoke of yet are not in the index.
  for (let n = 0; n < 4; n += 1) large.want(n);
  const decisions = timed(() => {
    for (let n = 0; n < services; n += 1) {
      const { name, run, digest, placement, needs } = specOf(n);
      const placer = createPlacer(large.world, name, policy, at(0));
      for (let slot = 0; slot < 20; slot += 1) {
        const request: PlaceRequest = { instance: `${name}.instance.${slot}`, run, digest, placement, needs };
        if (placer.place(request).kind === 'refused') throw new Error('nothing is full here');
      }
    }
  });
  const scans = 20;
  const scan = timed(() => {
    for (let n = 0; n < scans; n += 1) {
      const { name, run, digest, placement, needs } = specOf(n);
      createPlacer(large.world, name, policy, at(0)).rank({
        instance: `${name}.instance.0`,
        run,
        digest,
        placement,
        needs,
      });
    }
  });
  let started = 0;
  const whole = timed(() => {
    for (let n = 0; n < services; n += 1) {
      large.want(n);
      started += carryOut(large.world, specOf(n).name, 0);
    }
  });
  const perSecond = (1000 * 20 * services) / decisions;
  const scanned = (1000 * scans) / scan;
  row(
    `placements/s, ${figure(count)} nodes, filters on`,
    figure(perSecond),
    `${figure(scanned)} (ratio ${figure(perSecond / scanned)})`,
    count <= 1_000 ? '100,000' : '50,000',
  );
  row(
    `planned and promised/s, ${figure(count)} nodes, ${figure(started)} instances`,
    figure((1000 * started) / whole),
    '',
    '',
  );
  return large;
}

/** ms of one service that gets another version, and of one lost node with all its services. */
function changes(large: LargeWorld, count: number): { changed: number; lost: number } {
  const rounds = 15;
  const changed = Array.from({ length: rounds }, (_, n) => {
    const spec = specOf(n);
    const run = aRun('app:changed', spec.run);
    const desired = wanted(aService({ ...spec, run: { ...run, code: 'app:changed' } }));
    apply(large.world, { kind: 'desired', service: spec.name, desired });
    return timed(() => void carryOut(large.world, spec.name, 1_000));
  });
  const lost = Array.from({ length: rounds }, (_, n) => {
    const id = `node${n + 1}`;
    const now = 30_000 + n * 100;
    large.beat(now, n + 1);
    large.world.dirty.clear();
    return timed(() => {
      apply(large.world, { kind: 'presence', node: id });
      for (const name of large.world.dirty) carryOut(large.world, name, now);
    });
  });
  process.stderr.write(`${count} nodes: changed ${median(changed)} ms, lost ${median(lost)} ms\n`);
  return { changed: median(changed), lost: median(lost) };
}

fill(1_000, Math.min(20_000, 1_000 * perNode));
const small = fill(100, 100 * perNode);
small.settle(20_000);
const smallCost = changes(small, 100);
const large = fill(nodes, nodes * perNode);
large.settle(20_000);
const plans = timed(() => {
  for (const name of large.world.desired.keys()) {
    if (planService(large.world, name, policy, at(20_000)).actions.length > 0)
      throw new Error(`${name} is not settled`);
  }
});
row(
  `full plan of a settled world, ${figure(nodes)} nodes, ${figure(nodes * perNode)} instances`,
  `${figure(plans)} ms`,
  '',
  '',
);
const cost = changes(large, nodes);
row(
  'one service changed',
  `${figure(cost.changed, 2)} ms`,
  `100 nodes: ${figure(smallCost.changed, 2)} ms (ratio ${figure(cost.changed / smallCost.changed, 2)})`,
  '1 ms; ratio 2',
);
row(
  'one node lost',
  `${figure(cost.lost, 2)} ms`,
  `100 nodes: ${figure(smallCost.lost, 2)} ms (ratio ${figure(cost.lost / smallCost.lost, 2)})`,
  '20 ms; ratio 2',
);
row('peak memory', `${figure(peak / 2 ** 20)} MiB`, '', '');
process.stdout.write(
  [['what', 'figure', 'beside', 'aim'], ['---', '---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.join(' | ')} |\n`)
    .join(''),
);
