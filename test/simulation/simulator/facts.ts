/** What is true in a simulated world, as nobody in it can know it: the rules compare with this. */
import type { Reconciler } from '../../../reconciler/loop.ts';
import type { Part } from '../../../schemas/assignment.ts';
import type { FakeRuntime } from '../../support/fake-runtime.ts';
import type { MortalProcess } from '../../support/mortal-process.ts';
import type { SimDisk } from './disk.ts';

/** A process that can die at every call to a disk. */
export interface MortalLife {
  alive: boolean;
  /** Calls to a disk until it dies; undefined: it lives on. */
  countdown: number | undefined;
}

/** One machine with an agent; a clone is a machine of its own with the same id. */
export interface Machine {
  readonly tag: string;
  readonly id: string;
  readonly name: string;
  readonly disk: SimDisk;
  readonly runtime: FakeRuntime;
  life: MortalLife;
  /** The ledger as the agent said that it is on disk; undefined while nothing is known of it. */
  ledger: Part | undefined;
  /** The one before it, and when it was replaced: for a moment the agent may go by either. */
  previous: { readonly ledger: Part | undefined; readonly until: number };
  /** The highest pair that the agent said it has, since its disk was last wiped. */
  highest: readonly [number, number];
  /** When something last went wrong with its engine or disk: its agent may not know yet what runs. */
  hurtAt: number;
  /** Its state was wiped, and nothing was written since. */
  wiped: boolean;
  /** When its state was wiped last: what its agent wrote down before is gone. */
  wipedAt: number;
  isCut: boolean;
  /** Its owner gives it up, and says so until it is removed. */
  isGivenUp: boolean;
}

export interface RivalProcess {
  readonly life: MortalLife;
  readonly process: MortalProcess;
  connectedAt: number | undefined;
  /** Once it is made. */
  reconciler: Reconciler | undefined;
}

export interface Facts {
  readonly machines: Map<string, Machine>;
  /** `<instance>` -> `<machine> <copy>` -> when that copy was last seen running. */
  readonly ran: Map<string, Map<string, number>>;
  /** As `ran`: when it was last seen well, or ceased to be. Only of copies with a healthcheck. */
  readonly well: Map<string, Map<string, number>>;
  /** `<machine> <instance>/<copy>` -> when somebody last paused it, or let it go on. */
  readonly paused: Map<string, number>;
  /** Jobs that came to their end, as `<instance>/<copy>`, and when. */
  readonly done: Map<string, number>;
  /** Instances whose data may be left behind: somebody said so. */
  readonly given: Set<string>;
  /** The reconciler process that runs, if one does. */
  brain: { readonly life: MortalLife; readonly startedAt: number } | undefined;
  /** A second reconciler of this cluster, from a copy of the first one's disk. */
  rival: RivalProcess | undefined;
  /** When the last one was off, or gave up; how many there were. */
  rivalEndedAt: number;
  rivals: number;
  /** When the reconciler's connection to the broker was made; undefined: there is none. */
  connectedAt: number | undefined;
  /** Node id -> when the reconciler last got a live message of it, in this process. */
  readonly heard: Map<string, number>;
  /** Faults that last, by name. */
  readonly troubles: Set<string>;
  /** ms by which the wall clock is wrong, and how often it was set back for hours. */
  wallOff: number;
  setBacks: number;
  /** When all faults ended, by the wall clock. */
  mendedAt: number;
  /** When something last went wrong, anywhere. */
  troubledAt: number;
  /** When services that their source removed go for good, by the wall clock. */
  retirements: readonly number[];
  /** When the reconciler's disk last refused what was decided: it is said later. */
  refusedAt: number;
  /** When there last was a clone: for a while its original is not trusted with new things. */
  clonedAt: number;
  /** The reconciler that the cluster shows is the one that runs. */
  isReady: boolean;
  /** Commits in the order in which they were pushed. */
  readonly commits: string[];
  /** What was answered to people, by direct service; undefined: its end. While a request is under way there is no entry. */
  readonly answered: Map<string, { readonly code: string; readonly replicas: number } | undefined>;
  /** Direct services -> requests for one more of them that have no answer. Their number is only known again after a deploy. */
  readonly replicating: Map<string, number>;
  /** Node id -> whether it is cordoned, as it was answered. */
  readonly cordoned: Map<string, boolean>;
  /** Nodes that somebody ever cordoned by hand, or the other way round. */
  readonly handled: Set<string>;
  /** Nodes that were removed, as it was answered: their names, and since when. */
  readonly removed: Map<string, { readonly name: string; readonly at: number }>;
  /** Id of the node of the seeds' wire. */
  plant: string | undefined;
  /** Names of machines that ask to join, and have no answer. */
  readonly joining: Set<string>;
  /** Nodes that somebody ever asked to be removed. */
  readonly leaving: Set<string>;
  /** What is suspended, as it was answered, since when, and until when by the wall clock; there is no entry once its end was asked for. */
  readonly suspended: Map<string, { readonly since: number; readonly until: number }>;
  /** What somebody asked to be suspended; `ending`: and to go on since, without an answer yet. */
  readonly suspending: Map<string, 'asked' | 'ending'>;
}

