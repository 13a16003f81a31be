/** What can happen to a simulated cluster. Each gives what it did, for the trace. */
import type { Fate } from '../../support/memory-bus.ts';
import type { MemoryCluster } from '../../support/memory-cluster.ts';
import type { Bodies } from './bodies.ts';
import type { Dice } from './dice.ts';
import type { SimDisk } from './disk.ts';
import type { Facts, Machine } from './facts.ts';
import type { End, Hands } from './hands.ts';
import { foreign } from './names.ts';
import type { Person } from './person.ts';
import type { Plant } from './plants.ts';
import type { RivalHands } from './rival.ts';
import type { Rules } from './rules.ts';

export interface World {
  readonly cluster: MemoryCluster;
  readonly dice: Dice;
  readonly facts: Facts;
  readonly hands: Hands;
  readonly person: Person;
  /** Of the reconciler's machine. */
  readonly disk: SimDisk;
  readonly bodies: Bodies;
  readonly rules: Pick<Rules, 'removed' | 'planAsked'>;
  /** A node of the seeds' wire, in some worlds. */
  readonly plant: Plant | undefined;
  /** In some worlds there may be a second reconciler. */
  readonly rivals: RivalHands | undefined;
}

export interface Happening {
  readonly weight: number;
  /** What it did; undefined: it was not possible. */
  readonly run: (world: World) => string | undefined;
}

export const quietNetwork: Fate = () => [1];

const ends: readonly End[] = ['process', 'process', 'power'];

function anyMachine({ facts, dice }: World): Machine {
  return dice.pick([...facts.machines.values()]);
}

/** Messages are lost, doubled, late and out of order. */
function roughNetwork(dice: Dice): Fate {
  const [loss, double] = [dice.pick([0, 0.05, 0.3]), dice.pick([0, 0.1, 0.3])];
  const longest = dice.pick([5, 300, 3_000]);
  return () => {
    if (dice.chance(loss)) return [];
    const late = (): number => 1 + dice.below(longest);
    return dice.chance(double) ? [late(), late()] : [late()];
  };
}

/** Everybody's wall clock jumps. */
export function setWall({ cluster, facts }: Pick<World, 'cluster' | 'facts'>, ms: number): void {
  cluster.clock.jumpWall(ms);
  facts.suspended.clear();
  facts.wallOff += ms;
  if (ms < -3_600_000) facts.setBacks += 1;
}

