/** `npm run sim`: plays seeds of the simulated world, or one of them again, or looks for the planted bugs. */
import { parseArgs } from 'node:util';
import { type Bug, bugNamed, bugs } from './bugs.ts';
import { type Outcome, play } from './play.ts';
import { servePlayer, withPlayers } from './players.ts';

const usage = `npm run sim -- --seed N [--trace] [--bug NAME]     one seed; its steps on stdout
npm run sim -- --seeds N [--from N] [--all]        many, until the first violation (or all of them)
npm run sim -- --bugs [--within N] [--bug NAME]    every planted bug, in so many seeds at most (2,000)
  --jobs N                                         so many processes (1)`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const { values } = parseArgs({
  options: {
    seed: text,
    seeds: text,
    from: text,
    all: flag,
    trace: flag,
    bugs: flag,
    bug: text,
    within: text,
    jobs: text,
    player: flag,
    help: flag,
  },
});

function numberOf(name: 'seed' | 'seeds' | 'from' | 'within' | 'jobs', other: number): number {
  const value = values[name];
  if (value === undefined) return other;
  if (!/^[0-9]{1,9}$/.test(value)) throw new TypeError(`--${name} is a number, not ${value}`);
  return Number(value);
}

/** What somebody needs who wants to see it again. */
function report({ seed, violations }: Outcome, bug?: Bug): string {
  return violations
    .flatMap(({ invariant, what, at, steps }) => [
      ...steps,
      '',
      `seed ${seed}, ${(at / 1000).toFixed(3)} virtual seconds: ${invariant}`,
      `  ${what}`,
      `  again: npm run sim -- --seed ${seed} --trace${bug ? ` --bug '${bug.name}'` : ''}`,
    ])
    .join('\n');
}

async function one(seed: number, bug: Bug | undefined): Promise<boolean> {
  const print = values.trace ? (line: string) => console.log(line) : undefined;
  const outcome = await play(seed, { ...(bug && { bug }), ...(print && { print }) });
  if (outcome.violations.length > 0) console.error(report(outcome, bug));
  const { steps, virtual, healing, hash } = outcome;
  console.error(
    `seed ${seed}: ${steps} steps in ${virtual / 1000} virtual s, healed after ${healing / 1000} s, trace ${hash}`,
  );
  return outcome.violations.length === 0;
}

/** What is said of many seeds while they are played. */
function createTally(count: number, from: number) {
  const start = performance.now();
  let said = start;
  let done = 0;
  let steps = 0;
  let virtual = 0;
  const bad: Outcome[] = [];
  const say = (): void => {
    said = performance.now();
    const passed = (said - start) / 1000;
    const speed = `${(done / passed).toFixed(1)} seeds/s, ${Math.round(virtual / 1000 / passed)} times real time`;
    console.error(`${done} of ${count} seeds from ${from}, ${bad.length} with violations; ${speed}, ${steps} steps`);
  };
  return {
    bad,
    say,
    took(outcome: Outcome): void {
      done += 1;
      steps += outcome.steps;
      virtual += outcome.virtual;
      if (outcome.violations.length > 0) {
        bad.push(outcome);
        console.error(report(outcome));
      }
      if (performance.now() - said > 10_000) say();
    },
  };
}

async function many(count: number, from: number, jobs: number): Promise<boolean> {
  const { bad, say, took } = createTally(count, from);
  let next = from;
  await withPlayers(jobs, async (player) => {
    while (next < from + count && (values.all || bad.length === 0)) {
      const seed = next;
      next += 1;
      took(await player(seed));
    }
  });
  say();
  if (bad.length > 0) console.error(`violated: ${bad.map(({ seed }) => seed).join(' ')}`);
  return bad.length === 0;
}

async function hunt(list: readonly Bug[], within: number, from: number, jobs: number): Promise<boolean> {
  let found = 0;
  const left = [...list];
  await withPlayers(jobs, async (player) => {
    for (let bug = left.shift(); bug; bug = left.shift()) {
      let outcome: Outcome | undefined;
      for (let seed = from; seed < from + within; seed += 1) {
        outcome = await player(seed, bug.name);
        if (outcome.violations.length > 0) break;
      }
      const violation = outcome?.violations[0];
      if (violation) found += 1;
      const how = violation ? `seed ${outcome?.seed}: ${violation.invariant}` : `NOT FOUND in ${within} seeds`;
      console.log(`${bug.name.padEnd(60)} ${how}`);
    }
  });
  console.log(`${found} of ${list.length} planted bugs found`);
  return found === list.length;
}

async function main(): Promise<boolean> {
  if (values.player) return servePlayer().then(() => true);
  const bug = values.bug === undefined ? undefined : bugNamed(values.bug);
  const [from, jobs] = [numberOf('from', 1), Math.max(1, numberOf('jobs', 1))];
  if (values.bugs) return hunt(bug ? [bug] : bugs, numberOf('within', 2_000), from, jobs);
  if (values.seed !== undefined) return one(numberOf('seed', 1), bug);
  if (values.seeds !== undefined) return many(numberOf('seeds', 1), from, jobs);
  console.error(usage);
  return Boolean(values.help);
}

process.exitCode = (await main()) ? 0 : 1;
