/** Jobs: what is done is not done again, a due time has one run, one run at a time, and who depends on a job waits for it. */
import type { CopyKey } from '../../../agent/runtimes/runtime.ts';
import type { Records } from '../../../reconciler/core/records.ts';
import type { ControlMessage, InstancesMessage } from '../../../schemas/messages.ts';
import { compareCopyIds, instanceName } from '../../../schemas/names.ts';
import type { BusMessage } from '../../../schemas/ports.ts';
import type { Machine } from './facts.ts';
import { fullName, serviceOf } from './names.ts';
import type { EngineCall, RuleDeps } from './rules.ts';
import type { DiskRules } from './rules-disk.ts';

export interface RunRules {
  /** An engine is asked. */
  begins(machine: Machine, kind: EngineCall, key: CopyKey): void;
  /** An engine started it. */
  started(machine: Machine, key: CopyKey): void;
  /** It came to its own end. */
  ended(machine: Machine, key: CopyKey, code: number): void;
  /** The reconciler gets a message. */
  heard(message: BusMessage): void;
  /** The reconciler sends a control. Gives what is wrong with it if it was decided just now. */
  controls(message: ControlMessage): readonly Suspicion[];
  /** Does it come to its own end? */
  isJob(instance: string): boolean;
  saved(records: Records): void;
  /** A process of the reconciler begins: it knows what is on record, and nothing else of what another one heard. */
  begun(): void;
}

/** A rule, and what breaks it. */
export type Suspicion = readonly [rule: string, what: string];

interface Done {
  readonly digest: string;
  readonly node: string;
  /** Its node cannot say any more that it was done. */
  readonly isForgotten?: boolean;
}

interface Life {
  /** What came to its own end, and when. */
  readonly completed: Map<string, number>;
  /** When each copy was started that has not ended. */
  readonly since: Map<string, number>;
  /** What is being stopped: if it ends meanwhile, nobody knows whether it was done. */
  readonly stopping: Set<string>;
}

const keyOf = ({ instance, copy }: CopyKey): string => `${instance}/${copy}`;

const tick = fullName('git', 'tick');
const once = fullName('git', 'once');
const after = fullName('git', 'after');
/** ms for which a copy has run when everybody who can hear of it has. */
const known = 20_000;
/** ms from one look of an agent at its engine to the next, if an event is lost. */
const nextLook = 30_000;
/** ms after trouble with a machine in which what runs there may be news to others. */
const blind = 90_000;