export const faults: readonly Happening[] = [
  {
    weight: 1,
    run({ cluster, facts, dice }) {
      if (!facts.isReady || cluster.nodes.length >= 7) return undefined;
      // The name of a node that was removed is free again.
      const free = [...facts.removed.values()].filter(
        ({ name: old }) => !cluster.nodes.some(({ name }) => name === old),
      );
      const isOld = free.length > 0 && dice.chance(0.7);
      const name = isOld ? dice.pick(free).name : `late-${cluster.nodes.length}-${dice.below(1_000)}`;
      // Whether it is answered or not: a machine that comes too late is one that never came.
      facts.joining.add(name);
      const answered = (): boolean => facts.joining.delete(name);
      cluster.join(name).then(answered, answered);
      return `${name} joins`;
    },
  },
  {
    weight: 4,
    run(world) {
      const machine = anyMachine(world);
      if (!world.hands.isRunning(machine)) return undefined;
      const how = world.dice.pick(ends);
      if (world.dice.chance(0.5)) world.hands.restartAgent(machine, how, world.dice.pick([10, 1_000, 20_000, 60_000]));
      else world.hands.endAgent(machine, how);
      return `${machine.name}: ends by its ${how}`;
    },
  },
  {
    weight: 3,
    run(world) {
      const machine = anyMachine(world);
      if (!world.hands.isRunning(machine)) return undefined;
      machine.life.countdown = world.dice.below(12);
      return `${machine.name}: ends in the middle of a write, ${machine.life.countdown} calls from now`;
    },
  },
  {
    weight: 4,
    run(world) {
      const off = [...world.facts.machines.values()].filter(
        (machine) => !world.hands.isRunning(machine) && !machine.isGivenUp,
      );
      if (off.length === 0) return undefined;
      const machine = world.dice.pick(off);
      world.hands.startAgent(machine);
      return `${machine.name}: starts`;
    },
  },
  {
    weight: 1,
    run(world) {
      const machine = anyMachine(world);
      if (world.hands.isRunning(machine)) return undefined;
      machine.disk.wipe();
      machine.wiped = true;
      machine.wipedAt = world.cluster.clock.now().mono;
      machine.highest = [0, 0];
      return `${machine.name}: its state is wiped`;
    },
  },
  {
    weight: 1,
    run(world) {
      const machine = anyMachine(world);
      if (world.hands.isRunning(machine)) return undefined;
      const file = machine.disk.rot();
      if (file === undefined) return undefined;
      // The version before it counts, as after a restore.
      machine.wiped = true;
      machine.wipedAt = world.cluster.clock.now().mono;
      machine.highest = [0, 0];
      return `${machine.name}: ${file} is damaged`;
    },
  },
  {
    weight: 3,
    run(world) {
      const machine = anyMachine(world);
      if (!world.hands.isRunning(machine) || machine.isCut) return undefined;
      machine.isCut = true;
      world.cluster.broker.cut(machine.tag);
      return `${machine.name}: its link is cut`;
    },
  },
  {
    weight: 3,
    run({ facts, cluster }) {
      const cut = [...facts.machines.values()].filter((machine) => machine.isCut);
      for (const machine of cut) {
        machine.isCut = false;
        cluster.broker.heal(machine.tag);
      }
      return cut.length === 0 ? undefined : `${cut.map(({ name }) => name).join()}: the link is back`;
    },
  },
  {
    weight: 2,
    run({ cluster, dice, facts }) {
      if (facts.troubles.delete('network')) {
        cluster.broker.fate = quietNetwork;
        return 'the network is well';
      }
      facts.troubles.add('network');
      cluster.broker.fate = roughNetwork(dice);
      return 'the network loses, doubles, delays and reorders';
    },
  },
  {
    weight: 3,
    run({ hands, dice, disk, facts }) {
      if (!facts.brain) return undefined;
      const how = dice.pick(ends);
      hands.restartReconciler(how, dice.pick([10, 1_000, 4_000, 30_000]));
      const isWiped = dice.chance(0.2);
      if (isWiped) disk.wipe('/state/');
      return `the reconciler ends by its ${how}${isWiped ? ', and its state/ is deleted' : ''}`;
    },
  },
  {
    weight: 3,
    run({ facts, dice }) {
      if (!facts.brain) return undefined;
      facts.brain.life.countdown = dice.below(20);
      return `the reconciler ends in the middle of a write, ${facts.brain.life.countdown} calls from now`;
    },
  },
  {
    weight: 1,
    run({ cluster, dice }) {
      cluster.broker.restart(dice.pick([10, 2_000, 20_000]));
      return 'the broker restarts and forgets';
    },
  },
  {
    weight: 1,
    run({ cluster, dice, facts }) {
      if (facts.connectedAt === undefined) return undefined;
      cluster.broker.cut('reconciler');
      cluster.clock.after(dice.pick([100, 10_000, 40_000]), () => cluster.broker.heal('reconciler'));
      return 'the reconciler is cut off';
    },
  },
  {
    weight: 2,
    run(world) {
      const machine = anyMachine(world);
      const key = `engine of ${machine.name}`;
      machine.hurtAt = world.cluster.clock.now().mono;
      const isBad = world.facts.troubles.delete(key);
      const state = isBad ? 'up' : world.dice.pick(['hung', 'hung', 'down'] as const);
      if (!isBad) world.facts.troubles.add(key);
      machine.runtime.engine(state);
      return `${machine.name}: its engine is ${state}`;
    },
  },
  {
    weight: 2,
    run(world) {
      const machine = anyMachine(world);
      const running = [...machine.runtime.copies.values()].filter(
        ({ state, instance }) => state === 'running' && instance !== foreign,
      );
      if (running.length === 0) return undefined;
      const copy = world.dice.pick(running);
      world.bodies.end(machine, copy, world.dice.below(2));
      return `${machine.name}: ${copy.instance}/${copy.copy} dies`;
    },
  },
  {
    weight: 2,
    run(world) {
      const machine = anyMachine(world);
      const well = [...machine.runtime.copies.values()].filter(({ health, paused }) => health === 'healthy' && !paused);
      if (well.length === 0) return undefined;
      const copy = world.dice.pick(well);
      world.bodies.ail(machine, copy, world.dice.pick([1_000, 20_000, 60_000]));
      return `${machine.name}: ${copy.instance}/${copy.copy} is unwell`;
    },
  },
  {
    weight: 1,
    run({ cluster, dice, facts }) {
      const ms = dice.pick([-86_400_000, -7_200_000, -5_000, 5_000, 7_200_000, 86_400_000]);
      setWall({ cluster, facts }, ms);
      return `the wall clock jumps by ${ms / 1000} s`;
    },
  },
  {
    weight: 1,
    run(world) {
      const machine = anyMachine(world);
      if (machine.tag !== machine.id || machine.isGivenUp || world.facts.removed.has(machine.id)) return undefined;
      const clone = world.facts.machines.get(`${machine.id}.clone`);
      if (clone) world.hands.scrap(clone);
      else world.hands.clone(machine);
      return `${machine.name}: ${clone ? 'its clone ends' : 'a clone of it appears'}`;
    },
  },
  {
    weight: 1,
    run({ cluster, dice, facts }) {
      const { git } = cluster;
      const isBad = facts.troubles.delete('git');
      if (!isBad) facts.troubles.add('git');
      git.unreachable = !isBad && dice.chance(0.5);
      git.hanging = !isBad && !git.unreachable;
      if (dice.chance(0.3)) git.wipeMirror();
      return `git is ${isBad ? 'there' : git.hanging ? 'hanging' : 'unreachable'}`;
    },
  },
  {
    weight: 1,
    run(world) {
      const { facts, disk, dice } = world;
      const machine = dice.chance(0.5) ? anyMachine(world) : undefined;
      const key = `full disk of ${machine?.name ?? 'the reconciler'}`;
      const isFull = !facts.troubles.delete(key);
      if (isFull) facts.troubles.add(key);
      (machine?.disk ?? disk).full = isFull;
      return `${key}: ${isFull}`;
    },
  },
  {
    weight: 2,
    run({ cluster, facts, dice }) {
      const said = cluster.broker.log.filter(({ topic }) => /\/(assignment|controls)/.test(topic));
      if (said.length === 0) return undefined;
      const old = dice.pick(said);
      const machine = facts.machines.get(old.topic.split('/')[1] ?? '');
      if (!machine || old.payload === '') return undefined;
      const forged = dice.chance(0.5);
      const payload = forged ? old.payload.replace(/"gen":\d+/, '"gen":999999') : old.payload;
      cluster.broker.inject(machine.tag, { topic: old.topic, payload, retained: dice.chance(0.3) });
      return `${machine.name}: is told ${forged ? 'a forgery' : 'something old'}`;
    },
  },
];
