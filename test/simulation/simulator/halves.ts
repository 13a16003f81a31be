/** The first seeds in two files, which are tested at the same time. */
import { expect, it } from 'vitest';
import { play } from './play.ts';

const seeds = Number(process.env['OAKCTL_SIM_SEEDS'] ?? 30);

/** One half of the seeds from 1 to $OAKCTL_SIM_SEEDS. */
export function keepsEveryInvariant(half: 'odd' | 'even'): void {
  it(
    `keeps every invariant (the ${half} ones of ${seeds} seeds)`,
    async () => {
      const broken: string[] = [];
      for (let seed = half === 'odd' ? 1 : 2; seed <= seeds; seed += 2) {
        const { violations } = await play(seed);
        for (const { invariant, what } of violations)
          broken.push(`${invariant}: ${what}; npm run sim -- --seed ${seed} --trace`);
      }
      expect(broken).toEqual([]);
    },
    60_000 + 2_000 * seeds,
  );
}
