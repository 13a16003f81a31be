/** What is said over MQTT: pairs that only grow, one meaning per pair, and nothing taken from a node that is well. */
import { covers, nodeSubject } from '../../../reconciler/core/suspends.ts';
import type { AssignmentMessage, ControlMessage, InstancesMessage } from '../../../schemas/messages.ts';
import { compareCopyIds } from '../../../schemas/names.ts';
import { type Machine, ranElsewhere } from './facts.ts';
import { serviceOf } from './names.ts';
import type { PlantRules } from './plants.ts';
import type { RuleDeps } from './rules.ts';
import type { DataRules } from './rules-data.ts';
import type { DiskRules } from './rules-disk.ts';
import type { PlanRules } from './rules-plan.ts';
import type { RunRules, Suspicion } from './rules-runs.ts';

type Jobs = AssignmentMessage['jobs'];

export interface WireRules {
  published(topic: string, payload: string): void;
  /** As `published`, of a rival. Gives what it says to a node of ours. */
  rivalPublished(topic: string, payload: string): AssignmentMessage | ControlMessage | undefined;
  reported(machine: Machine, topic: string, payload: string): void;
  begun(): void;
  planned(ms: number): void;
  /** The last assignment of each node that this process of the reconciler published. */
  readonly promised: ReadonlyMap<string, Jobs>;
}

/** ms within which another copy must have run before one is taken away: losing a node takes so long at most. */
const recently = 60_000;

/** ms after trouble with an engine in which its copies may be unknown to everybody. */
const unseen = 45_000;

export interface WireParts {
  readonly disk: Pick<DiskRules, 'durable'>;
  readonly runs: Pick<RunRules, 'controls' | 'isJob'>;
  readonly data: Pick<DataRules, 'taken' | 'isToldToRun'>;
  readonly plants: Pick<PlantRules, 'told'>;
  readonly plans: Pick<PlanRules, 'controls'>;
}

