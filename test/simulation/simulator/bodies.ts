/** What runs in the containers of a simulated world: some get well after a while, jobs come to their end. */
import type { ActualCopy, CopyKey } from '../../../agent/runtimes/runtime.ts';
import type { RunSpec } from '../../../schemas/spec.ts';
import type { VirtualClock } from '../../support/virtual-clock.ts';
import type { Dice } from './dice.ts';
import { type Facts, type Machine, noteRan, noteWell } from './facts.ts';
import type { Rules } from './rules.ts';
import type { Witness } from './witness.ts';

/** What people do to a copy on its machine. */
export type ByHand = 'stopped' | 'removed' | 'started' | 'paused' | 'unpaused';

export interface Bodies {
  /** An engine started it. */
  started(machine: Machine, key: CopyKey, run: RunSpec): void;
  /** It ends by itself. */
  end(machine: Machine, copy: ActualCopy, code: number): void;
  /** It is not well for so many ms. */
  ail(machine: Machine, copy: ActualCopy, ms: number): void;
  /** Somebody does it on the machine, past everybody else. */
  byHand(machine: Machine, copy: ActualCopy, how: ByHand): void;
}

export interface BodiesDeps {
  readonly clock: VirtualClock;
  readonly dice: Dice;
  readonly facts: Facts;
  readonly witness: Witness;
  readonly rules: Pick<Rules, 'started' | 'ended'>;
  /** False: everything is well soon, and succeeds. */
  readonly isRough: () => boolean;
}

export function createBodies({ clock, dice, facts, witness, rules, isRough }: BodiesDeps): Bodies {
  /** Starts and ends so far, of each. */
  const lives = new Map<string, number>();
  const now = (): number => clock.now().mono;
  const keyOf = (machine: Machine, { instance, copy }: CopyKey): string => `${machine.tag} ${instance}/${copy}`;
  const turn = (machine: Machine, key: CopyKey): number => {
    const next = (lives.get(keyOf(machine, key)) ?? 0) + 1;
    lives.set(keyOf(machine, key), next);
    return next;
  };
  /** Later, if it still runs without having been started again; and not while it is paused. */
  const later = (machine: Machine, key: CopyKey, ms: number, run: (copy: ActualCopy) => void): void => {
    const life = lives.get(keyOf(machine, key));
    clock.after(ms, () => {
      const copy = machine.runtime.copies.get(`${key.instance}/${key.copy}`);
      if (copy?.state !== 'running' || lives.get(keyOf(machine, key)) !== life) return;
      if (copy.paused) later(machine, key, ms, run);
      else run(copy);
    });
  };
  const feel = (machine: Machine, copy: ActualCopy, health: 'healthy' | 'unhealthy'): void => {
    witness.saw(`${machine.name}: ${copy.instance}/${copy.copy} is ${health}`);
    noteWell(facts, machine.tag, copy.instance, copy.copy, now());
    machine.runtime.health(copy, health);
  };
  /** Its first checks. */
  const checked = (machine: Machine, key: CopyKey, run: RunSpec | undefined): void => {
    if (!run?.healthcheck) return;
    const health = run.code.endsWith(':sick') ? 'unhealthy' : 'healthy';
    later(machine, key, isRough() ? dice.pick([100, 2_000, 9_000]) : 500, (copy) => feel(machine, copy, health));
  };
  const bodies: Bodies = {
    started(machine, key, run) {
      turn(machine, key);
      rules.started(machine, key, run);
      checked(machine, key, run);
      if (run.one_shot) {
        const code = isRough() && dice.chance(0.1) ? 1 : 0;
        later(machine, key, isRough() ? dice.pick([100, 3_000, 30_000, 90_000]) : 1_000, (copy) =>
          bodies.end(machine, copy, code),
        );
      }
    },
    end(machine, copy, code) {
      witness.saw(`${machine.name}: ${copy.instance}/${copy.copy} ends with ${code}`);
      turn(machine, copy);
      noteRan(facts, machine.tag, copy.instance, copy.copy, now());
      if (machine.runtime.runOf(copy)?.one_shot) rules.ended(machine, copy, code);
      machine.runtime.exit(copy, code);
    },
    ail(machine, copy, ms) {
      feel(machine, copy, 'unhealthy');
      later(machine, copy, ms, (found) => feel(machine, found, 'healthy'));
    },
    byHand(machine, copy, how) {
      const { runtime, tag } = machine;
      if (how === 'paused' || how === 'unpaused') {
        facts.paused.set(keyOf(machine, copy), now());
        if (how === 'paused') runtime.pause(copy);
        else runtime.unpause(copy);
        return;
      }
      turn(machine, copy);
      if (how === 'started') {
        // Its agent has not seen it yet.
        machine.hurtAt = now();
        runtime.revive(copy);
        return checked(machine, copy, runtime.runOf(copy));
      }
      noteRan(facts, tag, copy.instance, copy.copy, now());
      if (copy.health === 'healthy') noteWell(facts, tag, copy.instance, copy.copy, now());
      if (how === 'stopped') runtime.kill(copy);
      else runtime.vanish(copy);
    },
  };
  return bodies;
}
