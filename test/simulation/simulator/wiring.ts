/**
 * The ports of a simulated world: real loops stand on them, chance hurts them, rules look at them. A planted bug sits between a
 * loop and its ports, so that the rules see what it does to the world and not what the loop believes.
 */

import { withDeadline } from '../../../agent/deadline.ts';
import type { AgentDeps } from '../../../agent/ports.ts';
import type { Runtime } from '../../../agent/runtimes/runtime.ts';
import type { ReconcilerDeps } from '../../../reconciler/context.ts';
import type { Git, Keys } from '../../../reconciler/ports.ts';
import { createRecordsStore } from '../../../reconciler/store/records-store.ts';
import { emptyPart } from '../../../schemas/assignment.ts';
import { sha256 } from '../../../schemas/digest.ts';
import { endpointsTopic } from '../../../schemas/endpoints.ts';
import { createDurableFiles } from '../../../schemas/io/durable-files.ts';
import { signMessage } from '../../../schemas/io/signatures.ts';
import type { Bus, Files } from '../../../schemas/ports.ts';
import { ProblemError, problem } from '../../../schemas/problem.ts';
import type { FakeRuntime } from '../../support/fake-runtime.ts';
import type { Wiring } from '../../support/memory-cluster.ts';
import { createMemoryKeys } from '../../support/memory-keys.ts';
import type { MortalProcess } from '../../support/mortal-process.ts';
import type { VirtualClock } from '../../support/virtual-clock.ts';
import { type Bodies, createBodies } from './bodies.ts';
import type { Bug } from './bugs.ts';
import type { Dice } from './dice.ts';
import { createSimDisk, type Life, type SimDisk } from './disk.ts';
import { type Facts, type Machine, type MortalLife, noteRan } from './facts.ts';
import { furnish } from './hands.ts';
import { foreign } from './names.ts';
import { wireRival } from './rival-wiring.ts';
import type { Rules } from './rules.ts';
import type { Witness } from './witness.ts';

/** ms. */
const pullStalls = 60_000;

export interface WiringDeps {
  readonly clock: VirtualClock;
  readonly dice: Dice;
  readonly facts: Facts;
  readonly witness: Witness;
  readonly rules: Rules;
  readonly bug: Bug | undefined;
  /** A process ran out of calls to its disk: undefined is the reconciler. */
  died(machine: Machine | undefined): void;
  /** A reconciler gave up. */
  gaveUp(who: 'reconciler' | 'rival', error: Error): void;
}

export interface Wires {
  readonly wiring: Wiring;
  /** Of the reconciler's machine. */
  readonly disk: SimDisk;
  readonly bodies: Bodies;
  /** Of the next rival. */
  rivalDisk: SimDisk | undefined;
  /** Until this is set everything is at once and nothing fails. */
  rough: boolean;
}

