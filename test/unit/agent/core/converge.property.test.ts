import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { converge, pullsAtOnce, stepsAtOnce } from '../../../../agent/core/converge.ts';
import type { ActualCopy } from '../../../../agent/core/copy.ts';
import { afterStep } from '../../../../agent/core/members.ts';
import { imageKey, keyText, type Memory } from '../../../../agent/core/memory.ts';
import type { Step } from '../../../../agent/core/step.ts';
import type { Part } from '../../../../schemas/assignment.ts';
import { compareFence, parseCopyId } from '../../../../schemas/names.ts';
import type { Mono, Now, Wall } from '../../../../schemas/ports.ts';
import type { RunSpec, RuntimeName } from '../../../../schemas/spec.ts';
import { container, jobOf, partOf } from '../support.ts';

const now: Now = { mono: 1_000 as Mono, wall: 0 as Wall };
const runs: RunSpec[] = ['web:1', 'web:2', 'web:3'].map((code) => container(code));
const foreign = `1:${'0'.repeat(64)}`;

interface Case {
  readonly ledger: Part;
  readonly copies: ReadonlyMap<string, ActualCopy>;
}

const instance = fc.nat(11).map((n) => `a.default.s.default.instance.${n}`);
/** Copies 1.1 to 1.6 are known to a ledger at 1.6; 1.7 and 1.8 are ahead of it. */
const copy = fc.integer({ min: 1, max: 8 }).map((gen) => `1.${gen}`);
const job = fc
  .record({
    instance,
    copy: fc.integer({ min: 1, max: 6 }).map((gen) => `1.${gen}`),
    run: fc.constantFrom(...runs),
    want: fc.constantFrom('run' as const, 'run' as const, 'prepared' as const, 'stopped' as const),
  })
  .map((one) => [jobOf(one.instance, one.copy, one.run, one.want), one.run] as const);
const found = fc.record({
  instance,
  copy,
  state: fc.constantFrom('created' as const, 'running' as const, 'exited' as const),
  fits: fc.integer({ min: 0, max: 5 }),
});

const cases: fc.Arbitrary<Case> = fc
  .record({
    jobs: fc.uniqueArray(job, { maxLength: 20, selector: ([one]) => keyText(one) }),
    founds: fc.uniqueArray(found, { maxLength: 20, selector: keyText }),
  })
  .map(({ jobs, founds }) => {
    const ledger = partOf({ epoch: 1, gen: 6, by: 'x' }, jobs);
    const digests = new Map(ledger.jobs.map((one) => [keyText(one), one.digest]));
    const copies = founds.map(({ fits, ...rest }): [string, ActualCopy] => {
      const digest = fits === 0 ? foreign : (digests.get(keyText(rest)) ?? foreign);
      return [keyText(rest), { ...rest, digest, runtime: 'docker', handle: 'h', addresses: [] }];
    });
    return { ledger, copies: new Map(copies) };
  });

function memory(more: Partial<Memory> = {}): Memory {
  return { copies: new Map(), busy: new Map(), stale: new Set(), images: new Map(), limits: new Map(), ...more };
}

const actualOf = (copies: ReadonlyMap<string, ActualCopy> | 'unknown'): ReadonlyMap<RuntimeName, typeof copies> =>
  new Map([['docker' as const, copies]]);

const isAhead = (one: { copy: string }, ledger: Part): boolean =>
  compareFence(parseCopyId(one.copy) ?? { epoch: 0, gen: 0 }, ledger.fence) > 0;

/** Carries out steps at once until none is left; hands each round to `check`. Returns what is there in the end. */
function settle({ ledger, copies }: Case, check: (steps: Step[], before: Map<string, ActualCopy>) => void) {
  const there = new Map(copies);
  const images = new Map<string, Mono>();
  for (let round = 0; round < 200; round += 1) {
    const steps = converge(ledger, actualOf(there), memory({ images }), now);
    if (steps.length === 0) return there;
    check(steps, new Map(there));
    for (const step of steps) {
      if (step.kind === 'prepare') images.set(imageKey(step.runtime, step.run), 9_999 as Mono);
      else if (step.kind !== 'create' || !there.has(keyText(step))) afterStep(there, step);
    }
  }
  throw new Error('it does not come to rest');
}

