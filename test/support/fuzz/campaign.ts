/**
 * A campaign of cases. `npm run fuzz -- --runs 1000000 --seed 7` makes it long; `--case 123` plays one again. Every case has to
 * end, without a throw and within its time, and leave the language as it was.
 */
import { expect, it } from 'vitest';
import { runsOf } from '../runs.ts';
import { createDice, type Dice } from './random.ts';

/** What became of a case; anything but `refused` is held against the policy by the campaign itself. */
export type Outcome = 'accepted' | 'refused';

const count = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise);
/** Cases of all campaigns together. */
const runs = count('OAKCTL_FUZZ_RUNS', runsOf({ ci: 20_000, otherwise: 5_000 }));
const seed = count('OAKCTL_FUZZ_SEED', 1);
const only = process.env['OAKCTL_FUZZ_CASE'];

/** ms of CPU for one case, compilation and garbage of the whole process included. */
const longestCase = 2_000;

export interface Campaign {
  readonly name: string;
  /** Part of all cases. */
  readonly share: number;
  /** So many, where that part is less. */
  readonly least?: number;
  /** At least this part must be accepted: a campaign that is refused at the door finds nothing. */
  readonly accepted: number;
  one(dice: Dice): Outcome | Promise<Outcome>;
}

/** Registers the campaign as a test. */
export function campaign({ name, share, least = 1, accepted, one }: Campaign): void {
  it(name, { timeout: 24 * 3_600_000 }, async () => {
    const total = only === undefined ? Math.max(least, Math.ceil(runs * share)) : 1;
    const outcomes = { accepted: 0, refused: 0 };
    const times = new Float64Array(total);
    const began = performance.now();
    for (let index = 0; index < total; index += 1) {
      const number = only === undefined ? index : Number(only);
      const start = process.cpuUsage();
      try {
        outcomes[await one(createDice(seed, number))] += 1;
        if (index % 16 === 0) requireUnpolluted();
      } catch (cause) {
        throw new Error(`--seed ${seed} --case ${number}: ${cause instanceof Error ? cause.message : cause}`, {
          cause,
        });
      }
      const { user, system } = process.cpuUsage(start);
      times[index] = (user + system) / 1_000;
      if ((times[index] ?? 0) > longestCase) throw new Error(`--seed ${seed} --case ${number} took ${times[index]} ms`);
      // Timers and signals get their turn.
      if (index % 1_024 === 1_023) await new Promise((resolve) => setImmediate(resolve));
    }
    requireUnpolluted();
    tell(name, total, outcomes.accepted, times, performance.now() - began);
    if (only === undefined) expect(outcomes.accepted / total).toBeGreaterThan(accepted);
  });
}

const before = [Object.prototype, Array.prototype, Function.prototype, String.prototype].map((one) => ({
  one,
  names: Reflect.ownKeys(one),
}));

function requireUnpolluted(): void {
  for (const { one, names } of before) {
    const now = Reflect.ownKeys(one);
    if (now.length !== names.length)
      throw new Error(`polluted: ${now.filter((key) => !names.includes(key)).join(', ')}`);
  }
}

function tell(name: string, total: number, accepted: number, times: Float64Array, took: number): void {
  const sorted = times.toSorted();
  const at = (part: number): string => (sorted[Math.min(total - 1, Math.floor(total * part))] ?? 0).toFixed(1);
  const figures = `p50 ${at(0.5)} ms, p99.9 ${at(0.999)} ms, longest ${at(1)} ms`;
  process.stderr.write(
    `fuzz: ${name}: ${total} cases of seed ${seed}, ${accepted} accepted, ${figures}, ${(took / 1_000).toFixed(1)} s\n`,
  );
}
