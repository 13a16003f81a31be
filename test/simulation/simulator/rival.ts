/**
 * A second reconciler of the same cluster: somebody brings up an old backup of the first one's disk, or its machine is cloned. People know
 * which is the right one: it is the only one that they ask, and in the end the other one is switched off.
 */
import { isProblemError } from '../../../schemas/problem.ts';
import type { MemoryCluster } from '../../support/memory-cluster.ts';
import type { Dice } from './dice.ts';
import type { SimDisk } from './disk.ts';
import type { Facts } from './facts.ts';
import type { Happening } from './faults.ts';
import type { Hands } from './hands.ts';
import type { Wires } from './wiring.ts';
import type { Witness } from './witness.ts';

export interface RivalHands {
  /** Keeps a copy of the reconciler's disk; false: there is one. */
  backUp(): boolean;
  /** Brings the copy up beside the reconciler; false: there is one up already. */
  start(): boolean;
  /** Switches it off; false: it is. */
  end(): boolean;
  /** A process gave up: people come, sooner or later. */
  gaveUp(who: 'reconciler' | 'rival', error: Error): void;
}

export interface RivalDeps {
  readonly cluster: MemoryCluster;
  readonly facts: Facts;
  readonly witness: Witness;
  readonly dice: Dice;
  readonly hands: Hands;
  readonly wires: Wires;
}

/** ms for which nodes may go on to speak of one that is off. */
const echoes = 30_000;

export function createRivalHands({ cluster, facts, witness, dice, hands, wires }: RivalDeps): RivalHands {
  const now = (): number => cluster.clock.now().mono;
  let backup: SimDisk | undefined;

  const ended = (): void => {
    facts.rival = undefined;
    facts.rivalEndedAt = now();
    facts.troubledAt = now();
    facts.troubles.delete('rival');
  };
  /** Did the reconciler's process hear of a rival, or of what it left? */
  const isExplained = (): boolean =>
    facts.rival !== undefined || facts.rivalEndedAt + echoes > (facts.brain?.startedAt ?? 0);

  const rivals: RivalHands = {
    backUp() {
      if (backup) return false;
      backup = wires.disk.copy();
      return true;
    },
    start() {
      if (!backup || facts.rival) return false;
      facts.troubles.add('rival');
      wires.rivalDisk = backup.copy();
      cluster.startRival(cluster.records).then(
        ({ reconciler }) => {
          if (facts.rival) facts.rival.reconciler = reconciler;
        },
        (error: unknown) => witness.broken('no bugs', `the rival does not start: ${String(error)}`),
      );
      return true;
    },
    end() {
      if (!facts.rival) return false;
      witness.saw('rival is switched off');
      facts.rival.life.alive = false;
      facts.rival.process.die();
      cluster.broker.kill('rival');
      ended();
      return true;
    },
    gaveUp(who, error) {
      witness.saw(`${who} gives up: ${error.message}`);
      const isRivalry = isProblemError(error) && error.problem.code === 'RIVAL_RECONCILER';
      if (!isRivalry) return witness.broken('no bugs', `the ${who} gave up: ${error.stack ?? error.message}`);
      if (who === 'rival') {
        if (facts.rival) facts.rival.life.alive = false;
        return ended();
      }
      if (!isExplained()) witness.broken('F2 nobody ends for nothing', `the reconciler gave up: ${error.message}`);
      hands.endReconciler('process');
      const isSeen = dice.chance(0.5);
      cluster.clock.after(dice.pick([2_000, 20_000, 60_000]), () => {
        if (isSeen) rivals.end();
        hands.startReconciler();
      });
    },
  };
  return rivals;
}

export const rivalHappenings: readonly Happening[] = [
  {
    weight: 4,
    run({ rivals }) {
      if (!rivals) return undefined;
      if (rivals.backUp()) return 'the disk of the reconciler is copied';
      if (rivals.start()) return 'its copy is brought up beside it';
      return rivals.end() ? 'the rival is found' : undefined;
    },
  },
];
