/** One seed: a cluster, people and misfortune, and then the end of it. Looks at all invariants while it runs. */
import { createMemoryCluster, type MemoryCluster } from '../../support/memory-cluster.ts';
import { createVirtualClock } from '../../support/virtual-clock.ts';
import type { Bug } from './bugs.ts';
import { createDice } from './dice.ts';
import { extras } from './extras.ts';
import { createFacts } from './facts.ts';
import { faults, type Happening, quietNetwork, type World } from './faults.ts';
import { createHands, type Hands } from './hands.ts';
import { differences, mend, tidy } from './mend.ts';
import { fullName } from './names.ts';
import { createPerson } from './person.ts';
import { joinPlant, plantHappenings } from './plants.ts';
import { reviews } from './reviews.ts';
import { createRivalHands, type RivalHands, rivalHappenings } from './rival.ts';
import { createRules, type Rules } from './rules.ts';
import { verbs } from './verbs.ts';
import { createWires } from './wiring.ts';
import { everywhere, exclusive, steady, wishes } from './wishes.ts';
import { createWitness, type Violation, type Witness } from './witness.ts';

export interface Outcome {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** Of the trace. */
  readonly hash: string;
  readonly steps: number;
  /** Virtual ms in all, and those from the end of all faults until everything was as wanted. */
  readonly virtual: number;
  readonly healing: number;
}

export interface PlayOptions {
  readonly bug?: Bug;
  /** Told of every step. */
  readonly print?: (line: string) => void;
}

