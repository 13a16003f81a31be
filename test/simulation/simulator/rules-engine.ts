/** What agents do to engines: nothing but what their ledger says, and nothing twice. */
import type { AgentEvent } from '../../../agent/ports.ts';
import type { CopyKey } from '../../../agent/runtimes/runtime.ts';
import type { Part } from '../../../schemas/assignment.ts';
import type { Machine } from './facts.ts';
import { foreign } from './names.ts';
import type { EngineCall, RuleDeps } from './rules.ts';

/** ms after trouble with an engine in which its agent may not know what runs. */
const blind = 90_000;

export interface EngineRules {
  begins(machine: Machine, kind: EngineCall, key: { readonly instance: string; readonly copy: string }): void;
  agentEvent(machine: Machine, event: AgentEvent): void;
}

export function createEngineRules({ witness, now, facts }: RuleDeps): EngineRules {
  /** What is wrong with a call, by one ledger. */
  const wrong = (machine: Machine, ledger: Part, kind: EngineCall, { instance, copy }: CopyKey): Wrong | undefined => {
    const text = `${instance}/${copy}`;
    const { runtime, name } = machine;
    const found = runtime.copies.get(text);
    const job = ledger.jobs.find((one) => one.instance === instance && one.copy === copy);
    if (kind === 'stop' || kind === 'remove') {
      // Those that are limited while the node is away may stop by themselves; what was paused by hand is made anew.
      const isFrozen = now() - (facts.paused.get(`${machine.tag} ${text}`) ?? Number.NEGATIVE_INFINITY) < blind;
      const isAsSaid = found?.state === 'running' && job?.digest === found.digest && !found.paused && !isFrozen;
      const isWanted = isAsSaid && job.want === 'run' && !job.away;
      return isWanted ? [wanted, `${name} does ${kind} ${text}, which its ledger wants to run`] : undefined;
    }
    if (!job) return [assigned, `${name} does ${kind} ${text}, which is not in its ledger`];
    if (kind !== 'start') return undefined;
    if (job.want !== 'run') return [assigned, `${name} starts ${text}, which its ledger wants ${job.want}`];
    if (found && found.digest !== job.digest)
      return [assigned, `${name} starts ${text} as ${found.digest.slice(2, 10)}`];
    const elsewhere = job.away?.exclusive ? runsElsewhere(machine, instance) : undefined;
    if (elsewhere !== undefined) return [lease, `${name} starts ${text} while it runs on ${elsewhere}`];
    if (now() - machine.hurtAt <= blind) return undefined;
    for (const other of runtime.copies.values()) {
      if (other.instance !== instance || other.copy === copy || other.state !== 'running') continue;
      const want = ledger.jobs.find((one) => one.instance === instance && one.copy === other.copy)?.want;
      if (want !== 'run')
        return [order, `${name} starts ${text} while ${other.copy} runs, which is ${want ?? 'not wanted'}`];
    }
    return undefined;
  };
  /** Another machine that runs it, whose agent and engine could have stopped it, and that has its identity alone. */
  const runsElsewhere = ({ tag, id }: Machine, instance: string): string | undefined => {
    for (const other of facts.machines.values()) {
      if (other.tag === tag || other.id === id || facts.machines.has(`${other.id}.clone`)) continue;
      const isAble = other.life.alive && now() - other.hurtAt > blind && !facts.troubles.has(`engine of ${other.name}`);
      const copies = [...other.runtime.copies.values()];
      if (isAble && copies.some((copy) => copy.instance === instance && copy.state === 'running')) return other.name;
    }
    return undefined;
  };
  return {
    begins(machine, kind, key) {
      const { ledger, previous, name } = machine;
      const what = `${name} does ${kind} ${key.instance}/${key.copy}`;
      if (key.instance === foreign) return witness.broken('I5 strangers are not touched', what);
      if (!ledger) return witness.broken('P1 unknown is not empty', `${what} without a ledger`);
      const found = wrong(machine, ledger, kind, key);
      const wasRight = previous.until === now() && previous.ledger && !wrong(machine, previous.ledger, kind, key);
      if (found && !wasRight) witness.broken(...found);
    },
    agentEvent(machine, event) {
      if (event.kind === 'step_failed' && event.bug !== undefined)
        witness.broken('no bugs', `${machine.name} ${event.step.kind}: ${String(event.bug)}`);
    },
  };
}

type Wrong = readonly [invariant: string, what: string];
const wanted = 'I9 what is wanted is not stopped';
const assigned = 'I2 only what is assigned';
const lease = 'I4 exclusive is never twice';
const order = 'I4 stops come before starts';