export function createWireRules(deps: RuleDeps, { disk, runs, data, plants, plans }: WireParts): WireRules {
  const { facts, witness, now, anchors } = deps;
  const owners = new Map<number, string>();
  /** `<node> <epoch>.<gen>` -> hash. */
  const pairs = new Map<string, string>();
  /** `<node> <epoch>.<gen> <hash>` of rivals: one from an old backup counts as the first one did. */
  const rivalPairs = new Set<string>();
  const lastGen = new Map<string, number>();
  /** Copy id -> what it stands for. */
  const copies = new Map<string, string>();
  const lastJobs = new Map<string, Jobs>();
  let by = '';
  let promised = new Map<string, Jobs>();
  /** What is wrong if what was said since the last pass of the planner was decided when it was said. */
  let suspicions: Suspicion[] = [];

  const checkPair = (message: AssignmentMessage | ControlMessage): void => {
    const owner = owners.get(message.epoch);
    if (owner !== undefined && owner !== message.by && facts.rivals === 0)
      witness.broken('I3 one process per epoch', `epoch ${message.epoch} of ${owner} is used by ${message.by}`);
    owners.set(message.epoch, message.by);
    if ((disk.durable?.epoch ?? 0) < message.epoch)
      witness.broken('I12 epochs are on disk first', `epoch ${message.epoch}, on disk is ${disk.durable?.epoch}`);
    if (message.by !== by) {
      by = message.by;
      promised = new Map();
    }
    const key = `${message.node} ${message.epoch}.${message.gen}`;
    const hash = pairs.get(key);
    if (hash !== undefined && hash !== message.hash)
      witness.broken(
        'I3 one meaning per pair',
        `${key} stands for ${hash.slice(0, 8)} and ${message.hash.slice(0, 8)}`,
      );
    pairs.set(key, message.hash);
    const speech = `${message.by} ${message.node}`;
    const gen = lastGen.get(speech) ?? 0;
    if (hash === undefined && message.gen <= gen && 'command' in message)
      witness.broken('gens grow', `control ${key} comes after ${gen}`);
    lastGen.set(speech, Math.max(gen, message.gen));
  };
  const control = (message: ControlMessage): void => {
    const { job, command } = message;
    witness.saw(`reconciler ${command} ${job.name}/${job.copy} ${job.want ?? ''} to ${nameOf(message.node)}`);
    if (facts.rivals === 0) suspicions.push(...runs.controls(message));
    plans.controls(message);
    const isNew = job.copy === `${message.epoch}.${message.gen}`;
    if (command !== 'deploy') return;
    const what = `${message.node} ${job.name} ${job.digest}`;
    const known = copies.get(job.copy);
    if (known !== undefined && known !== what && facts.rivals === 0)
      witness.broken('one copy per id', `${job.copy} is ${known}, and ${what}`);
    copies.set(job.copy, what);
    if (!isNew) return;
    leftAlone(message);
    newCopy(message);
  };
  /** What is suspended gets no copies. */
  const leftAlone = ({ job, node }: ControlMessage): void => {
    const wall = deps.wall();
    for (const [subject, { since, until }] of facts.suspended) {
      // What was decided before it was on disk may be said after it.
      if (now() - Math.max(since, facts.refusedAt) < 2_000) continue;
      if (until <= wall) facts.suspended.delete(subject);
      else if (covers(subject, serviceOf(job.name)) || subject === nodeSubject(node))
        suspicions.push([
          'S1 what is suspended is left alone',
          `${job.name} gets ${job.copy}, ${subject} is suspended`,
        ]);
    }
  };
  /** A slot whose copy is on a silent node is missing only once that node is lost, and not while most nodes are silent. */
  const newCopy = ({ job, node }: ControlMessage): void => {
    const cluster = deps.cluster();
    // A run has ended, whatever its node was told to do afterwards.
    if (runs.isJob(job.name)) return;
    if (!cluster || now() - facts.refusedAt < 2_000) return;
    const nodes = cluster.reconciler.control.nodes();
    // What runs on a node that was only just adopted was not said by this process.
    if (nodes.some(({ id = '', state }) => state === 'online' && id !== facts.plant && !promised.has(id))) return;
    const states = new Map(nodes.map((node) => [node.id ?? '', node.state]));
    // Copies from before a delete are nobody's any more.
    const deleted = disk.durable?.tombstones[serviceOf(job.name)]?.copy;
    const isOther = ({ instance, copy }: Jobs[number]): boolean =>
      instance === job.name && copy !== job.copy && (!deleted || compareCopyIds(copy, deleted) > 0);
    // What was stopped there comes back as another version: nothing takes the place of anything.
    if (states.get(node) === 'online' && promised.get(node)?.some(isOther)) return;
    const isHeld = (jobs: Jobs): boolean => jobs.some((one) => one.want !== 'stopped' && isOther(one));
    // What was on a node that somebody removed is on no node: that it does not come back is known.
    const holders = [...promised].filter(([id, jobs]) => states.has(id) && isHeld(jobs));
    const held = holders.map(([id]) => states.get(id));
    const none = held.length > 0 && !held.includes('online');
    if (none && held.includes('suspect'))
      suspicions.push(['a silent node is not lost', `${job.name} is started anew while its node is suspect`]);
    const silent = nodes.filter(({ state }) => state === 'suspect' || state === 'lost').length;
    if (none && nodes.length >= 3 && silent > nodes.length / 2)
      suspicions.push([
        'I7 mass loss replaces nothing',
        `${job.name} is replaced while ${silent} of ${nodes.length} are silent`,
      ]);
    if (anchors.has(serviceOf(job.name)) && held.includes('online') && isCalm())
      suspicions.push([
        'P4 unchanged is not replaced',
        `${job.name} gets another copy, and nothing was wrong for a minute`,
      ]);
  };
  const isCalm = (): boolean =>
    facts.troubles.size === 0 &&
    now() - facts.troubledAt > 60_000 &&
    [...facts.machines.values()].every(({ life, isCut }) => life.alive && !isCut);
  const assignment = (message: AssignmentMessage): void => {
    const { node, jobs } = message;
    witness.saw(`reconciler assigns ${jobs.length} jobs to ${nameOf(node)} at ${message.epoch}.${message.gen}`);
    const machine = facts.machines.get(node);
    for (const job of machine ? (lastJobs.get(node) ?? []) : []) {
      if (!machine || job.want !== 'run') continue;
      const next = jobs.find((one) => one.instance === job.instance && one.copy === job.copy);
      if (next?.want === 'run' || machine.wiped || facts.machines.has(`${node}.clone`)) continue;
      // What nobody can see counts for less than what is newer.
      if (facts.troubles.has(`engine of ${machine.name}`) || now() - machine.hurtAt < unseen) continue;
      if (machine.runtime.copies.get(`${job.instance}/${job.copy}`)?.state !== 'running') continue;
      data.taken(machine, job);
      if (!anchors.has(serviceOf(job.instance)) || !data.isToldToRun(job)) continue;
      if (!ranElsewhere(facts, job.instance, { machine: node, copy: job.copy }, now(), recently))
        witness.broken(
          'P1 I6 nothing is removed for no reason',
          `${job.instance}/${job.copy} is taken from ${machine.name}`,
        );
    }
    lastJobs.set(node, jobs);
    promised.set(node, jobs);
  };
  const nameOf = (node: string): string => facts.machines.get(node)?.name ?? node;

  return {
    get promised() {
      return promised;
    },
    begun() {
      suspicions = [];
    },
    // What was decided before a save was right then.
    planned(ms) {
      if (ms === 0) for (const [rule, what] of suspicions) witness.broken(rule, what);
      suspicions = [];
    },
    published(topic, payload) {
      const [, node, row] = topic.split('/');
      if (payload === '' || (row !== 'assignment' && row !== 'controls'))
        return witness.saw(`reconciler publishes ${topic}`, { quiet: true, more: payload });
      if (node !== undefined && node === facts.plant) return plants.told(payload);
      const message = JSON.parse(payload) as AssignmentMessage | ControlMessage;
      checkPair(message);
      if ('command' in message) control(message);
      else assignment(message);
    },
    rivalPublished(topic, payload) {
      const [, node, row] = topic.split('/');
      const isSaid = payload !== '' && node !== facts.plant && (row === 'assignment' || row === 'controls');
      if (!isSaid) return void witness.saw(`rival publishes ${topic}`, { quiet: true, more: payload });
      const message = JSON.parse(payload) as AssignmentMessage | ControlMessage;
      rivalPairs.add(`${message.node} ${message.epoch}.${message.gen} ${message.hash}`);
      const what = 'command' in message ? `${message.command} ${message.job.name}` : `assigns ${message.jobs.length}`;
      witness.saw(`rival: ${what} to ${nameOf(message.node)} at ${message.epoch}.${message.gen}`);
      return message;
    },
    reported(machine, topic, payload) {
      const isReport = topic.includes('/instances/');
      witness.saw(`${machine.name} publishes ${topic.split('/')[2]}`, { quiet: true, more: payload });
      if (!isReport) return;
      const message = JSON.parse(payload) as InstancesMessage;
      const { epoch, gen } = message;
      const pair = `${epoch}.${gen}`;
      witness.saw(`${machine.name} reports ${message.copies.length} copies at ${pair}`);
      const [highEpoch, highGen] = machine.highest;
      if (epoch < highEpoch || (epoch === highEpoch && gen < highGen))
        witness.broken('I1 agents do not go back', `${machine.name} has ${pair} after ${highEpoch}.${highGen}`);
      machine.highest = [epoch, gen];
      if (epoch === 0 || message.hash === '') return;
      const hash = pairs.get(`${machine.id} ${pair}`);
      if (hash !== message.hash && !rivalPairs.has(`${machine.id} ${pair} ${message.hash}`))
        witness.broken(
          'I2 only what was signed',
          `${machine.name} has ${message.hash.slice(0, 8)} at ${pair}, said was ${hash?.slice(0, 8)}`,
        );
    },
  };
}