export function createWires(deps: WiringDeps): Wires {
  const { clock, dice, facts, witness, rules, bug } = deps;
  const real = createMemoryKeys('test');
  // True signatures take most of a world's time. Of lists of endpoints they prove something to others.
  const lists = `oakctl/1/test/${endpointsTopic('test')}\n`;
  const keys: Keys = {
    ...real,
    sign: (text) => (text.startsWith(lists) ? real.sign(text) : sha256(`secret ${text}`)),
  };
  const syncTime = (): number => (!wires.rough || dice.chance(0.5) ? 0 : dice.pick([1, 3, 10, 40, 400]));
  const newDisk = (who: string): SimDisk =>
    createSimDisk({
      clock,
      dice,
      latency: syncTime,
      synced: (name) => witness.saw(`${who} syncs ${name.replace(/~.+/, '~')}`, { quiet: true }),
    });
  const disk = newDisk('reconciler');

  /** Calls of a process to its disk are counted: it may die at any of them. */
  const lifeOnDisk = (life: MortalLife, died: () => void): Life => ({
    isAlive: () => life.alive,
    step() {
      if (!life.alive || life.countdown === undefined) return life.alive;
      life.countdown -= 1;
      if (life.countdown >= 0) return true;
      life.countdown = undefined;
      died();
      return false;
    },
  });

  const wireReconciler: NonNullable<Wiring['reconciler']> = (plain, process, who) => {
    if (who === 'rival') {
      const fs = (wires.rivalDisk ?? disk.copy()).fs;
      const sources = plain.sources.map((source) => ({
        ...source,
        git: slowGit(source.git, latency, () => process.alive),
      }));
      return wireRival(
        { ...deps, keys, fs, onDisk: lifeOnDisk },
        { ...plain, sources, fatal: endsWith('rival', plain, process) },
        process,
      );
    }
    const life: MortalLife = { alive: true, countdown: undefined };
    facts.brain = { life, startedAt: clock.now().mono };
    facts.heard.clear();
    rules.begun();
    facts.connectedAt = undefined;
    const onDisk = lifeOnDisk(life, () => deps.died(undefined));
    const store = createRecordsStore({ folder: '/records', fs: disk.fs(onDisk), turn: async () => undefined });
    const wired: ReconcilerDeps = {
      ...plain,
      records: {
        load: store.load,
        async save(records) {
          await store.save(records);
          facts.retirements = Object.values(records.retired).flatMap(({ retired: { until } }) => until ?? []);
          rules.saved(records);
        },
      },
      meter: { reconciled: ({ ms }) => rules.planned(ms), happened: () => undefined },
      state: createDurableFiles({ folder: '/state', fs: disk.fs(onDisk) }),
      bus: brainBus(plain.bus, () => process.alive),
      sources: plain.sources.map((source) => ({ ...source, git: slowGit(source.git, latency, () => process.alive) })),
      fatal: endsWith('reconciler', plain, process),
      log: (level, event, fields) => {
        if (!process.alive) return;
        if (event === 'records_unwritable') facts.refusedAt = clock.now().mono;
        witness.saw(`reconciler ${level} ${event} ${JSON.stringify(fields ?? {}).slice(0, 160)}`);
      },
    };
    return bug?.reconciler?.(wired, { clock, dice }) ?? wired;
  };
  const endsWith = (
    who: 'reconciler' | 'rival',
    { fatal }: ReconcilerDeps,
    process: MortalProcess,
  ): ReconcilerDeps['fatal'] => {
    return (error) => {
      if (!process.alive) return;
      fatal(error);
      deps.gaveUp(who, error);
    };
  };
  const brainBus = (bus: Bus, isAlive: () => boolean): Bus => ({
    ...bus,
    open: (options, handlers) =>
      bus.open(options, {
        connected() {
          witness.saw('reconciler is connected');
          facts.connectedAt = clock.now().mono;
          handlers.connected();
        },
        disconnected(reason) {
          witness.saw(`reconciler is disconnected: ${reason}`);
          facts.connectedAt = undefined;
          handlers.disconnected(reason);
        },
        message(message) {
          rules.heard(message);
          handlers.message(message);
        },
      }),
    publish(topic, payload, options) {
      if (!isAlive() || facts.connectedAt === undefined) return;
      rules.published(topic, payload);
      bus.publish(topic, payload, options);
    },
  });
  const latency = (): Promise<void> => {
    const ms = wires.rough && dice.chance(0.5) ? dice.pick([5, 50, 500]) : 0;
    return ms === 0 ? Promise.resolve() : new Promise((resolve) => void clock.after(ms, resolve));
  };

  const machineOf = (plain: AgentDeps, { name, tag }: { readonly name: string; readonly tag: string }): Machine => {
    const known = facts.machines.get(tag);
    if (known) return known;
    const made: Machine = {
      tag,
      id: plain.identity.id,
      name,
      disk: newDisk(name),
      runtime: plain.runtimes[0] as FakeRuntime,
      life: { alive: true, countdown: undefined },
      ledger: undefined,
      previous: { ledger: undefined, until: -1 },
      highest: [0, 0],
      hurtAt: Number.NEGATIVE_INFINITY,
      wiped: false,
      wipedAt: Number.NEGATIVE_INFINITY,
      isCut: false,
      isGivenUp: false,
    };
    furnish(made.runtime);
    facts.machines.set(tag, made);
    return made;
  };
  const wireAgent: NonNullable<Wiring['agent']> = (plain, who) => {
    const machine = machineOf(plain, who);
    const life: MortalLife = { alive: true, countdown: undefined };
    machine.life = life;
    machine.ledger = undefined;
    const fs = machine.disk.fs(lifeOnDisk(life, () => deps.died(machine)));
    const wired: AgentDeps = {
      ...plain,
      clock: { now: clock.now, after: (ms, run) => clock.after(ms, () => void (life.alive && run())) },
      files: createDurableFiles({ folder: '/state', fs }),
      bus: agentBus(plain.bus, machine),
      runtimes: [watchedRuntime(machine, deps)],
      streams: {
        async open(id, signal) {
          await latency();
          if (machine.isCut || !life.alive) throw new ProblemError(problem('UNREACHABLE', 'the API does not answer'));
          return plain.streams.open(id, signal);
        },
      },
      trace: (event) => rules.agentEvent(machine, event),
    };
    const hurt = bug?.agent?.(wired, { clock, dice, machine }) ?? wired;
    return { ...hurt, files: believed(hurt.files, machine, () => clock.now().mono) };
  };
  const agentBus = (bus: Bus, machine: Machine): Bus => ({
    ...bus,
    publish(topic, payload, options) {
      if (!machine.life.alive) return;
      rules.reported(machine, topic, payload);
      bus.publish(topic, payload, options);
    },
  });

  const bodies = createBodies({ clock, dice, facts, witness, rules, isRough: () => wires.rough });
  const wires: Wires = {
    disk,
    bodies,
    rivalDisk: undefined,
    rough: false,
    wiring: {
      clock,
      keys,
      verify: (topic, message) => {
        const { sig, kid, ...rest } = message as Readonly<Record<string, unknown>>;
        return kid === keys.kid && signMessage(keys, topic, rest).sig === sig;
      },
      reconciler: wireReconciler,
      agent: wireAgent,
      engine: (tag) => {
        const time =
          (...times: readonly number[]) =>
          (): number =>
            wires.rough ? dice.pick(times) : 0;
        return {
          endedLag: 20,
          goesOn: () => dice.chance(0.7),
          onStarted(key, run) {
            const machine = facts.machines.get(tag);
            if (machine) bodies.started(machine, key, run);
          },
          delays: {
            list: time(0, 1, 1, 200, 3_000),
            prepare: time(0, 100, 5_000, 20_000),
            create: time(1, 50, 50, 3_000),
            start: time(1, 50, 200, 8_000),
            stop: time(1, 100, 1_000, 9_000),
            remove: time(1, 50, 2_000),
          },
        };
      },
    },
  };
  return wires;
}

