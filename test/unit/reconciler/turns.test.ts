import { describe, expect, it } from 'vitest';
import { foldPlans } from '../../../reconciler/core/plan.ts';
import { atOnce, type Steps } from '../../../reconciler/core/steps.ts';
import { apply } from '../../../reconciler/core/world.ts';
import { planOf, planSteps } from '../../../reconciler/dry-run.ts';
import type { Planning } from '../../../reconciler/planning.ts';
import { savePlanning, saveSteps } from '../../../reconciler/saved-planning.ts';
import { createTurns } from '../../../reconciler/turns.ts';
import { aCluster, aPolicy, aRun, aService, at, wanted } from '../../support/builders.ts';

/** Each look at it takes a millisecond of work. */
function aBusyClock() {
  let ms = 0;
  return {
    now: () => {
      ms += 1;
      return at(ms);
    },
  };
}

function* count(to: number): Steps<number> {
  for (let n = 0; n < to; n += 1) yield;
  return to;
}

/** Half of what is wanted runs, and the other half is new. */
function aPlanning(services: number): Planning {
  const cluster = aCluster();
  for (const n of [1, 2, 3]) cluster.join(n, 0, { capacity: { cpu: 1_000, memory: 1_000_000 } });
  const want = (n: number, code = 'app:1') =>
    cluster.want(wanted(aService({ name: `a.default.s${n}.default`, run: aRun(code, { memory: 1 }), replicas: 2 })));
  for (let n = 0; n < services / 2; n += 1) want(n);
  foldPlans(cluster.world, aPolicy(), at(10));
  for (const n of [1, 2, 3]) cluster.obey(n, 1_000);
  for (let n = services / 4; n < services; n += 1) want(n, 'app:2');
  const rest = { limits: 'none' as const, direct: {}, sources: [] };
  return { world: cluster.world, policy: aPolicy(), now: at(12_000), ...rest };
}

/** What may happen to a world while somebody plans on a copy of it. */
function* disturb({ world }: Planning): Generator<undefined, void, undefined> {
  for (const service of [...world.desired.keys()]) {
    apply(world, { kind: 'desired', service });
    yield;
    apply(world, { kind: 'head', source: 'main', commit: service });
    yield;
  }
  for (const id of [...world.nodes.keys()]) {
    apply(world, { kind: 'node_forgotten', node: id });
    yield;
  }
}

/** The result of the steps, while something else happens after each. */
function disturbed<T>(planning: Planning, steps: Steps<T>): T {
  const life = disturb(planning);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    life.next();
  }
}

describe('long work', () => {
  it('lets others have their turn after each piece of it', async () => {
    let turns = 0;
    const { run } = createTurns(aBusyClock(), async () => {
      turns += 1;
    });
    expect(await run(() => count(400))).toBe(400);
    expect(turns).toBeGreaterThanOrEqual(15);
    expect(turns).toBeLessThanOrEqual(25);
  });

  it('is done one at a time, in order, and what fails fails alone', async () => {
    const { run } = createTurns(aBusyClock());
    const said: string[] = [];
    const work = (name: string) =>
      run(function* (): Steps<string> {
        said.push(`${name} begins`);
        yield* count(100);
        if (name === 'b') throw new Error('b cannot');
        said.push(`${name} ends`);
        return name;
      });
    const all = await Promise.allSettled(['a', 'b', 'c'].map(work));
    expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(said).toEqual(['a begins', 'a ends', 'b begins', 'c begins', 'c ends']);
  });

  it('keeps no timer and no request waiting while a dry run of many services is under way', async () => {
    const { run } = createTurns(aBusyClock());
    let [answered, isDone] = [0, false];
    const ask = (): void => {
      answered += 1;
      if (!isDone) setImmediate(ask);
    };
    setImmediate(ask);
    let timers = 0;
    const timer = setInterval(() => {
      timers += 1;
    }, 1);
    const plan = await run(() => planSteps(aPlanning(200), {}));
    isDone = true;
    clearInterval(timer);
    expect(plan.changes.length).toBeGreaterThan(200);
    // A step for each service and for each change, twenty to a piece.
    expect(answered).toBeGreaterThan(15);
    expect(timers).toBeGreaterThan(0);
  });
});

describe('law: what a dry run or a snapshot says is of the moment at which it began', () => {
  it('a plan in steps is the plan at once, whatever becomes of the world meanwhile', () => {
    const planning = aPlanning(40);
    const expected = planOf(planning, {});
    expect(new Set(expected.changes.map(({ action }) => action))).toEqual(new Set(['start', 'replace']));
    expect(disturbed(planning, planSteps(planning, {}))).toEqual(expected);
    expect(planOf(planning, {})).not.toEqual(expected);
  });

  it('a snapshot in steps is the snapshot at once', () => {
    const planning = aPlanning(40);
    const expected = JSON.stringify(savePlanning(planning, 'ab'.repeat(32)));
    expect(JSON.stringify(disturbed(planning, saveSteps(planning, 'ab'.repeat(32))))).toBe(expected);
    expect(JSON.stringify(atOnce(saveSteps(planning, 'ab'.repeat(32))))).not.toBe(expected);
  });
});