describe('converge', () => {
  test('comes to rest at what the ledger says, and then has nothing to do', () => {
    fc.assert(
      fc.property(cases, (one) => {
        const there = settle(one, () => undefined);
        for (const job of one.ledger.jobs) {
          const copy = there.get(keyText(job));
          if (job.want === 'run') expect(copy?.state).toBe('running');
          if (job.want === 'prepared') expect(copy && copy.state !== 'running').toBe(true);
          if (job.want === 'stopped') expect(copy?.state).not.toBe('running');
          if (copy) expect(copy.digest).toBe(job.digest);
        }
        const known = new Set(one.ledger.jobs.map(keyText));
        for (const [key, copy] of there) expect(known.has(key) || isAhead(copy, one.ledger)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('at most 8 steps, one transition per instance, one pull per image', () => {
    fc.assert(
      fc.property(cases, (one) => {
        settle(one, (steps) => {
          expect(steps.length).toBeLessThanOrEqual(stepsAtOnce);
          const moved = steps.map((step) => step.instance);
          expect(new Set(moved).size).toBe(moved.length);
          const pulls = steps.flatMap((step) => (step.kind === 'prepare' ? [step.run.code] : []));
          expect(new Set(pulls).size).toBe(pulls.length);
          expect(pulls.length).toBeLessThanOrEqual(pullsAtOnce);
        });
      }),
      { numRuns: 1_000 },
    );
  });

  test('within one instance nothing starts before what must not run has stopped', () => {
    fc.assert(
      fc.property(cases, (one) => {
        const wants = new Map(one.ledger.jobs.map((job) => [keyText(job), job]));
        settle(one, (steps, before) => {
          for (const step of steps.filter(({ kind }) => kind === 'start')) {
            for (const [key, copy] of before) {
              if (copy.instance !== step.instance || copy.state !== 'running' || isAhead(copy, one.ledger)) continue;
              expect(wants.get(key)).toMatchObject({ want: 'run', digest: copy.digest });
            }
          }
        });
      }),
      { numRuns: 2_000 },
    );
  });

  test('what matches its digest is adopted: never created again, never removed; and started only if it does not run', () => {
    fc.assert(
      fc.property(cases, (one) => {
        const adopted = one.ledger.jobs.filter((job) => one.copies.get(keyText(job))?.digest === job.digest);
        const keys = new Set(adopted.map(keyText));
        settle(one, (steps, before) => {
          for (const step of steps) {
            if (!keys.has(keyText(step))) continue;
            expect(['start', 'stop']).toContain(step.kind);
            if (step.kind === 'start') expect(before.get(keyText(step))?.state).not.toBe('running');
          }
        });
      }),
      { numRuns: 1_000 },
    );
  });

  test('copies that the ledger cannot know yet are never touched', () => {
    fc.assert(
      fc.property(cases, (one) => {
        settle(one, (steps) => {
          for (const step of steps) expect(isAhead(step, one.ledger)).toBe(false);
        });
      }),
      { numRuns: 500 },
    );
  });

  test('an engine that does not answer gets no step, and neither does a runtime that is not there', () => {
    fc.assert(
      fc.property(cases, ({ ledger }) => {
        expect(converge(ledger, actualOf('unknown'), memory(), now)).toEqual([]);
        expect(converge(ledger, new Map(), memory(), now)).toEqual([]);
      }),
    );
  });

  test('what is under way counts: no second transition for its instance, and no more than 8 in all', () => {
    fc.assert(
      fc.property(cases, fc.nat(10), (one, take) => {
        const steps = converge(one.ledger, actualOf(one.copies), memory(), now).slice(0, take);
        const busy = new Map(steps.map((step) => [keyText(step), step]));
        const more = converge(one.ledger, actualOf(one.copies), memory({ busy }), now);
        expect(busy.size + more.length).toBeLessThanOrEqual(stepsAtOnce);
        const moving = new Set(steps.filter(({ kind }) => kind !== 'prepare').map((step) => step.instance));
        for (const step of more) expect(moving.has(step.instance)).toBe(false);
        for (const step of more) expect(busy.has(keyText(step))).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });

  test('an instance in doubt, and a copy that waits for its back-off, are left alone', () => {
    const run = container('web:1');
    const one = jobOf('a.default.s.default.instance.0', '1.1', run);
    const ledger = partOf({ epoch: 1, gen: 1, by: 'x' }, [[one, run]]);
    const nothing = actualOf(new Map());
    expect(converge(ledger, nothing, memory(), now)).toHaveLength(1);
    expect(converge(ledger, nothing, memory({ stale: new Set([one.instance]) }), now)).toEqual([]);
    const waits = (notBefore: number) =>
      new Map([[keyText(one), { crashes: 0, restarts: 0, notBefore: notBefore as Mono }]]);
    expect(converge(ledger, nothing, memory({ copies: waits(1_001) }), now)).toEqual([]);
    expect(converge(ledger, nothing, memory({ copies: waits(1_000) }), now)).toHaveLength(1);
  });

  test('the stop of a copy takes its grace from the run spec, from memory once dropped, else 10 s', () => {
    const run = container('web:1', { stop_grace: 3_000 });
    const one = jobOf('a.default.s.default.instance.0', '1.1', run, 'stopped');
    const running: ActualCopy = {
      ...one,
      runtime: 'docker',
      state: 'running',
      handle: 'h',
      addresses: [],
    };
    const there = actualOf(new Map([[keyText(one), running]]));
    const graceOf = (ledger: Part, more: Partial<Memory> = {}) => converge(ledger, there, memory(more), now)[0];
    expect(graceOf(partOf({ epoch: 1, gen: 2, by: 'x' }, [[one, run]]))).toMatchObject({ kind: 'stop', grace: 3_000 });
    const dropped = partOf({ epoch: 1, gen: 2, by: 'x' }, []);
    expect(graceOf(dropped)).toMatchObject({ kind: 'stop', grace: 10_000 });
    const copies = new Map([[keyText(one), { crashes: 0, restarts: 0, grace: 500 }]]);
    expect(graceOf(dropped, { copies })).toMatchObject({ kind: 'stop', grace: 500 });
  });

  test('what goes without any grace goes in one call, as urgent as a stop; what may come back is stopped', () => {
    const run = container('web:1', { stop_grace: 0 });
    const jobs = Array.from({ length: 9 }, (_, n) => jobOf(`a.default.s.default.instance.${n}`, '1.1', run, 'stopped'));
    const running = (job: (typeof jobs)[number]): [string, ActualCopy] => [
      keyText(job),
      { ...job, runtime: 'docker', state: 'running', handle: 'h', addresses: [] },
    ];
    const last = jobs.slice(8);
    const there = actualOf(new Map(last.map(running)));
    const kept = partOf(
      { epoch: 1, gen: 2, by: 'x' },
      last.map((job) => [job, run]),
    );
    expect(converge(kept, there, memory(), now)).toMatchObject([{ kind: 'stop', grace: 0 }]);
    const others = jobs.slice(0, 8).map((job) => [{ ...job, want: 'run' as const }, run] as const);
    const dropped = partOf({ epoch: 1, gen: 2, by: 'x' }, others);
    const copies = new Map([[keyText(last[0] as (typeof jobs)[number]), { crashes: 0, restarts: 0, grace: 0 }]]);
    const images = new Map([[imageKey('docker', { code: 'web:1' }), 9_999 as Mono]]);
    const [first] = converge(dropped, there, memory({ copies, images }), now);
    expect(first).toMatchObject({ kind: 'remove', force: true, instance: last[0]?.instance });
  });
});