export function createRunRules({ witness, facts, now, wall }: RuleDeps, disk: Pick<DiskRules, 'durable'>): RunRules {
  /** By machine and `<instance>/<copy>`. A second clone has the tag of the first. */
  const lives = new WeakMap<Machine, Life>();
  let isOnceDone = false;
  /** Instance -> copies that the reconciler knows to be done. */
  let done = new Map<string, Map<string, Done>>();
  /** `<instance>/<copy>` of what made way for another version: late reports of it say nothing about what is asked for now. */
  const gone = new Set<string>();
  let lastRun: { readonly due: number; readonly after: string; readonly setBacks: number } | undefined;

  const lifeOf = (machine: Machine): Life => {
    const life = lives.get(machine) ?? { completed: new Map(), since: new Map(), stopping: new Set() };
    lives.set(machine, life);
    return life;
  };

  /** Another machine that everybody can hear, where a copy of it has been running for a while. */
  const runsElsewhere = (instance: string): string | undefined => {
    if (facts.troubles.has('network') || facts.connectedAt === undefined) return undefined;
    const machines = [...facts.machines.values()];
    for (const machine of machines) {
      // Of two machines with one identity nobody can tell who speaks.
      const isOne = machines.every(({ id, tag }) => id !== machine.id || tag === machine.tag);
      const isMember = !facts.removed.has(machine.id);
      const isHeard = isOne && isMember && machine.life.alive && !machine.isCut && now() - machine.hurtAt > blind;
      if (!isHeard || facts.troubles.has(`engine of ${machine.name}`)) continue;
      for (const copy of machine.runtime.copies.values()) {
        const age = now() - (lifeOf(machine).since.get(keyOf(copy)) ?? now());
        if (copy.instance === instance && copy.state === 'running' && age > known) return machine.name;
      }
    }
    return undefined;
  };
  /** What the reconciler knows to be done by this version (of a schedule: in this run). */
  const doneBefore = ({ job }: ControlMessage): string | undefined => {
    const run = disk.durable?.schedules[tick]?.current;
    const all = [...(done.get(job.name) ?? [])];
    for (const [copy, { digest, node, isForgotten }] of all) {
      if (isForgotten) continue;
      // Another version was done after it: who asks for this one now asks for it anew.
      if (all.some(([later, its]) => its.digest !== digest && compareCopyIds(later, copy) > 0)) continue;
      // What a run did is known by the node that did it, and goes with it: at least once, not at most once.
      if (serviceOf(job.name) === tick && facts.leaving.has(node)) continue;
      const isSame = serviceOf(job.name) === tick ? run && compareCopyIds(copy, run.after) > 0 : digest === job.digest;
      if (isSame) return copy;
    }
    return undefined;
  };

  return {
    begins(machine, kind, key) {
      const { completed, stopping } = lifeOf(machine);
      const id = keyOf(key);
      const isRival = facts.rivals > 0;
      // What is removed with a ledger that was late on disk may be told again by who has heard only of the one before; and by a
      // rival from before.
      if (kind === 'remove' && (isRival || now() - machine.hurtAt <= blind)) completed.delete(id);
      // Whoever is told to stop what ended a moment ago need not know that it was done; a rival tells so at any time.
      if (kind === 'stop' && isRival) completed.delete(id);
      if (kind === 'stop') stopping.add(id);
      // Its memory of that is gone, and so is the container: whatever it was told once is news to it.
      if (kind === 'create' && (completed.get(id) ?? now()) <= machine.wipedAt) completed.delete(id);
      // A rival had it removed, and there was no container to remove: somebody had pruned it.
      if (kind === 'create' && isRival) completed.delete(id);
      // What an earlier life of the agent told its engine to start may run, and end, between the first look of this one and the next.
      const end = completed.get(id);
      if (kind === 'start' && end !== undefined && end > machine.hurtAt && now() - end < nextLook) completed.delete(id);
      if (kind === 'start' && completed.has(id))
        witness.broken('J1 what is done is not done again', `${machine.name} starts ${key.instance}/${key.copy}`);
    },
    started(machine, key) {
      lifeOf(machine).since.set(keyOf(key), now());
      lifeOf(machine).stopping.delete(keyOf(key));
      if (serviceOf(key.instance) === after && !isOnceDone)
        witness.broken('J4 who depends waits', `${key.instance}/${key.copy} starts before ${once} was done`);
    },
    ended(machine, key, code) {
      // Its engine lists it as running for a moment more.
      lifeOf(machine).since.delete(keyOf(key));
      if (code !== 0) return;
      if (!lifeOf(machine).stopping.has(keyOf(key))) lifeOf(machine).completed.set(keyOf(key), now());
      facts.done.set(`${key.instance}/${key.copy}`, now());
      if (serviceOf(key.instance) === once) isOnceDone = true;
    },
    heard({ topic, payload }) {
      if (!topic.includes('/instances/') || !/"(completed|unknown)"/.test(payload)) return;
      const { copies } = JSON.parse(payload) as InstancesMessage;
      for (const { instance, copy, digest, status } of copies) {
        // An agent that began while its engine was silent cannot say any more what was done.
        const before = done.get(instance)?.get(copy);
        if (status === 'unknown' && before) done.get(instance)?.set(copy, { ...before, isForgotten: true });
        if (status !== 'completed' || gone.has(`${instance}/${copy}`)) continue;
        const ofInstance = done.get(instance) ?? new Map<string, Done>();
        done.set(instance, ofInstance.set(copy, { digest, node: topic.split('/')[1] ?? '' }));
      }
    },
    controls(message) {
      const { command, job } = message;
      const service = serviceOf(job.name);
      if (service !== tick && service !== once) return [];
      if (command !== 'deploy') {
        gone.add(`${job.name}/${job.copy}`);
        if (service === tick) done.get(job.name)?.delete(job.copy);
        return [];
      }
      if (job.copy !== `${message.epoch}.${message.gen}` || job.want !== 'run') return [];
      const found: Suspicion[] = [];
      const before = doneBefore(message);
      if (before !== undefined)
        found.push(['J1 what is done is not done again', `${job.name} gets ${job.copy}, ${before} has completed`]);
      const other = service === tick ? runsElsewhere(job.name) : undefined;
      if (other !== undefined)
        found.push(['J3 one run at a time', `${job.name} gets ${job.copy}, one runs on ${other}`]);
      return found;
    },
    isJob: (instance) => serviceOf(instance) === tick,
    saved({ schedules }) {
      const run = schedules[tick]?.current;
      if (!run || run.cause === 'asked' || run.after === lastRun?.after) return;
      // Decided before the clock went back, and on disk after.
      const isFromBefore = facts.setBacks > 0 && run.due > wall() + 3_600_000;
      const setBacks = facts.setBacks - (isFromBefore ? 1 : 0);
      if (lastRun && lastRun.setBacks === setBacks && run.due <= lastRun.due)
        witness.broken('J2 a due time has one run', `the one due at ${run.due} follows that of ${lastRun.due}`);
      lastRun = { due: run.due, after: run.after, setBacks };
    },
    begun() {
      done = new Map();
      const recorded = disk.durable?.rollouts[once]?.done ?? {};
      for (const [slot, { copy, ...one }] of Object.entries(recorded))
        done.set(instanceName(once, Number(slot)), new Map([[copy, one]]));
    },
  };
}
