import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Bucket, classify, type Filed } from '../../../../reconciler/core/buckets.ts';
import { type Seen, type SlotState, seeCopies, survey } from '../../../../reconciler/core/classify.ts';
import { planService } from '../../../../reconciler/core/plan-service.ts';
import { targetOf } from '../../../../reconciler/core/rollout.ts';
import { wantedSlots } from '../../../../reconciler/core/slots.ts';
import { wantedOf } from '../../../../reconciler/core/wanted.ts';
import type { Hold } from '../../../../schemas/status.ts';
import { aCluster, aPolicy, at } from '../../../support/builders.ts';
import { plannedLife, take } from '../../../support/cluster-life.ts';

const policy = aPolicy();

/** What each bucket says, each for itself. */
const meanings: Readonly<
  Record<Exclude<Filed['bucket'], 'frozen'>, (slot: SlotState, isOver: (target: Seen) => boolean) => boolean>
> = {
  settled: ({ target, current }) => target?.healthy === true && !current,
  relieved: ({ target, current }) => target?.healthy === true && current !== undefined,
  starting: ({ target }, isOver) => target?.healthy === false && target.job.want === 'run' && !isOver(target),
  failed: ({ target }, isOver) => target?.healthy === false && target.job.want === 'run' && isOver(target),
  prepared: ({ target }) => target?.job.want === 'prepared',
  stopped: ({ target }) => target?.job.want === 'stopped',
  done: ({ target, done }) => !target && done !== undefined,
  silent: ({ target, done, silent }) => !target && !done && silent.length > 0,
  outdated: ({ target, done, current, silent }) => !target && !done && current !== undefined && silent.length === 0,
  unread: ({ target, done, current, silent, unread }) =>
    !target && !done && !current && silent.length === 0 && unread.length > 0,
  lost: ({ target, done, current, silent, unread, lost }) =>
    !target && !done && !current && silent.length === 0 && unread.length === 0 && lost.length > 0,
  missing: ({ target, done, current, silent, unread, lost }) =>
    !target && !done && !current && silent.length + unread.length + lost.length === 0,
};

/** What is frozen is nothing else, whatever it would be. */
const freezes = ({ slot }: Pick<SlotState, 'slot'>): Hold | undefined =>
  slot === 3 ? { code: 'SUSPENDED', subject: '', message: '' } : undefined;

it('every instance is in exactly one bucket, and what that says holds of it and no other', () => {
  const filled = new Map<Bucket, number>();
  const oneMore = (bucket: Bucket): void => void filled.set(bucket, (filled.get(bucket) ?? 0) + 1);
  const law = fc.property(fc.array(plannedLife(6), { minLength: 10, maxLength: 120 }), fc.boolean(), (steps, over) => {
    const made = aCluster();
    steps.forEach((one, n) => void take(made, one, n * 500, policy));
    const now = at(steps.length * 500);
    for (const service of made.world.desired.keys()) {
      const desired = wantedOf(made.world, service);
      const rollout = planService(made.world, service, policy, now).rollout;
      if (!desired || !rollout) continue;
      const wanted = wantedSlots(made.world, desired);
      const copies = seeCopies(made.world, service, policy, now, 0);
      const found = classify(survey(wanted, copies, targetOf(desired, rollout)), {
        isOver: () => over,
        freezes,
      });
      for (const { bucket, slot } of found.wanted) {
        expect(bucket === 'frozen').toBe(freezes(slot) !== undefined);
        if (bucket === 'frozen') continue;
        const holds = Object.entries(meanings).filter(([, means]) => means(slot, () => over));
        expect(holds.map(([name]) => name)).toEqual([bucket]);
        oneMore(bucket);
      }
      found.surplus.forEach(({ bucket }) => void oneMore(bucket));
      const filed = [
        ...found.wanted.map(({ slot }) => slot.instance),
        ...found.surplus.map(({ instance }) => instance),
      ];
      const instances = [...wanted, ...copies.seen.map(({ copy }) => copy)].map(({ instance }) => instance);
      expect(filed.sort()).toEqual([...new Set(instances)].sort());
    }
  });
  fc.assert(law, { numRuns: 100 });
  // What chance leaves out today, these lives have.
  filled.clear();
  fc.assert(law, { numRuns: 1_000, seed: 4 });
  for (const bucket of ['settled', 'starting', 'failed', 'outdated', 'silent', 'missing', 'surplus'] as const) {
    expect(filled.get(bucket) ?? 0, bucket).toBeGreaterThan(0);
  }
});
