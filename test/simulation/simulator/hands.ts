/** Ends and begins processes and machines of a simulated cluster. */
import { isProblemError } from '../../../schemas/problem.ts';
import type { FakeRuntime } from '../../support/fake-runtime.ts';
import type { MemoryCluster } from '../../support/memory-cluster.ts';
import type { MemoryNode } from '../../support/memory-node.ts';
import type { Dice } from './dice.ts';
import type { SimDisk } from './disk.ts';
import { type Facts, type Machine, noteRan } from './facts.ts';
import { foreign } from './names.ts';
import type { Witness } from './witness.ts';

/** How something ends: its process, or the power of its machine. */
export type End = 'process' | 'power';

export interface Hands {
  endAgent(machine: Machine, how: End): void;
  startAgent(machine: Machine): void;
  endReconciler(how: End): void;
  startReconciler(): void;
  /** It starts again after so many ms. */
  restartReconciler(how: End, after: number): void;
  restartAgent(machine: Machine, how: End, after: number): void;
  /** A second machine with the identity and the disk of this one. */
  clone(machine: Machine): void;
  /** Ends it for good. */
  scrap(machine: Machine): void;
  /** The cluster does not count this machine any more: what is off stays off, what lives on is left alone. */
  leave(machine: Machine): void;
  isRunning(machine: Machine): boolean;
  /** Nothing starts again by itself any more; everything runs. */
  mendAll(): void;
}

/** What every engine of the world has: an image that is not there, and somebody else's container. */
export function furnish(runtime: FakeRuntime): void {
  runtime.script('prepare', ':bad', { fail: 'IMAGE_NOT_FOUND' });
  const digest = `1:${'0'.repeat(64)}`;
  const is = { runtime: 'docker', state: 'running', handle: 'foreign', addresses: [] } as const;
  runtime.plant({ instance: foreign, copy: '0.1', digest, ...is });
}

export interface HandsDeps {
  readonly cluster: MemoryCluster;
  readonly facts: Facts;
  readonly witness: Witness;
  readonly dice: Dice;
  readonly disk: SimDisk;
}

/** ms after which a service manager starts again what could not start. */
const startAgain = 5_000;

export function createHands({ cluster, facts, witness, disk }: HandsDeps): Hands {
  const clones = new Map<string, MemoryNode>();
  const now = (): number => cluster.clock.now().mono;
  const nodeOf = ({ tag }: Machine): MemoryNode | undefined =>
    clones.get(tag) ?? cluster.nodes.find((node) => node.tag === tag);

  const allRan = (machine: Machine): void => {
    for (const { instance, copy, state } of machine.runtime.copies.values())
      if (state === 'running') noteRan(facts, machine.tag, instance, copy, now());
  };
  const hands: Hands = {
    isRunning: (machine) => nodeOf(machine)?.running ?? false,
    endAgent(machine, how) {
      witness.saw(`${machine.name}: its ${how === 'power' ? 'power fails' : 'agent is killed'}`);
      machine.life.alive = false;
      machine.ledger = undefined;
      machine.hurtAt = now();
      nodeOf(machine)?.kill();
      if (how === 'process') return;
      allRan(machine);
      machine.runtime.powerCut();
      machine.disk.powerCut();
    },
    startAgent(machine) {
      const node = nodeOf(machine);
      if (!node || node.running || machine.isGivenUp) return;
      witness.saw(`${machine.name}: its agent starts`);
      machine.hurtAt = now();
      if (machine.isCut) cluster.broker.heal(machine.tag);
      machine.isCut = false;
      node
        .start()
        .catch((error: unknown) => witness.broken('no bugs', `${machine.name} does not start: ${String(error)}`));
    },
    restartAgent(machine, how, after) {
      hands.endAgent(machine, how);
      cluster.clock.after(after, () => hands.startAgent(machine));
    },
    endReconciler(how) {
      if (!facts.brain) return;
      witness.saw(`reconciler: ${how === 'power' ? 'its power fails' : 'it is killed'}`);
      facts.brain.life.alive = false;
      facts.brain = undefined;
      facts.isReady = false;
      facts.connectedAt = undefined;
      cluster.killReconciler();
      if (how === 'power') disk.powerCut();
    },
    startReconciler() {
      if (facts.brain) return;
      witness.saw('reconciler starts');
      const starting = cluster.startReconciler();
      const brain = facts.brain as Facts['brain'];
      starting.then(
        () => {
          if (facts.brain === brain) facts.isReady = true;
        },
        (error: unknown) => {
          witness.saw(`reconciler does not start: ${String(error).slice(0, 200)}`);
          if (!isProblemError(error) || error.problem.code !== 'FILE_UNWRITABLE')
            return witness.broken('no bugs', `the reconciler does not start: ${String(error)}`);
          if (facts.brain === brain) hands.restartReconciler('process', startAgain);
        },
      );
    },
    restartReconciler(how, after) {
      hands.endReconciler(how);
      cluster.clock.after(after, hands.startReconciler);
    },
    clone(machine) {
      const original = nodeOf(machine);
      const tag = `${machine.id}.clone`;
      if (!original || facts.machines.has(tag)) return;
      witness.saw(`${machine.name} is cloned`);
      const node = cluster.clone(original, tag);
      clones.set(tag, node);
      furnish(node.runtime);
      const disk = machine.disk.copy();
      facts.machines.set(tag, {
        ...machine,
        tag,
        name: `${machine.name}-clone`,
        disk,
        runtime: node.runtime,
        life: { alive: false, countdown: undefined },
        hurtAt: now(),
        isCut: false,
        isGivenUp: false,
      });
      const clone = facts.machines.get(tag);
      if (clone) hands.startAgent(clone);
    },
    scrap(machine) {
      witness.saw(`${machine.name} is scrapped`);
      if (machine.tag !== machine.id) facts.clonedAt = now();
      allRan(machine);
      machine.life.alive = false;
      nodeOf(machine)?.kill(true);
      facts.machines.delete(machine.tag);
      clones.delete(machine.tag);
    },
    leave(machine) {
      witness.saw(`${machine.name} is removed`);
      facts.removed.set(machine.id, { name: machine.name, at: now() });
      facts.heard.delete(machine.id);
      facts.cordoned.delete(machine.id);
      const node = nodeOf(machine);
      if (node) clones.set(machine.tag, node);
      cluster.forget(machine.id);
      if (!machine.life.alive) hands.scrap(machine);
    },
    mendAll() {
      for (const machine of [...facts.machines.values()]) {
        machine.life.countdown = undefined;
        if (clones.has(machine.tag)) hands.scrap(machine);
        else hands.startAgent(machine);
      }
      if (facts.brain) facts.brain.life.countdown = undefined;
      hands.startReconciler();
    },
  };
  return hands;
}