/** Virtual ms in which everything must be as wanted once all faults have ended. */
const healingLimit = 900_000;
/** And for so long nothing may happen then. */
const quiet = 60_000;
/** Longer than all of the rest at the end. */
const atRest = 120_000;
const happenings = [...faults, ...wishes, ...verbs, ...reviews, ...plantHappenings, ...rivalHappenings];
const pauses = [10, 10, 200, 200, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
/** Once in a while, so that what takes its time comes to its end, and calm can be told from trouble. */
const longPause = 120_000;

/** Plays one seed to its end, or to its first violation. */
export async function play(seed: number, { bug, print }: PlayOptions = {}): Promise<Outcome> {
  const clock = createVirtualClock({ rounds: 0 });
  const now = (): number => clock.now().mono;
  const dice = createDice(seed);
  const facts = createFacts();
  const witness = createWitness(now, print);
  const anchors = new Set(Object.keys(steady).map((name) => fullName('git', name)));
  let cluster: MemoryCluster | undefined;
  let hands: Hands | undefined;
  let onGaveUp: RivalHands['gaveUp'] | undefined;
  const rules = createRules({ facts, witness, now, wall: () => clock.now().wall, anchors, cluster: () => cluster });
  const wires = createWires({
    clock,
    dice,
    facts,
    witness,
    rules,
    bug,
    gaveUp: (who, error) => onGaveUp?.(who, error),
    died(machine) {
      const how = dice.chance(0.5) ? 'power' : 'process';
      const after = dice.pick([10, 2_000, 20_000]);
      if (machine) hands?.restartAgent(machine, how, after);
      else hands?.restartReconciler(how, after);
    },
  });
  cluster = await createMemoryCluster({ workers: 3 + dice.below(3), seed, wiring: wires.wiring });
  facts.isReady = true;
  hands = createHands({ cluster, facts, witness, dice, disk: wires.disk });
  const person = createPerson(cluster, facts, witness, bug);
  const { disk, bodies } = wires;
  const rivals = createRivalHands({ cluster, facts, witness, dice, hands, wires });
  onGaveUp = rivals.gaveUp;
  const plant = dice.chance(0.3) ? await joinPlant(cluster, witness, rules) : undefined;
  facts.plant = plant?.id;
  const hasRivals = dice.chance(0.05);
  const world: World = {
    cluster,
    dice,
    facts,
    hands,
    person,
    disk,
    bodies,
    rules,
    plant,
    rivals: hasRivals ? rivals : undefined,
  };
  const run: Run = { world, rules, witness, isOver: () => witness.violations.length > 0 };
  begin(world);
  wires.rough = true;
  await trouble(run);
  wires.rough = false;
  const healing = await heal(run);
  await rest(run);
  const { violations, steps } = witness;
  await end(world);
  return { seed, violations, hash: witness.hash(), steps, virtual: now(), healing };
}

interface Run {
  readonly world: World;
  readonly rules: Rules;
  readonly witness: Witness;
  isOver(): boolean;
}

function begin({ person, cluster, dice }: World): void {
  cluster.broker.fate = quietNetwork;
  for (const [name, wish] of Object.entries(steady)) person.git.set(name, wish);
  person.git.set('each', everywhere);
  person.git.set('solo', exclusive);
  for (const group of extras.filter(() => dice.chance(0.4)))
    for (const [name, wish] of Object.entries(group)) person.git.set(name, wish);
  if (dice.chance(0.5)) person.listed = new Set(cluster.nodes.map(({ name }) => name));
  person.push();
}

/** Time passes, in steps between which everything is looked at. */
async function pass({ world, rules, isOver }: Run, ms: number, step = 10_000): Promise<void> {
  for (let left = ms; left > 0 && !isOver(); left -= step) {
    await world.cluster.clock.advance(Math.min(left, step));
    world.person.tick();
    rules.look();
  }
}

async function trouble(run: Run): Promise<void> {
  const { world, witness } = run;
  const { dice, facts } = world;
  await pass(run, dice.pick([1_000, 10_000, 40_000]));
  const count = 15 + dice.below(20);
  for (let i = 0; i < count && !run.isOver(); i += 1) {
    const text = draw(world).run(world);
    if (text !== undefined) {
      facts.troubledAt = world.cluster.clock.now().mono;
      witness.saw(`--- ${text}`);
    }
    await pass(run, dice.chance(0.03) ? longPause : dice.pick(pauses));
  }
}

function draw({ dice }: World): Happening {
  let at = dice.below(happenings.reduce((sum, { weight }) => sum + weight, 0));
  for (const happening of happenings) {
    at -= happening.weight;
    if (at < 0) return happening;
  }
  throw new Error('weights');
}

/** ms until everything was as wanted. */
async function heal(run: Run): Promise<number> {
  const { world, witness } = run;
  const { clock } = world.cluster;
  const start = clock.now().mono;
  if (run.isOver()) return 0;
  witness.saw('--- all faults end');
  mend(world);
  for (;;) {
    await pass(run, 4_000);
    const passed = clock.now().mono - start;
    if (run.isOver()) return passed;
    tidy(world);
    const wrong = [...differences(world), ...goesSoon(world)];
    if (wrong.length === 0) return passed;
    if (passed < healingLimit) continue;
    witness.broken('I10 everything comes as wanted', `${passed / 1000} s after the last fault: ${wrong.join('; ')}`);
    return passed;
  }
}

/** What a source removed is not to go for good while nothing is to happen. */
function goesSoon({ cluster, facts }: World): string[] {
  const soon = cluster.clock.now().wall + atRest;
  return facts.retirements.some((until) => until <= soon) ? ['what a source removed goes in a moment'] : [];
}

/** Everything is as wanted: nothing is done any more. */
async function rest(run: Run): Promise<void> {
  const { world, witness } = run;
  const { cluster } = world;
  if (run.isOver()) return;
  witness.saw('--- everything is as wanted');
  // A ledger that could not be read is asked for again after 30 s at most.
  await pass(run, 45_000);
  const handles = JSON.stringify([...cluster.handles()].sort());
  const said = cluster.broker.log.length;
  await pass(run, quiet);
  if (run.isOver()) return;
  const later = cluster.broker.log.slice(said).filter(({ topic }) => /\/(assignment|controls)/.test(topic));
  if (later.length > 0)
    witness.broken('I11 what is settled stays', `${later.length} messages to nodes, the first on ${later[0]?.topic}`);
  if (JSON.stringify([...cluster.handles()].sort()) !== handles)
    witness.broken('I11 what is settled stays', 'other copies run than before');
  const wrong = differences(world);
  if (wrong.length > 0) witness.broken('I11 what is settled stays', wrong.join('; '));
}

/** Leaves nothing behind that would run on. */
async function end({ facts, cluster }: World): Promise<void> {
  for (const { life } of facts.machines.values()) life.alive = false;
  facts.rival?.process.die();
  for (const node of cluster.nodes) node.kill();
  cluster.killReconciler();
  await cluster.clock.settle();
  // The world was played in one turn: others have theirs between two of them.
  await new Promise<void>((resolve) => setImmediate(resolve));
}