/** What the agent takes from its disk, and what it believes to be there, is what it goes by. */
function believed(files: Files, machine: Machine, now: () => number): Files {
  const { life } = machine;
  const goBy = (name: string, text: string | undefined): void => {
    if (!life.alive || !name.startsWith('ledger')) return;
    machine.previous = { ledger: machine.ledger, until: now() };
    machine.ledger = text === undefined ? emptyPart : JSON.parse(text);
  };
  return {
    ...files,
    async read(name) {
      const text = await files.read(name);
      goBy(name, text);
      return text;
    },
    async write(name, text) {
      await files.write(name, text);
      machine.wiped = false;
      goBy(name, text);
    },
  };
}

/** The engine's own view of what it is asked for. */
function watchedRuntime(machine: Machine, { rules, witness, clock, facts, dice }: WiringDeps): Runtime {
  const { runtime } = machine;
  const begins = (kind: 'create' | 'start' | 'stop' | 'remove', key: { instance: string; copy: string }): void => {
    const text = `${key.instance}/${key.copy}`;
    witness.saw(`${machine.name} ${kind} ${text}`);
    rules.begins(machine, kind, key);
    if (kind === 'create' || kind === 'start') return;
    if (runtime.copies.get(text)?.state === 'running')
      noteRan(facts, machine.tag, key.instance, key.copy, clock.now().mono);
  };
  return {
    ...runtime,
    // A pull that makes no progress is given up.
    prepare: (run, signal) =>
      withDeadline(clock, pullStalls, 'the pull', (inner) => runtime.prepare(run, inner), signal),
    // By their labels.
    list: async (signal) => (await runtime.list(signal)).filter(({ instance }) => instance !== foreign),
    create: (plan, signal) => {
      begins('create', plan);
      return runtime.create(plan, signal);
    },
    start: (plan, signal) => {
      begins('start', plan);
      return runtime.start(plan, signal);
    },
    stop: (key, grace, signal) => {
      begins('stop', key);
      return runtime.stop(key, grace, signal);
    },
    remove: (key, signal) => {
      begins('remove', key);
      return runtime.remove(key, signal);
    },
    // Streams of engines lose events.
    watch: (onEvent, signal) => runtime.watch((event) => void (!dice.chance(0.1) && onEvent(event)), signal),
  };
}

function slowGit(git: Git, latency: () => Promise<void>, isAlive: () => boolean): Git {
  return {
    ...git,
    head: (signal) => latency().then(() => git.head(signal)),
    fetch: (commit, signal) => latency().then(() => git.fetch(commit, signal)),
    tree: (commit, path, signal) => latency().then(() => git.tree(commit, path, signal)),
    watch: (changed) => git.watch(() => void (isAlive() && changed())),
  };
}
