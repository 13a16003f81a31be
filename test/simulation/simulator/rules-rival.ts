/** While there are two reconcilers: what nodes are told keeps what runs, and of two that hear the same nodes one ends. */
import type { AssignmentMessage } from '../../../schemas/messages.ts';
import { ranElsewhere } from './facts.ts';
import { serviceOf } from './names.ts';
import type { RuleDeps } from './rules.ts';

export interface RivalRules {
  /** The rival tells a node what it is to run. */
  assignment(message: AssignmentMessage): void;
  look(): void;
}

/** ms for which two may go on side by side, once both hear a node that hears both. */
const sideBySide = 60_000;
/** ms within which another copy must have run before one is taken away. */
const recently = 60_000;
/** ms after trouble with an engine in which its copies may be unknown to everybody. */
const unseen = 45_000;

export function createRivalRules({ witness, facts, now, anchors, cluster }: RuleDeps): RivalRules {
  let since: number | undefined;

  /** A node that both hear, and that nothing is wrong with. */
  const common = (): string | undefined => {
    const [first, second] = [cluster()?.reconciler.control, facts.rival?.reconciler?.control];
    const isWell = facts.isReady && facts.connectedAt !== undefined && facts.rival?.connectedAt !== undefined;
    if (!first || !second || !isWell || facts.troubles.has('network')) return undefined;
    if (facts.troubles.has('full disk of the reconciler')) return undefined;
    if (first.status().phase !== 'running' || second.status().phase !== 'running') return undefined;
    const seen = new Set(second.nodes().flatMap(({ id, state }) => (state === 'online' ? id : [])));
    for (const { id = '', state } of first.nodes()) {
      const machine = facts.machines.get(id);
      const isSound = machine?.life.alive && !machine.isCut && !facts.machines.has(`${id}.clone`);
      const isAble = isSound && !facts.troubles.has(`full disk of ${machine.name}`);
      if (state === 'online' && seen.has(id) && isAble && now() - machine.hurtAt > unseen) return machine.name;
    }
    return undefined;
  };

  return {
    assignment({ node, jobs }) {
      const machine = facts.machines.get(node);
      if (!machine?.ledger || machine.wiped || facts.troubles.has('network')) return;
      if (facts.machines.has(`${node}.clone`) || facts.troubles.has(`engine of ${machine.name}`)) return;
      if (now() - machine.hurtAt < unseen) return;
      for (const { instance, copy, want } of machine.ledger.jobs) {
        if (want !== 'run' || !anchors.has(serviceOf(instance))) continue;
        if (jobs.some((job) => job.instance === instance && job.copy === copy && job.want === 'run')) continue;
        if (machine.runtime.copies.get(`${instance}/${copy}`)?.state !== 'running') continue;
        if (!ranElsewhere(facts, instance, { machine: node, copy }, now(), recently))
          witness.broken('P1 I6 nothing is removed for no reason', `the rival takes ${instance} from ${machine.name}`);
      }
    },
    look() {
      const node = facts.rival && common();
      if (node === undefined) since = undefined;
      else since ??= now();
      if (since !== undefined && now() - since > sideBySide)
        witness.broken('F1 of two reconcilers one ends', `for ${now() - since} ms both run, and hear ${node}`);
    },
  };
}