export function createFacts(): Facts {
  return {
    machines: new Map(),
    ran: new Map(),
    well: new Map(),
    paused: new Map(),
    done: new Map(),
    given: new Set(),
    brain: undefined,
    rival: undefined,
    rivalEndedAt: Number.NEGATIVE_INFINITY,
    rivals: 0,
    connectedAt: undefined,
    heard: new Map(),
    troubles: new Set(),
    wallOff: 0,
    setBacks: 0,
    mendedAt: 0,
    troubledAt: 0,
    retirements: [],
    refusedAt: Number.NEGATIVE_INFINITY,
    clonedAt: Number.NEGATIVE_INFINITY,
    isReady: false,
    commits: [],
    answered: new Map(),
    replicating: new Map(),
    cordoned: new Map(),
    handled: new Set(),
    removed: new Map(),
    joining: new Set(),
    leaving: new Set(),
    plant: undefined,
    suspended: new Map(),
    suspending: new Map(),
  };
}

type Times = Facts['ran'];

function note(times: Times, machine: string, instance: string, copy: string, now: number): void {
  const copies = times.get(instance) ?? new Map<string, number>();
  times.set(instance, copies);
  copies.set(`${machine} ${copy}`, now);
}

/** Notes that a copy runs, or ran until now. */
export function noteRan(facts: Facts, machine: string, instance: string, copy: string, now: number): void {
  note(facts.ran, machine, instance, copy, now);
}

/** Notes that a copy is well, or was until now. */
export function noteWell(facts: Facts, machine: string, instance: string, copy: string, now: number): void {
  note(facts.well, machine, instance, copy, now);
}

/** Copies of an instance that run are all unwell, by their healthchecks. */
export function isUnwell({ machines }: Pick<Facts, 'machines'>, instance: string): boolean {
  const running = [...machines.values()].flatMap(({ runtime }) =>
    [...runtime.copies.values()].filter((copy) => copy.instance === instance && copy.state === 'running'),
  );
  return running.length > 0 && running.every(({ health }) => health !== undefined && health !== 'healthy');
}

/** Was a copy of this instance, other than this one, well not longer ago than `within` ms? */
export function wasWellElsewhere(
  { machines, ran, well }: Pick<Facts, 'machines' | 'ran' | 'well'>,
  instance: string,
  not: { readonly machine: string; readonly copy: string } | undefined,
  now: number,
  within: number,
): boolean {
  const except = not && `${not.machine} ${not.copy}`;
  for (const { tag, runtime } of machines.values()) {
    for (const copy of runtime.copies.values())
      if (copy.instance === instance && copy.health === 'healthy' && `${tag} ${copy.copy}` !== except) return true;
  }
  const last = (key: string, at: number): number => Math.max(at, ran.get(instance)?.get(key) ?? at);
  return [...(well.get(instance) ?? [])].some(([key, at]) => key !== except && now - last(key, at) <= within);
}

/** Did a copy of this instance, other than this one, run not longer ago than `within` ms? */
export function ranElsewhere(
  facts: Facts,
  instance: string,
  not: { readonly machine: string; readonly copy: string },
  now: number,
  within: number,
): boolean {
  for (const [machine, copies] of runningOf(facts, instance)) {
    if (copies.some((copy) => machine !== not.machine || copy !== not.copy)) return true;
  }
  const except = `${not.machine} ${not.copy}`;
  return [...(facts.ran.get(instance) ?? [])].some(([key, at]) => key !== except && now - at <= within);
}

/** Copies of an instance that run now, by machine. */
export function runningOf(facts: Facts, instance: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { tag, runtime } of facts.machines.values()) {
    const copies = [...runtime.copies.values()].filter(
      (copy) => copy.instance === instance && copy.state === 'running',
    );
    if (copies.length > 0)
      found.set(
        tag,
        copies.map(({ copy }) => copy),
      );
  }
  return found;
}
