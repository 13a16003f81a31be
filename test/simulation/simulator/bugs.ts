/** Planted bugs: what a simulator must find to be worth its time. Each sits between a loop and its ports. */
import type { AgentDeps } from '../../../agent/ports.ts';
import type { ReconcilerDeps } from '../../../reconciler/context.ts';
import type { ControlPlane } from '../../../reconciler/control-plane.ts';
import type { VirtualClock } from '../../support/virtual-clock.ts';
import { agentBugs } from './bugs-agent.ts';
import { reconcilerBugs } from './bugs-reconciler.ts';
import type { Dice } from './dice.ts';
import type { Machine } from './facts.ts';

export interface BugContext {
  readonly clock: VirtualClock;
  readonly dice: Dice;
}

export interface Bug {
  readonly name: string;
  /** At each start of a process. */
  agent?(deps: AgentDeps, context: BugContext & { readonly machine: Machine }): AgentDeps;
  reconciler?(deps: ReconcilerDeps, context: BugContext): ReconcilerDeps;
  /** At each request of people. */
  control?(control: ControlPlane): ControlPlane;
}

export const bugs: readonly Bug[] = [...agentBugs, ...reconcilerBugs];

/** The bug of this name. */
export function bugNamed(name: string): Bug {
  const bug = bugs.find((one) => one.name === name);
  if (!bug) throw new TypeError(`there is no bug ${name}; there are ${bugs.map((one) => one.name).join(', ')}`);
  return bug;
}
