import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Job } from '../../../../schemas/messages.ts';
import { createViewWorld, now, v1, v2, web } from '../../../support/view-world.ts';

const c = createViewWorld();

it('never says settled unless the wanted digest is healthy on every wanted slot, and nothing else runs', () => {
  const anyCopy = fc.record({
    slot: fc.integer({ min: 0, max: 2 }),
    id: fc.integer({ min: 1, max: 4 }).map((gen) => `3.${gen}`),
    node: fc.constantFrom(1, 2, 3),
    digest: fc.constantFrom(v1, v2),
    want: fc.constantFrom<Job['want'][]>('run', 'prepared', 'stopped'),
    status: fc.constantFrom('none', 'pulling', 'running', 'unhealthy', 'stopped'),
    age: fc.constantFrom(0, 9_999, 10_000),
    unpromised: fc.boolean(),
  });
  const silences = fc.tuple(...[1, 2, 3].map(() => fc.constantFrom(0, 13_000, 60_000)));
  let settled = 0;
  fc.assert(
    fc.property(
      fc.array(anyCopy, { maxLength: 5 }),
      silences,
      fc.integer({ min: 0, max: 3 }),
      (copies, quiet, slots) => {
        c.world.copies.clear();
        c.want(Array.from({ length: slots }, (_, slot) => slot));
        for (const { slot, ...given } of copies) c.copy(slot, given);
        quiet.forEach((ms, index) => void c.silence(index + 1, ms));
        const view = c.service();
        expect(view.healthy).toBeLessThanOrEqual(view.slots);
        if (view.outcome !== 'settled') return;
        settled += 1;
        expect(view.healthy).toBe(slots);
        const near = [...(c.world.copies.get(web)?.values() ?? [])].filter(
          ({ node }) => quiet[Number(node.at(-1)) - 1] !== 60_000,
        );
        expect(near).toHaveLength(slots);
        for (const { job, report, since = now.mono, node } of near) {
          expect([job?.want, job?.digest, report?.status]).toEqual(['run', v2, 'running']);
          expect(now.mono - since).toBeGreaterThanOrEqual(10_000);
          expect(quiet[Number(node.at(-1)) - 1]).toBe(0);
        }
      },
    ),
    { numRuns: 2_000 },
  );
  expect(settled).toBeGreaterThan(0);
});
